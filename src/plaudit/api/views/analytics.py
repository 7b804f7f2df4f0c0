"""Response types of the operations on analytics."""

from typing import Literal

from msgspec import UNSET, UnsetType

from plaudit.api.views.cause import Cause

from .base import Time, View, page_of


class ReportPeriod(View):
    """The whole days that a report covers."""

    start: Time
    end: Time


class AnalyticsMetrics(View):
    """The totals of a period. Amounts and counts by type are by metric."""

    total_transactions: int
    by_type: dict[str, int]
    total_amount: dict[str, float]
    credits: dict[str, float]
    debits: dict[str, float]
    average_per_transaction: dict[str, float]
    unique_users: int


class TopCampaign(View):
    """A campaign, and how many transactions it led to."""

    campaign_id: str
    transactions: int


class RecentTransaction(View):
    """A transaction in short."""

    transaction_id: str
    user_id: str | None
    type: str
    amount: float
    created_at: Time


class AnalyticsSummary(View):
    """The totals of a period. `recentActivity` is empty without the scope `members:read`."""

    org_id: str
    period: ReportPeriod
    metrics: AnalyticsMetrics
    top_campaigns: list[TopCampaign]
    recent_activity: list[RecentTransaction]
    generated_at: Time


class Activity(View):
    """A transaction, an enrolment or a change of a document; each has its own fields."""

    type: str
    timestamp: Time
    user_id: str | UnsetType | None = UNSET
    transaction_id: str | UnsetType = UNSET
    metric: str | UnsetType = UNSET
    amount: float | UnsetType = UNSET
    campaign_id: str | UnsetType | None = UNSET
    cause: Cause | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    change: str | UnsetType = UNSET
    changed_by: str | UnsetType = UNSET


class MetricTotals(View):
    """The credits and debits of a metric."""

    credits: float
    debits: float
    transactions: int


class TimeSeriesPoint(View):
    """The totals of a day, week or month, by metric; `date` is its first day."""

    date: str
    metrics: dict[str, MetricTotals]


class TimeSeries(View):
    """Totals by day, week or month. Periods without transactions are left out."""

    interval: Literal["day", "week", "month"]
    period: ReportPeriod
    series: list[TimeSeriesPoint]


class CampaignCounts(View):
    """The number of campaigns, and of active ones."""

    total: int
    active: int


class StatusCounts(View):
    """The number of each."""

    campaigns: CampaignCounts
    rules: int
    segments: int
    transactions: int
    settings: int
    custom_fields: int


class StatusHealth(View):
    """Whether each part works."""

    database: str
    api: str
    engine: Literal["operational", "degraded", "unavailable"]


class StatusReport(View):
    """Health and counts."""

    org_id: str
    timestamp: Time
    status: Literal["healthy", "degraded"]
    counts: StatusCounts
    health: StatusHealth


ActivityList = page_of(Activity, "activities")
