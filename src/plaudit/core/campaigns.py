"""Whether a campaign that listens to an event fires: window, conditions, cascades, groups, limits; then its effects.

A campaign without steps fires each time. One with steps counts towards the goal of the step that was met; a step that
reaches it brings its effects, and enough steps done complete the campaign (`goals` says how it is counted).
"""

from datetime import datetime
from typing import Any

from msgspec import structs

from .deciding import Deciding, Place
from .decision import Check, ClaimKind, Considered, EffectTrace, Refusal
from .event import Event
from .goals import counted, reached_at
from .ids import effect_id_of
from .member import Progress, StepProgress
from .next_at import ENDS_BY_ITSELF, next_at
from .notifications import CAMPAIGN_COMPLETED, STEP_COMPLETED, tell
from .periods import period_key
from .program import CASCADE_DEPTH_MAX, Campaign, Effect, Listener, Texts

# Period counts kept for a member and campaign: a late event older than these periods finds a count of none.
PERIODS_KEPT = 32
STOPPED = "\n"  # before a campaign's id: no group is named so

_NOTHING = Progress()
_NOT_BEGUN = StepProgress()


def consider(deciding: Deciding, listener: Listener, groups_taken: set[str]) -> Considered:
    """Let a listener meet the present event: its effects happen, or the refusal says why not.

    `groups_taken` holds the exclusive groups that already have their winner for this event, and the campaigns that
    one of their rules has stopped.
    """
    event = deciding.event
    campaign = listener.campaign
    checks: list[Check] = []
    if campaign.unbounded and not event.depth:  # most campaigns, most events: only the conditions are to be met
        if not listener.condition.holds(deciding.scope, checks):
            return Considered(campaign.campaign_id, listener.step, listener.number, Refusal.condition_failed, checks)
        refusal = None
    else:
        refusal = _refused(deciding, listener, checks, groups_taken)
    effects: list[EffectTrace] = []
    shown = None
    if refusal is None and campaign.steps:
        refusal, shown, effects = _step(deciding, campaign, listener.step)
    elif refusal is None:
        effects = _apply(deciding, campaign, listener.step, listener.effects)
        _complete(deciding, campaign, deciding.member.progress.get(campaign.campaign_id, _NOTHING))
    if refusal is None and campaign.exclusive_group is not None:
        groups_taken.add(campaign.exclusive_group)
    if refusal is None and listener.stops:
        groups_taken.add(STOPPED + campaign.campaign_id)
    if refusal is not None and refusal in ENDS_BY_ITSELF:
        shown = {"next_available_at": next_at(deciding, campaign, refusal)}
    trigger = event.trigger if event.depth else None
    return Considered(campaign.campaign_id, listener.step, listener.number, refusal, checks, effects, trigger, shown)


def _refused(deciding: Deciding, listener: Listener, checks: list[Check], groups_taken: set[str]) -> Refusal | None:
    """Why a campaign does not meet an event, in the order of precedence."""
    event = deciding.event
    campaign = listener.campaign
    return (
        _outside_window(campaign, event)
        or (None if campaign.audience is None or deciding.is_for(campaign.audience) else Refusal.not_in_segment)
        or (None if listener.condition.holds(deciding.scope, checks) else Refusal.condition_failed)
        or _cascading(campaign, event)
        or (Refusal.exclusive_group_taken if campaign.exclusive_group in groups_taken else None)
        or (Refusal.processing_stopped if STOPPED + campaign.campaign_id in groups_taken else None)
        or _limited(deciding, campaign)
    )


def join(deciding: Deciding, campaign_id: str) -> None:
    """Let the member join a campaign that asks to be joined. Once is enough."""
    before = deciding.member.progress.get(campaign_id, _NOTHING)
    if before.enrolled_at is None:
        deciding.member.progress[campaign_id] = structs.replace(before, enrolled_at=deciding.now)


def _apply(deciding: Deciding, campaign: Campaign, step: int, effects: tuple[Effect, ...]) -> list[EffectTrace]:
    return [
        effect.apply(deciding, Place(campaign.campaign_id, step, index), effect.settings)
        if effect.audience is None or deciding.is_for(effect.audience)
        else EffectTrace(index, Refusal.not_in_segment)
        for index, effect in enumerate(effects)
    ]


def _outside_window(campaign: Campaign, event: Event) -> Refusal | None:
    if campaign.starts_at is not None and event.occurred_at < campaign.starts_at:
        return Refusal.campaign_not_open_yet
    if campaign.ends_at is not None and event.occurred_at >= campaign.ends_at:
        return Refusal.campaign_over
    if campaign.recurrence is not None and campaign.recurrence.occurrence_at(event.occurred_at) is None:
        return Refusal.campaign_between_occurrences
    return None


def _cascading(campaign: Campaign, event: Event) -> Refusal | None:
    if campaign.campaign_id in event.causes:
        return Refusal.cascade_cycle
    return Refusal.cascade_too_deep if event.depth > CASCADE_DEPTH_MAX else None


def _limited(deciding: Deciding, campaign: Campaign) -> Refusal | None:
    progress = deciding.member.progress.get(campaign.campaign_id)
    if campaign.by_enrolment:
        if progress is None or progress.enrolled_at is None:
            return Refusal.not_enrolled
        if deciding.now < progress.enrolled_at:
            return Refusal.event_before_enrolment
    if progress is not None:
        if campaign.limit_per_member is not None and progress.completions >= campaign.limit_per_member:
            return Refusal.limit_per_member_reached
        limit = campaign.limit_per_period
        if limit is not None:
            key = period_key(deciding.now, limit.period, deciding.program.settings.time_zone)
            if progress.periods.get(key, 0) >= limit.count:
                return Refusal.limit_per_period_reached
        if campaign.cooldown and progress.last_at is not None and deciding.now < progress.last_at + campaign.cooldown:
            return Refusal.cooldown_running
    return None if campaign.steps else _claim_overall(deciding, campaign)


def _claim_overall(deciding: Deciding, campaign: Campaign) -> Refusal | None:
    if campaign.limit_overall is None:
        return None
    claim_id = effect_id_of(deciding.event.event_id, campaign.campaign_id, -1, 0)
    return deciding.claim(ClaimKind.cap, campaign.campaign_id, claim_id=claim_id, maximum=campaign.limit_overall)


def _step(
    deciding: Deciding, campaign: Campaign, number: int
) -> tuple[Refusal | None, dict[str, Any] | None, list[EffectTrace]]:
    """Count the event towards a step. Answers why not, the step's progress to show, and what its effects came to."""
    progress = _in_occurrence(deciding, campaign)
    if progress is None:
        return Refusal.campaign_between_occurrences, None, []
    steps = progress.steps
    before = steps.get(number, _NOT_BEGUN)
    step = campaign.steps[number]
    if before.done_at is not None or _done_count(progress) >= campaign.required:
        return Refusal.step_done, None, []
    earlier = range(number) if campaign.sequential else ()
    if earlier and any(one not in steps or steps[one].done_at is None for one in earlier):
        return Refusal.step_not_open_yet, None, []
    zone = deciding.program.settings.time_zone
    after = counted(step.goal, before, deciding.scope, deciding.now, zone)
    if isinstance(after, Refusal):
        return after, None, []
    done = reached_at(step.goal, after)
    if done:
        # Done, it needs to remember no more of what led there.
        after = StepProgress(after.value, after.window, done_at=deciding.now)
    progress = structs.replace(progress, steps={**steps, number: after})
    deciding.member.progress[campaign.campaign_id] = progress
    shown = {"current": after.value, "target": step.goal.target, "done": done}
    if not done:
        return None, shown, []
    effects = _apply(deciding, campaign, number, step.effects)
    if step.notification is not None:
        _tell(deciding, campaign, step.notification, STEP_COMPLETED, number)
    told = {"campaignId": campaign.campaign_id, "step": number, "name": step.name}
    deciding.follow("step.completed", told, campaign.campaign_id)
    if _done_count(progress) >= campaign.required:
        refusal = _claim_overall(deciding, campaign)
        if refusal is not None:
            return None, {**shown, "completion": refusal.value}, effects
        at = len(campaign.steps)
        completed = _apply(deciding, campaign, at, campaign.effects)
        effects += [EffectTrace(len(step.effects) + one.index, one.refusal, one.outcome) for one in completed]
        progress = structs.replace(progress, steps={}) if campaign.repeatable else progress
        _complete(deciding, campaign, progress)
        shown["completed"] = True
    return None, shown, effects


def _done_count(progress: Progress) -> int:
    return sum([one.done_at is not None for one in progress.steps.values()])


def _in_occurrence(deciding: Deciding, campaign: Campaign) -> Progress | None:
    """The progress that the event belongs to: each occurrence has its own. None when that occurrence is over."""
    progress = deciding.member.progress.get(campaign.campaign_id, _NOTHING)
    if campaign.recurrence is None:
        return progress
    starts_at = campaign.recurrence.occurrence_at(deciding.now)
    key = _occurrence_key(starts_at)
    if key < progress.occurrence:
        return None
    return progress if key == progress.occurrence else structs.replace(progress, steps={}, occurrence=key)


def _occurrence_key(starts_at: datetime | None) -> str:
    return "" if starts_at is None else starts_at.strftime("%Y-%m-%dT%H:%MZ")


def _complete(deciding: Deciding, campaign: Campaign, before: Progress) -> None:
    campaign_id = campaign.campaign_id
    last_at = deciding.now if before.last_at is None else max(deciding.now, before.last_at)
    periods = before.periods
    limit = campaign.limit_per_period
    if limit is not None:
        key = period_key(deciding.now, limit.period, deciding.program.settings.time_zone)
        counts = {**periods, key: periods.get(key, 0) + 1}
        periods = {kept: counts[kept] for kept in sorted(counts)[-PERIODS_KEPT:]}
    completions = before.completions + 1
    deciding.member.progress[campaign_id] = Progress(
        completions, last_at, periods, before.steps, before.occurrence, before.enrolled_at
    )
    if campaign.notification is not None:
        _tell(deciding, campaign, campaign.notification, CAMPAIGN_COMPLETED, None)
    deciding.touched.add(f"campaigns.{campaign_id}")
    if deciding.is_heard("campaign.completed"):
        deciding.follow("campaign.completed", {"campaignId": campaign_id, "completions": completions}, campaign_id)


def _tell(deciding: Deciding, campaign: Campaign, texts: Texts | str, kind: str, step: int | None) -> None:
    number = -2 if step is None else step  # no effect stands there, nor does the claim of a limit overall
    notification_id = deciding.effect_id(Place(campaign.campaign_id, number, -1))
    tell(deciding, notification_id, texts, campaign.campaign_id, kind, step)
