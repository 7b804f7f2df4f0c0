"""Decide whether a campaign that listens to an event fires: window, conditions, cascades, groups, limits, effects.

A campaign without steps fires for each event. In a campaign with steps, the event counts towards a step's goal (see
`goals`). A step that reaches its goal runs its effects, and enough completed steps complete the campaign.
"""

from datetime import datetime
from typing import Any

from msgspec import structs

from . import sequences
from .cause import campaign_cause
from .context import Context, EffectPlace
from .decision import ClaimKind, ConditionCheck, EffectTrace, Refusal, Trace
from .event import Event
from .goals import Counted, amount_of, count_event
from .ids import effect_id_of
from .member import Progress, StepProgress
from .notifications import CAMPAIGN_COMPLETED, STEP_COMPLETED, notify
from .periods import period_key
from .program import CASCADE_DEPTH_MAX, Campaign, Effect, Listener, Texts
from .progress import occurrence_key
from .retry_at import RETRYABLE_REFUSALS, next_at

# Period counts kept for a member and campaign. For a late event of an older period, the count is 0.
LIMIT_PERIODS_KEPT = 32
STOPPED = "\n"  # prefix of the ids of stopped campaigns among exclusive groups, whose names have no line breaks

_NOTHING = Progress()
_NOT_STARTED = StepProgress()


def evaluate(context: Context, listener: Listener) -> Trace:
    """Evaluate a listener for the current event and run its effects, or refuse. Return the trace."""
    event, campaign = context.event, listener.campaign
    checks: list[ConditionCheck] = []
    if campaign.ungated and not event.depth:  # most campaigns and events: only the conditions can refuse
        if not listener.condition.holds(context.scope, checks):
            return Trace(campaign.cause.logged, listener.step, listener.number, Refusal.condition_failed, checks)
        refusal = None if listener.alone else _counted_before(context, listener)
    else:
        refusal = _first_refusal(context, listener, checks)
    effects: list[EffectTrace] = []
    view = None
    if refusal is None and campaign.steps:
        refusal, view, effects = _step(context, campaign, listener.step)
    elif refusal is None:
        effects = _apply(context, campaign, listener.step, listener.effects)
        _complete(context, campaign, context.member.progress.get(campaign.campaign_id, _NOTHING))
    if refusal is None:
        if campaign.exclusive_group is not None:
            context.matches.groups.add(campaign.exclusive_group)
        if not listener.alone:
            _count(context, listener, completes=view is not None and "completed" in view)
    elif refusal is Refusal.step_locked:
        context.matches.counted.add((campaign.campaign_id, listener.step))  # the step has stored the event, once
    elif refusal is Refusal.event_counted and campaign.steps and campaign.sequential:
        matches = context.matches
        counted_for = matches.closed.get(campaign.campaign_id, listener.step)
        if counted_for != listener.step and (campaign.campaign_id, listener.step) not in matches.counted:
            matches.counted.add((campaign.campaign_id, listener.step))
            _remember_for_step(context, campaign, counted_for, listener.step)
    elif refusal in RETRYABLE_REFUSALS:
        view = {"next_available_at": next_at(context, campaign, refusal)}
    trigger = event.trigger if event.depth else None
    return Trace(campaign.cause.logged, listener.step, listener.number, refusal, checks, effects, trigger, view)


def _count(context: Context, listener: Listener, *, completes: bool) -> None:
    """Record that the event has counted for a listener, so that the campaign's other listeners do not count it."""
    matches, campaign = context.matches, listener.campaign
    matches.counted.add((campaign.campaign_id, listener.step))
    if campaign.steps and (campaign.sequential or completes):
        matches.closed[campaign.campaign_id] = listener.step
    if listener.stops_processing:
        matches.groups.add(STOPPED + campaign.campaign_id)


def _remember_for_step(context: Context, campaign: Campaign, counted_for: int, number: int) -> None:
    """Remember an event that counted for an earlier step: a late event can replace it there, so this step counts it."""
    progress = context.member.progress.get(campaign.campaign_id, _NOTHING)
    before = progress.steps.get(number, _NOT_STARTED)
    is_over = before.done_at is not None and context.now >= before.done_at
    if not progress.steps or is_over or _done_count(progress) >= campaign.required:
        return
    counting = progress.steps.get(counted_for, _NOT_STARTED)
    if not (
        sequences.is_near(campaign.steps[counted_for].goal, counting) or sequences.remembers(counting, context.now)
    ):
        return
    amount, value = amount_of(campaign.steps[number].goal, context.scope)
    if not isinstance(amount, Refusal):
        most = max(sequences.REMEMBERED_MAX, len(before.early))
        after = sequences.with_remembered(before, (context.now, amount, value), most)
        _store_step(context, campaign, progress, number, after)


def _counted_before(context: Context, listener: Listener) -> Refusal | None:
    matches, campaign = context.matches, listener.campaign
    if (campaign.campaign_id, listener.step) in matches.counted or campaign.campaign_id in matches.closed:
        return Refusal.event_counted
    return None


def _first_refusal(context: Context, listener: Listener, checks: list[ConditionCheck]) -> Refusal | None:
    """Return the first reason, by precedence, why a campaign does not accept an event, or None."""
    event, campaign, groups = context.event, listener.campaign, context.matches.groups
    return (
        _outside_window(campaign, event)
        or (None if campaign.audience is None or context.is_for(campaign.audience) else Refusal.not_in_segment)
        or (None if listener.condition.holds(context.scope, checks) else Refusal.condition_failed)
        or _cascade_refusal(campaign, event)
        or (Refusal.exclusive_group_taken if campaign.exclusive_group in groups else None)
        or (Refusal.processing_stopped if STOPPED + campaign.campaign_id in groups else None)
        or _counted_before(context, listener)
        or _limit_refusal(context, campaign)
    )


def enrol_in_campaign(context: Context, campaign_id: str) -> None:
    """Enrol the member in a campaign that requires enrolment. Repeating it changes nothing."""
    before = context.member.progress.get(campaign_id, _NOTHING)
    if before.enrolled_at is None:
        context.member.progress[campaign_id] = structs.replace(before, enrolled_at=context.now)


def _apply(context: Context, campaign: Campaign, step: int, effects: tuple[Effect, ...]) -> list[EffectTrace]:
    return [
        context.carry_out(effect, EffectPlace(campaign.cause, step, index))
        if effect.audience is None or context.is_for(effect.audience)
        else EffectTrace(index, Refusal.not_in_segment)
        for index, effect in enumerate(effects)
    ]


def _outside_window(campaign: Campaign, event: Event) -> Refusal | None:
    if campaign.starts_at is not None and event.occurred_at < campaign.starts_at:
        return Refusal.campaign_not_started
    if campaign.ends_at is not None and event.occurred_at >= campaign.ends_at:
        return Refusal.campaign_ended
    if campaign.recurrence is not None and campaign.recurrence.occurrence_at(event.occurred_at) is None:
        return Refusal.campaign_between_occurrences
    return None


def _cascade_refusal(campaign: Campaign, event: Event) -> Refusal | None:
    if campaign.cause in event.causes:
        return Refusal.cascade_cycle
    return Refusal.cascade_too_deep if event.depth > CASCADE_DEPTH_MAX else None


def _limit_refusal(context: Context, campaign: Campaign) -> Refusal | None:
    progress = context.member.progress.get(campaign.campaign_id)
    if campaign.requires_enrolment:
        if progress is None or progress.enrolled_at is None:
            return Refusal.not_enrolled
        if context.now < progress.enrolled_at:
            return Refusal.event_before_enrolment
    if progress is not None:
        if campaign.limit_per_member is not None and progress.completions >= campaign.limit_per_member:
            return Refusal.limit_per_member_reached
        limit = campaign.limit_per_period
        if limit is not None:
            key = period_key(context.now, limit.period, context.program.settings.time_zone)
            if progress.periods.get(key, 0) >= limit.count:
                return Refusal.limit_per_period_reached
        if campaign.cooldown and progress.last_at is not None and context.now < progress.last_at + campaign.cooldown:
            return Refusal.cooldown_running
    return None if campaign.steps else claim_overall(context, campaign)


def claim_overall(context: Context, campaign: Campaign) -> Refusal | None:
    """Claim one of the completions allowed across all members. Return the refusal, or None."""
    if campaign.limit_overall is None:
        return None
    claim_id = effect_id_of(context.event.event_id, campaign.campaign_id, -1, 0)
    return context.claim(ClaimKind.cap, campaign.campaign_id, claim_id=claim_id, maximum=campaign.limit_overall)


def _step(
    context: Context, campaign: Campaign, number: int
) -> tuple[Refusal | None, dict[str, Any] | None, list[EffectTrace]]:
    """Count the event towards a step. Return the refusal, the progress for the trace, and the effects' traces."""
    progress = _in_occurrence(context, campaign)
    if progress is None:
        return Refusal.campaign_between_occurrences, None, []
    steps = progress.steps
    before = steps.get(number, _NOT_STARTED)
    step = campaign.steps[number]
    in_order = campaign.sequential and len(campaign.steps) > 1
    is_late = in_order and before.done_at is not None and context.now < before.done_at
    if (before.done_at is not None and not is_late) or _done_count(progress) >= campaign.required:
        return Refusal.step_already_completed, None, []
    amount, value = amount_of(step.goal, context.scope)
    if isinstance(amount, Refusal):
        return amount, None, []
    if not in_order:
        after = count_event(step.goal, before, amount, value, context.now, context.program.settings.time_zone)
        if isinstance(after, Refusal):
            return after, None, []
        return None, *_advance(context, campaign, progress, number, after)
    opened_at = _opened_at(progress, number)
    is_open = number == 0 or opened_at is not None
    if not is_open or (opened_at is not None and context.now < opened_at):
        # A late event can still open the step before the time of this event.
        most = max(sequences.REMEMBERED_MAX, len(before.early)) if is_open else sequences.EARLY_MAX
        after = sequences.with_remembered(before, (context.now, amount, value), most)
        _store_step(context, campaign, progress, number, after)
        return Refusal.step_locked, None, []
    return _in_order(context, campaign, progress, number, (context.now, amount, value), opened_at)


def _in_order(
    context: Context, campaign: Campaign, progress: Progress, number: int, counted: Counted, opened_at: datetime | None
) -> tuple[Refusal | None, dict[str, Any] | None, list[EffectTrace]]:
    """Count the event towards a step that is open, or that was completed only after the event happened."""
    goal, zone = campaign.steps[number].goal, context.program.settings.time_zone
    before = progress.steps.get(number, _NOT_STARTED)
    if before.done_at is not None:
        is_earlier = _complete_earlier(context, campaign, progress, number, counted, (opened_at, opened_at))
        view = {"current": before.value, "target": goal.target, "done": True}
        return (None, view, []) if is_earlier else (Refusal.step_already_completed, None, [])
    after: StepProgress | Refusal | None = None
    if before.last_at is not None and counted[0] < before.last_at:
        after = sequences.recount(goal, before, counted, (opened_at, opened_at), zone)
    if after is None:
        after = count_event(goal, before, counted[1], counted[2], counted[0], zone)
        if isinstance(after, Refusal):
            return after, None, []
        after = sequences.with_counted(goal, before, after, counted, opened_at)
    return None, *_advance(context, campaign, progress, number, after)


def _opened_at(progress: Progress, number: int) -> datetime | None:
    """Return when the previous step was completed; None for the first step, and for a step that is not open."""
    before = progress.steps.get(number - 1)
    return None if before is None else before.done_at


def _store_step(context: Context, campaign: Campaign, progress: Progress, number: int, after: StepProgress) -> Progress:
    progress = structs.replace(progress, steps={**progress.steps, number: after})
    context.member.progress[campaign.campaign_id] = progress
    return progress


def _advance(
    context: Context, campaign: Campaign, progress: Progress, number: int, after: StepProgress
) -> tuple[dict[str, Any], list[EffectTrace]]:
    """Store a step's progress; if the goal is reached, complete the step. Return the progress and traces to show."""
    step = campaign.steps[number]
    is_done = after.done_at is not None
    if is_done:
        after = sequences.as_completed(after)
    progress = _store_step(context, campaign, progress, number, after)
    view: dict[str, Any] = {"current": after.value, "target": step.goal.target, "done": is_done}
    if not is_done:
        return view, []
    completes_campaign, opened_at = _done_count(progress) >= campaign.required, after.done_at or context.now
    effects = _apply(context, campaign, number, step.effects)
    if step.notification is not None:
        _notify(context, campaign, step.notification, STEP_COMPLETED, number)
    data = {"campaignId": campaign.campaign_id, "step": number, "name": step.name}
    context.emit("step.completed", data, campaign.cause)
    if completes_campaign:
        completed = _complete_steps(context, campaign)
        if isinstance(completed, Refusal):
            return {**view, "completion": completed.value}, effects
        effects += [structs.replace(trace, index=len(step.effects) + trace.index) for trace in completed]
        view["completed"] = True
    elif campaign.sequential:
        _open_step(context, campaign, number + 1, opened_at)
    return view, effects


def _complete_earlier(
    context: Context, campaign: Campaign, progress: Progress, number: int, counted: Counted | None,
    opened: tuple[datetime | None, datetime | None],
) -> bool:  # fmt: skip
    """Recount a completed step, which a late event may complete earlier. Return False if the recount is not stored."""
    goal, zone, step = campaign.steps[number].goal, context.program.settings.time_zone, progress.steps[number]
    after = sequences.recount(goal, step, counted, opened, zone)
    if after is None or after.done_at is None or step.done_at is None or after.done_at > step.done_at:
        return False
    _store_step(context, campaign, progress, number, sequences.as_completed(after))
    if after.done_at < step.done_at:
        _open_step(context, campaign, number + 1, after.done_at, step.done_at)
    return True


def _open_step(
    context: Context, campaign: Campaign, number: int, opened_at: datetime, was_opened_at: datetime | None = None
) -> None:
    """Open a step: count the remembered events that happened after its opening but were reported before."""
    progress = context.member.progress[campaign.campaign_id]
    waiting = progress.steps.get(number, _NOT_STARTED)
    if not waiting.early or number >= len(campaign.steps):
        return
    if waiting.done_at is not None:
        _complete_earlier(context, campaign, progress, number, None, (opened_at, was_opened_at))
        return
    goal, zone = campaign.steps[number].goal, context.program.settings.time_zone
    after = sequences.recount(goal, waiting, None, (opened_at, was_opened_at), zone)
    if after is None or after.last_at is None:
        return
    view, effects = _advance(context, campaign, progress, number, after)
    context.trace.append(Trace(campaign.cause.logged, number, 0, None, [], effects, None, view))


def _complete_steps(context: Context, campaign: Campaign) -> list[EffectTrace] | Refusal:
    """Complete a campaign with enough completed steps, unless its overall limit is reached."""
    refusal = claim_overall(context, campaign)
    if refusal is not None:
        return refusal
    completed = _apply(context, campaign, len(campaign.steps), campaign.effects)
    progress = context.member.progress[campaign.campaign_id]  # the effects may have changed it
    steps = (
        {}
        if campaign.repeatable
        else {number: sequences.without_memory(step) for number, step in progress.steps.items()}
    )
    _complete(context, campaign, structs.replace(progress, steps=steps))
    return completed


def take_over(context: Context, campaign_id: str, campaign: Campaign | None, other: Progress) -> None:
    """Add another member's progress and keep the further progress of each step. This can complete the campaign."""
    own = context.member.progress.get(campaign_id, _NOTHING)
    occurrence = max(own.occurrence, other.occurrence)
    candidates = [progress.steps for progress in (own, other) if progress.occurrence == occurrence]
    steps: dict[int, StepProgress] = {}
    for number, step in ((number, step) for candidate in candidates for number, step in candidate.items()):
        steps[number] = sequences.further(steps.get(number, _NOT_STARTED), step)
    periods = {name: own.periods.get(name, 0) + other.periods.get(name, 0) for name in {**own.periods, **other.periods}}
    context.member.progress[campaign_id] = progress = Progress(
        own.completions + other.completions,
        max((progress.last_at for progress in (own, other) if progress.last_at is not None), default=None),
        {period: periods[period] for period in sorted(periods)[-LIMIT_PERIODS_KEPT:]},
        steps,
        occurrence,
        min((progress.enrolled_at for progress in (own, other) if progress.enrolled_at is not None), default=None),
    )
    if campaign is None or not campaign.steps or _done_count(progress) < campaign.required:
        return
    was_completed = any(
        sum(step.done_at is not None for step in candidate.values()) >= campaign.required for candidate in candidates
    )
    if was_completed or _outside_window(campaign, context.event) or _limit_refusal(context, campaign):
        return
    completed = _complete_steps(context, campaign)
    last, effects, view = len(campaign.steps) - 1, list[EffectTrace](), dict[str, Any]()
    if isinstance(completed, Refusal):
        view["completion"] = completed.value
    else:
        effects = [structs.replace(trace, index=len(campaign.steps[last].effects) + trace.index) for trace in completed]
        view["completed"] = True
    context.trace.append(Trace(campaign_cause(campaign_id).logged, last, 0, None, [], effects, None, view))


def _done_count(progress: Progress) -> int:
    return sum([step.done_at is not None for step in progress.steps.values()])


def _in_occurrence(context: Context, campaign: Campaign) -> Progress | None:
    """Return the progress in the event's occurrence, or None if the member has progress in a later one."""
    progress = context.member.progress.get(campaign.campaign_id, _NOTHING)
    if campaign.recurrence is None:
        return progress
    starts_at = campaign.recurrence.occurrence_at(context.now)
    key = occurrence_key(starts_at)
    if key < progress.occurrence:
        return None
    return progress if key == progress.occurrence else structs.replace(progress, steps={}, occurrence=key)


def _complete(context: Context, campaign: Campaign, before: Progress) -> None:
    campaign_id = campaign.campaign_id
    last_at = context.now if before.last_at is None else max(context.now, before.last_at)
    periods = before.periods
    limit = campaign.limit_per_period
    if limit is not None:
        key = period_key(context.now, limit.period, context.program.settings.time_zone)
        counts = {**periods, key: periods.get(key, 0) + 1}
        periods = {period: counts[period] for period in sorted(counts)[-LIMIT_PERIODS_KEPT:]}
    completions = before.completions + 1
    context.member.progress[campaign_id] = Progress(
        completions, last_at, periods, before.steps, before.occurrence, before.enrolled_at
    )
    if campaign.notification is not None:
        _notify(context, campaign, campaign.notification, CAMPAIGN_COMPLETED, None)
    context.changed_parts.add(f"campaigns.{campaign_id}")
    if context.has_listeners("campaign.completed"):
        context.emit("campaign.completed", {"campaignId": campaign_id, "completions": completions}, campaign.cause)


def _notify(context: Context, campaign: Campaign, texts: Texts | str, kind: str, step: int | None) -> None:
    number = -2 if step is None else step  # used by no effect, nor by the claim of an overall limit (-1)
    notification_id = context.effect_id(EffectPlace(campaign.cause, number, -1))
    notify(context, notification_id, texts, campaign.cause, kind, step)
