"""Steps that follow each other, counted anew when something late changes when one of them was done.

    a late event of a step that is done ──► done earlier ──► the step after it was open earlier ──► …

A step remembers events that came before it was open, the latest that counted, and those that counted for a step before
it, because they no longer do once another takes their place. On a long way it remembers nothing until it is half done.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import structs

from .decision import Refusal
from .goals import Counted, Goal, count_event, time_of
from .member import StepProgress

EARLY_MAX = 50  # events that a step remembers from before it was open; of more the latest
HEARD_MAX = 5  # … and since


def with_heard(step: StepProgress, heard: Counted, most: int) -> StepProgress:
    """Return a step that remembers one more event, in the order of time; of more than `most` the latest."""
    early = step.early
    if early and heard[0] < early[-1][0]:
        return structs.replace(step, early=tuple(sorted((*early, heard), key=time_of)[-most:]))
    return structs.replace(step, early=(*early, heard)[-most:])


def is_near(goal: Goal, step: StepProgress) -> bool:
    """Return whether an event can affect when a step is completed; otherwise it need not be remembered."""
    if step.done_at is not None or not _is_plain(goal):
        return True
    return 2 * step.value >= goal.target or (goal.type == "count" and goal.target <= HEARD_MAX)


def remembers(step: StepProgress, at: datetime) -> bool:
    """Return whether a step remembers an event of that instant: a late event may free it for the next step."""
    return any(time_of(heard) == at for heard in step.early)


def with_counted(
    goal: Goal, before: StepProgress, after: StepProgress, heard: Counted, opened_at: datetime | None
) -> StepProgress:
    """Return a step that has just counted an event, and remembers it as long as there are few, or it is nearly done.

    What came before it was open counts as soon as it turns out to have been open earlier.
    """
    if is_near(goal, after) or (len(before.early) < HEARD_MAX and (before.early or not before.value)):
        return with_heard(after, heard, HEARD_MAX)
    if not after.early:
        return after
    early = () if opened_at is None else [item for item in after.early if item[0] <= opened_at]
    return structs.replace(after, early=tuple(early[-HEARD_MAX:]))


def as_done(step: StepProgress) -> StepProgress:
    """Return a step that is done: of what led there it remembers only what may make it so earlier."""
    return StepProgress(step.value, step.window, done_at=step.done_at, early=step.early)


def at_rest(step: StepProgress) -> StepProgress:
    """Return a step of a campaign that is completed, which nothing changes any more."""
    return structs.replace(step, early=()) if step.early else step


def _is_plain(goal: Goal) -> bool:
    return goal.type != "distinct" and goal.rolling is None and goal.calendar is None


def counted_anew(
    goal: Goal,
    step: StepProgress,
    heard: Counted | None,
    opened: tuple[datetime | None, datetime | None],
    time_zone: str,
) -> StepProgress | None:
    """Return a step counted from what it remembers, with one more event; None if it has forgotten too much.

    `opened` is when the step was open, as it is known now and as it was known before. What a count or a sum without a
    window has forgotten came before all that it remembers.
    """
    opened_at, was_opened_at = opened
    begun = step.value != 0 or step.done_at is not None
    base = StepProgress()
    if begun and _is_plain(goal):
        known = [amount for at, amount, _ in _since(was_opened_at, step.early) if not _is_after(at, step.done_at)]
        base = StepProgress(step.value - sum(known))
        if base.value >= goal.target:
            return None  # it has been counted by an earlier version, which remembered nothing
    elif begun and len(step.early) >= HEARD_MAX and (was_opened_at is None or step.early[0][0] > was_opened_at):
        return None  # of what has counted since it was open, some may be forgotten
    early = step.early if heard is None else tuple(sorted((*step.early, heard), key=time_of))
    after = base
    for at, amount, value in _since(opened_at, early):
        more = count_event(goal, after, amount, value, at, time_zone)
        if not isinstance(more, Refusal):
            after = more
            if after.done_at is not None:
                break
    if step.done_at is None and after.done_at is None and after.value < step.value:
        return None
    return structs.replace(after, early=early[-HEARD_MAX:])


def further(step_progress: StepProgress, other: StepProgress) -> StepProgress:
    """Return the progress that is further; of a step that neither has begun, what came early for both."""
    best = max(step_progress, other, key=lambda step: (step.done_at is not None, step.window, step.value))
    if best.done_at is not None or best.value or not (step_progress.early and other.early):
        return best
    early = sorted((*step_progress.early, *other.early), key=time_of)[-EARLY_MAX:]
    return structs.replace(best, early=tuple(early))


def _since(opened_at: datetime | None, early: Iterable[Counted]) -> Iterable[Counted]:
    return early if opened_at is None else [heard for heard in early if heard[0] > opened_at]


def _is_after(at: datetime, done_at: datetime | None) -> bool:
    return done_at is not None and at > done_at
