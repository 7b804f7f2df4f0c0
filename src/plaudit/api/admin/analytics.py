"""Analytics and the status report, as documented. Totals are exact: the documented original read at most 1,000 transactions."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from plaudit import clock
from plaudit.api.http.operations import PAGING, Call, Operation, Parameter
from plaudit.api.http.parameters import CAUSE_PARAMETERS, causes_in
from plaudit.api.http.schemas import TEXT
from plaudit.api.http.wire import AFTER_ALL, Json, time_text
from plaudit.api.views.analytics import (
    Activity,
    ActivityList,
    AnalyticsMetrics,
    AnalyticsSummary,
    CampaignCounts,
    MetricTotals,
    RecentTransaction,
    ReportPeriod,
    StatusCounts,
    StatusHealth,
    StatusReport,
    TimeSeries,
    TimeSeriesPoint,
    TopCampaign,
)
from plaudit.api.views.base import Page
from plaudit.api.views.cause import cause_view
from plaudit.core.cause import Cause
from plaudit.core.metrics import to_number
from plaudit.core.periods import first_instant, local_day
from plaudit.core.program import Program
from plaudit.errors import FieldError, invalid_fields
from plaudit.reads import analytics, health, transactions
from plaudit.storage.programmes import Programme

TOP_CAMPAIGNS = 5
RECENT = 10
DAYS_BEFORE = 30
UNITS = ("day", "week", "month")


class _Period:
    """The period of a request: whole local days, and the instants at which they begin and end."""

    def __init__(self, programme: Programme, call: Call) -> None:
        zone = programme.compiled.settings.time_zone
        now = programme.now()
        end, start = _instant(call, "endDate", now), None
        start = _instant(call, "startDate", end - timedelta(days=DAYS_BEFORE))
        if start > end:
            raise invalid_fields([FieldError("startDate", "must not be after endDate")])
        self.first, self.last = local_day(start, zone), local_day(end, zone)
        self.since = first_instant(self.first, zone)
        self.until = min(first_instant(self.last + timedelta(days=1), zone), now + timedelta(minutes=5))
        self.metric = call.query.get("metric")
        if self.metric is not None and self.metric not in programme.compiled.metrics:
            raise invalid_fields([FieldError("metric", f"must reference an existing metric (got {self.metric!r})")])

    def view(self) -> ReportPeriod:
        """Return the period as clients see it."""
        return ReportPeriod(start=time_text(self.since), end=time_text(self.until))


def _instant(call: Call, name: str, default: datetime) -> datetime:
    text = call.query.get(name)
    if text is None:
        return default
    try:
        time = datetime.fromisoformat(text)
        instant = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        instant = None
    if instant is None or not date(1971, 1, 1) <= instant.date() <= date(2200, 1, 1):
        raise invalid_fields([FieldError(name, f"must be an ISO 8601 time (got {text!r})")])
    return instant


def _amount_view(program: Program, metric: str, amount: Any) -> Any:
    return to_number(int(amount), program.metrics[metric].decimals if metric in program.metrics else 0)


async def overview(call: Call) -> AnalyticsSummary:
    """Return a period's totals by metric, the campaigns with the most transactions, and the newest transactions."""
    programme = await call.programme()
    program, period = programme.compiled, _Period(programme, call)
    days = (period.first, period.last, period.metric)
    async with call.connection() as connection:
        rows = await analytics.by_metric(connection, call.org_id, *days)
        top = await analytics.top_campaigns(connection, call.org_id, *days, TOP_CAMPAIGNS)
        users = await analytics.unique_users(
            connection, call.org_id, period.since, period.until, period.metric, programme.clock.wall_of(period.since)
        )
        newest = await transactions.newest(connection, call.org_id, period.metric, RECENT)
    return AnalyticsSummary(
        org_id=str(call.org_id),
        period=period.view(),
        metrics=_metrics_view(program, rows, users),
        top_campaigns=[TopCampaign(campaign_id=row["campaign_id"], transactions=row["transactions"]) for row in top],
        # The totals need admin:read only, but single transactions need members:read.
        recent_activity=[
            RecentTransaction(
                transaction_id=f"txn_{row['transaction_id']}",
                user_id=row["user_id"],
                type=row["metric"],
                amount=_amount_view(program, row["metric"], row["amount"]),
                created_at=time_text(programme.clock.from_wall(row["created_at"])),
            )
            for row in newest
            if "members:read" in call.scopes
        ],
        generated_at=time_text(programme.now()),
    )


def _metrics_view(program: Program, rows: Sequence[Any], users: int) -> AnalyticsMetrics:
    by_type = {row["metric"]: row["credit_count"] + row["debit_count"] for row in rows}
    total = {row["metric"]: _amount_view(program, row["metric"], row["credits"] - row["debits"]) for row in rows}
    return AnalyticsMetrics(
        total_transactions=sum(by_type.values()),
        by_type=by_type,
        total_amount=total,
        credits={row["metric"]: _amount_view(program, row["metric"], row["credits"]) for row in rows},
        debits={row["metric"]: _amount_view(program, row["metric"], row["debits"]) for row in rows},
        average_per_transaction={metric: round(total[metric] / number, 2) for metric, number in by_type.items()},
        unique_users=users,
    )


async def recent_activity(call: Call) -> Page:
    """Return transactions, enrolments and configuration changes, newest first."""
    programme = await call.programme()
    page = call.page(tuple[datetime], (AFTER_ALL,))
    async with call.connection() as connection:
        rows = await analytics.activity(connection, call.org_id, programme.clock, *page.start, page.limit)
    rows, cursor = page.cut(rows, lambda row: (row["at"],))
    return ActivityList.of([_activity(programme.compiled, row) for row in rows], cursor=cursor)


def _activity(program: Program, row: Json) -> Activity:
    fields: dict[str, Any] = {}
    match row["type"]:
        case "transaction":
            fields = {
                "user_id": row["user_id"],
                "transaction_id": f"txn_{row['id']}",
                "metric": row["what"],
                "amount": _amount_view(program, row["what"], row["amount"]),
                **cause_view(Cause(row["source"], row["cause_id"])),
            }
        case "enrolment":
            fields = {"user_id": row["user_id"]}
        case _:
            fields = {"kind": row["what"], "id": row["id"], "change": row["source"], "changed_by": row["by"]}
    return Activity(type=row["type"], timestamp=time_text(row["at"]), **fields)


async def timeseries(call: Call) -> TimeSeries:
    """Return totals by day, week or month, for charts. Periods without transactions are left out."""
    programme = await call.programme()
    period = _Period(programme, call)
    unit = call.query.get("interval", "day")
    if unit not in UNITS:
        raise invalid_fields([FieldError("interval", f"must be one of {', '.join(UNITS)}")])
    async with call.connection() as connection:
        rows = await analytics.series(
            connection, call.org_id, period.first, period.last, unit=unit, metric=period.metric,
            causes=causes_in(call.query),
        )  # fmt: skip
    points: dict[str, dict[str, MetricTotals]] = {}
    for row in rows:
        point = points.setdefault(row["period"].isoformat(), {})
        point[row["metric"]] = MetricTotals(
            credits=_amount_view(programme.compiled, row["metric"], row["credits"]),
            debits=_amount_view(programme.compiled, row["metric"], row["debits"]),
            transactions=row["credit_count"] + row["debit_count"],
        )
    return TimeSeries(
        interval=unit,
        period=period.view(),
        series=[TimeSeriesPoint(date=day, metrics=metrics) for day, metrics in points.items()],
    )


async def status_report(call: Call) -> StatusReport:
    """Return health and counts, as documented."""
    now = clock.now()
    async with call.connection() as connection:
        counts = await analytics.counts(connection, call.org_id)
        state = await health.state(connection)
    behind = state.oldest_waiting_at is not None and state.oldest_waiting_at < now - timedelta(seconds=30)
    engine = "unavailable" if state.workers == 0 else "degraded" if behind else "operational"
    return StatusReport(
        org_id=str(call.org_id),
        timestamp=time_text(now),
        status="healthy" if engine == "operational" else "degraded",
        counts=StatusCounts(
            campaigns=CampaignCounts(total=counts["campaigns"], active=counts["active"]),
            rules=counts["rules"],
            segments=counts["segments"],
            transactions=counts["transactions"],
            settings=counts["settings"],
            custom_fields=counts["custom_fields"],
        ),
        health=StatusHealth(database="operational", api="operational", engine=engine),
    )


_SINCE = Parameter("startDate", "Start of the period (default: 30 days before `endDate`)", TEXT)
_UNTIL = Parameter("endDate", "End of the period (default: now)", TEXT)
_METRIC = Parameter("metric", "Only of this metric.", TEXT)
_RANGE = (_SINCE, _UNTIL, _METRIC)

OPERATIONS = [
    Operation(
        name="getAnalytics", method="GET", path="/v1/analytics", summary="Get the totals of a period", run=overview,
        scope="admin:read", tag="Analytics", query=_RANGE, errors=(400,), response=AnalyticsSummary,
    ),
    Operation(
        name="listActivity", method="GET", path="/v1/analytics/recent-activity", summary="List recent activity",
        run=recent_activity, scope="members:read", tag="Analytics", query=PAGING, errors=(400,),
        response=ActivityList,
    ),
    Operation(
        name="getTimeSeries", method="GET", path="/v1/analytics/timeseries",
        summary="Get totals by day, week or month", run=timeseries, scope="admin:read", tag="Analytics",
        errors=(400,), query=(
            *_RANGE, Parameter("interval", "day, week or month.", {"enum": list(UNITS), "default": "day"}),
            *CAUSE_PARAMETERS,
        ), response=TimeSeries,
    ),
    Operation(
        name="getStatusReport", method="GET", path="/v1/status/report", summary="Get the status report",
        run=status_report, scope="admin:read", tag="Analytics", errors=(400,),
        response=StatusReport,
    ),
]  # fmt: skip
