"""What simulations return."""

from typing import Literal

from plaudit.api.views.cause import Cause

from .base import Json, Time, View
from .events import ExplainedCampaign


class CampaignTotals(View):
    """What a campaign gave, or would give, in the simulated time. `days` are amounts by day and metric."""

    fired: int
    members: int
    metrics: dict[str, float]
    days: dict[str, dict[str, float]]
    coupons: int
    products: int
    caps_hit: dict[str, int]
    refusals: dict[str, int]


class CampaignDifference(View):
    """How much more a campaign would give, and to how many members who got nothing."""

    metrics: dict[str, float]
    members_gained: int
    members_lost: int
    coupons: int
    products: int


class ProgrammeTotals(View):
    """What all campaigns together gave, and would give, by metric."""

    actual: dict[str, float]
    simulated: dict[str, float]


class SampleEvent(View):
    """An event that the simulation decided again."""

    trigger: str
    occurred_at: Time
    data: Json


class SampleOutcome(View):
    """What a campaign gave for an event, and why."""

    metrics: dict[str, float]
    coupons: int
    products: int
    reasons: list[ExplainedCampaign]


class SimulationSample(View):
    """A member for whom an event would have gone otherwise."""

    user_id: str
    change: Literal["gained", "lost", "changed"]
    campaign_id: str | None
    cause: Cause
    event: SampleEvent
    actual: SampleOutcome
    simulated: SampleOutcome


class CampaignComparison(View):
    """A campaign as it was, and as it would be."""

    campaign_id: str | None
    cause: Cause
    actual: CampaignTotals
    simulated: CampaignTotals
    difference: CampaignDifference


class SimulationReport(CampaignComparison):
    """A campaign as it was, and as it would be with the changes, over events that really happened."""

    days: float
    events: int
    members: int
    programme: ProgrammeTotals
    sample: list[SimulationSample]


class ProgrammeSimulationReport(View):
    """A programme as it was, and as it would be. `campaigns` are those that would give something else."""

    days: float
    events: int
    members: int
    programme: ProgrammeTotals
    campaigns: list[CampaignComparison]
    sample: list[SimulationSample]
