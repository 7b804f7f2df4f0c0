"""When a refused event can succeed, for refusals that end after some time."""

from datetime import datetime

from .context import Context
from .decision import Refusal
from .periods import next_period_at
from .program import Campaign

RETRYABLE_REFUSALS = frozenset(
    {
        Refusal.campaign_not_started,
        Refusal.campaign_between_occurrences,
        Refusal.limit_per_period_reached,
        Refusal.cooldown_running,
    }
)


def next_at(context: Context, campaign: Campaign, refusal: Refusal) -> datetime | None:
    """Return when a campaign stops refusing for this reason, or None if it does not."""
    progress = context.member.progress.get(campaign.campaign_id)
    match refusal:
        case Refusal.campaign_not_started:
            return campaign.starts_at
        case Refusal.campaign_between_occurrences if campaign.recurrence is not None:
            return campaign.recurrence.next_after(context.now)
        case Refusal.limit_per_period_reached if campaign.limit_per_period is not None:
            return next_period_at(context.now, campaign.limit_per_period.period, context.program.settings.time_zone)
        case Refusal.cooldown_running if progress is not None and progress.last_at is not None and campaign.cooldown:
            return progress.last_at + campaign.cooldown
        case _:
            return None
