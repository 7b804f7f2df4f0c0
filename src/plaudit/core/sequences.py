"""Steps of a sequential campaign: recount them when a late event changes when a step was completed.

    a late event of a completed step ──► completed earlier ──► the next step opened earlier ──► …

For this, a step remembers events in `StepProgress.early`: those before it was open, the latest that counted, and those
that counted for an earlier step, because a late event can replace them there. To save space, a step with a high target
remembers its first few counted events, then none until it is half done.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import structs

from .decision import Refusal
from .goals import Counted, Goal, count_event, time_of
from .member import StepProgress

EARLY_MAX = 50  # the latest events that a step remembers from before it was open
REMEMBERED_MAX = 5  # … and the latest that it remembers from after


def with_remembered(step: StepProgress, counted: Counted, most: int) -> StepProgress:
    """Return a step that remembers one more event, in chronological order; at most the latest `most`."""
    early = step.early
    if early and counted[0] < early[-1][0]:
        return structs.replace(step, early=tuple(sorted((*early, counted), key=time_of)[-most:]))
    return structs.replace(step, early=(*early, counted)[-most:])


def is_near(goal: Goal, step: StepProgress) -> bool:
    """Return whether a step is so near its goal that a late event can change when it is completed."""
    if step.done_at is not None or not _is_plain(goal):
        return True
    return 2 * step.value >= goal.target or (goal.type == "count" and goal.target <= REMEMBERED_MAX)


def remembers(step: StepProgress, at: datetime) -> bool:
    """Return whether a step remembers an event of an instant, which a late event can free for the next step."""
    return any(time_of(counted) == at for counted in step.early)


def with_counted(
    goal: Goal, before: StepProgress, after: StepProgress, counted: Counted, opened_at: datetime | None
) -> StepProgress:
    """Return a step that has just counted an event. It remembers the event if it has few, or is near its goal.

    It keeps the events from before `opened_at`: they count if a late event opens the step earlier.
    """
    if is_near(goal, after) or (len(before.early) < REMEMBERED_MAX and (before.early or not before.value)):
        return with_remembered(after, counted, REMEMBERED_MAX)
    if not after.early:
        return after
    early = () if opened_at is None else [item for item in after.early if item[0] <= opened_at]
    return structs.replace(after, early=tuple(early[-REMEMBERED_MAX:]))


def as_completed(step: StepProgress) -> StepProgress:
    """Return a completed step, without what only an open step needs. It keeps its remembered events for a recount."""
    return StepProgress(step.value, step.window, done_at=step.done_at, early=step.early)


def without_memory(step: StepProgress) -> StepProgress:
    """Return a step without its remembered events, for a completed campaign, whose steps no longer change."""
    return structs.replace(step, early=()) if step.early else step


def _is_plain(goal: Goal) -> bool:
    return goal.type != "distinct" and goal.rolling is None and goal.calendar is None


def recount(
    goal: Goal,
    step: StepProgress,
    counted: Counted | None,
    opened: tuple[datetime | None, datetime | None],
    time_zone: str,
) -> StepProgress | None:
    """Return a step counted from its remembered events and one more, or None if it has forgotten too many.

    `opened` is when the step opened, as known now and as known before. A count or a sum without a window starts from the
    amount of the events that it has forgotten, because these are older than all remembered ones.
    """
    opened_at, was_opened_at = opened
    is_started = step.value != 0 or step.done_at is not None
    base = StepProgress()
    if is_started and _is_plain(goal):
        known = [amount for at, amount, _ in _after(was_opened_at, step.early) if not _is_after(at, step.done_at)]
        base = StepProgress(step.value - sum(known))
        if base.value >= goal.target:
            return None  # counted by an earlier version, which remembered no events
    elif (
        is_started and len(step.early) >= REMEMBERED_MAX and (was_opened_at is None or step.early[0][0] > was_opened_at)
    ):
        return None  # it may have forgotten events that counted after it opened
    early = step.early if counted is None else tuple(sorted((*step.early, counted), key=time_of))
    after = base
    for at, amount, value in _after(opened_at, early):
        advanced = count_event(goal, after, amount, value, at, time_zone)
        if not isinstance(advanced, Refusal):
            after = advanced
            if after.done_at is not None:
                break
    if step.done_at is None and after.done_at is None and after.value < step.value:
        return None
    return structs.replace(after, early=early[-REMEMBERED_MAX:])


def further(step_progress: StepProgress, other: StepProgress) -> StepProgress:
    """Return the further progress; for a step that neither member has started, the remembered events of both."""
    best = max(step_progress, other, key=lambda step: (step.done_at is not None, step.window, step.value))
    if best.done_at is not None or best.value or not (step_progress.early and other.early):
        return best
    early = sorted((*step_progress.early, *other.early), key=time_of)[-EARLY_MAX:]
    return structs.replace(best, early=tuple(early))


def _after(opened_at: datetime | None, early: Iterable[Counted]) -> Iterable[Counted]:
    return early if opened_at is None else [counted for counted in early if counted[0] > opened_at]


def _is_after(at: datetime, done_at: datetime | None) -> bool:
    return done_at is not None and at > done_at
