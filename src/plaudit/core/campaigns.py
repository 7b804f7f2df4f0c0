"""Whether a campaign that listens to an event fires: window, conditions, cascades, groups, limits; then its effects."""

from datetime import timedelta

from .deciding import Deciding, Place
from .decision import Check, ClaimKind, Considered, Refusal
from .event import Event
from .ids import effect_id_of
from .member import Progress
from .periods import period_key
from .program import CASCADE_DEPTH_MAX, Campaign, Listener

# Period counts kept for a member and campaign: a late event older than these periods finds a count of none.
PERIODS_KEPT = 32


def consider(deciding: Deciding, listener: Listener, groups_taken: set[str]) -> Considered:
    """Let a listener meet the present event: its effects happen, or the refusal says why not.

    `groups_taken` holds the exclusive groups that already have their winner for this event.
    """
    event = deciding.event
    campaign = listener.campaign
    checks: list[Check] = []
    refusal = (
        _outside_window(campaign, event)
        or (None if listener.condition.holds(deciding.scope, checks) else Refusal.condition_failed)
        or _cascading(campaign, event)
        or (Refusal.exclusive_group_taken if campaign.exclusive_group in groups_taken else None)
        or _limited(deciding, campaign)
    )
    trigger = event.trigger if event.depth else None
    if refusal is not None:
        return Considered(campaign.campaign_id, listener.step, listener.number, refusal, checks, [], trigger)
    if campaign.exclusive_group is not None:
        groups_taken.add(campaign.exclusive_group)
    effects = [
        effect.apply(deciding, Place(campaign.campaign_id, listener.step, index), effect.settings)
        for index, effect in enumerate(listener.effects)
    ]
    _complete(deciding, campaign)
    return Considered(campaign.campaign_id, listener.step, listener.number, None, checks, effects, trigger)


def _outside_window(campaign: Campaign, event: Event) -> Refusal | None:
    if campaign.starts_at is not None and event.occurred_at < campaign.starts_at:
        return Refusal.campaign_not_open_yet
    if campaign.ends_at is not None and event.occurred_at >= campaign.ends_at:
        return Refusal.campaign_over
    return None


def _cascading(campaign: Campaign, event: Event) -> Refusal | None:
    if campaign.campaign_id in event.causes:
        return Refusal.cascade_cycle
    return Refusal.cascade_too_deep if event.depth > CASCADE_DEPTH_MAX else None


def _limited(deciding: Deciding, campaign: Campaign) -> Refusal | None:
    progress = deciding.member.progress.get(campaign.campaign_id)
    if progress is not None:
        if campaign.limit_per_member is not None and progress.completions >= campaign.limit_per_member:
            return Refusal.limit_per_member_reached
        limit = campaign.limit_per_period
        if limit is not None:
            key = period_key(deciding.now, limit.period, deciding.program.settings.time_zone)
            if progress.periods.get(key, 0) >= limit.count:
                return Refusal.limit_per_period_reached
        if campaign.cooldown_seconds is not None:
            ready_at = progress.last_at + timedelta(seconds=campaign.cooldown_seconds)
            if deciding.now < ready_at:
                return Refusal.cooldown_running
    if campaign.limit_overall is None:
        return None
    claim_id = effect_id_of(deciding.event.event_id, campaign.campaign_id, -1, 0)
    return deciding.claim(ClaimKind.cap, campaign.campaign_id, claim_id=claim_id, maximum=campaign.limit_overall)


def _complete(deciding: Deciding, campaign: Campaign) -> None:
    campaign_id = campaign.campaign_id
    before = deciding.member.progress.get(campaign_id)
    completions = 1 if before is None else before.completions + 1
    last_at = deciding.now if before is None else max(deciding.now, before.last_at)
    periods = {} if before is None else before.periods
    limit = campaign.limit_per_period
    if limit is not None:
        key = period_key(deciding.now, limit.period, deciding.program.settings.time_zone)
        counts = {**periods, key: periods.get(key, 0) + 1}
        periods = {kept: counts[kept] for kept in sorted(counts)[-PERIODS_KEPT:]}
    deciding.member.progress[campaign_id] = Progress(completions, last_at, periods)
    deciding.follow("campaign.completed", {"campaignId": campaign_id, "completions": completions}, campaign_id)
