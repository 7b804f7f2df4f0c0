"""Response types of simulations."""

from typing import Literal

from plaudit.api.views.cause import Cause

from .base import Json, Time, View
from .events import ExplainedCampaign


class CampaignTotals(View):
    """What a campaign paid, or would pay, in the simulated period. `days` are amounts by day and metric."""

    fired: int
    members: int
    metrics: dict[str, float]
    days: dict[str, dict[str, float]]
    coupons: int
    products: int
    caps_hit: dict[str, int]
    refusals: dict[str, int]


class CampaignDifference(View):
    """How much more a campaign would pay, and to how many members who got nothing."""

    metrics: dict[str, float]
    members_gained: int
    members_lost: int
    coupons: int
    products: int


class ProgrammeTotals(View):
    """What all campaigns together paid, and would pay, by metric."""

    actual: dict[str, float]
    simulated: dict[str, float]


class SampleEvent(View):
    """An event that the simulation decided."""

    trigger: str
    occurred_at: Time
    data: Json


class SampleOutcome(View):
    """What a campaign paid for an event, and why."""

    metrics: dict[str, float]
    coupons: int
    products: int
    reasons: list[ExplainedCampaign]


class SimulationSample(View):
    """A member with a different result for an event."""

    user_id: str
    change: Literal["gained", "lost", "changed"]
    campaign_id: str | None
    cause: Cause
    event: SampleEvent
    actual: SampleOutcome
    simulated: SampleOutcome


class CampaignComparison(View):
    """A campaign's actual and simulated results."""

    campaign_id: str | None
    cause: Cause
    actual: CampaignTotals
    simulated: CampaignTotals
    difference: CampaignDifference


class SimulationReport(CampaignComparison):
    """A campaign's actual results, and those with the changes, over past events."""

    days: float
    events: int
    members: int
    programme: ProgrammeTotals
    sample: list[SimulationSample]


class ProgrammeSimulationReport(View):
    """A programme's actual and simulated results. `campaigns` are those that differ."""

    days: float
    events: int
    members: int
    programme: ProgrammeTotals
    campaigns: list[CampaignComparison]
    sample: list[SimulationSample]
