"""Goals of steps: a count of events, the sum of a field, or its distinct values; perhaps within a window.

    rolling   what counted within the last so many seconds, whenever they end
    calendar  what counted in one local day, week, month …; each begins with nothing

Sums are kept in millionths: no floats. A late event counts in the window of its own time, as far as that is still
looked at: an earlier calendar window than the present one is over.
"""

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from .decision import Refusal
from .fields import MISSING, Getter, Scope
from .member import StepProgress
from .metrics import round_half_up
from .periods import Period, period_key

SUM_DECIMALS = 6
# What a rolling window remembers at most; beyond it the oldest count no more.
TIMES_MAX = 1_000
SEEN_TEXT_MAX = 200


class Goal(Struct, frozen=True, kw_only=True):
    """When a step is done. `target` is in millionths for a sum. `get` finds the field of a sum or of distinct values."""

    type: str
    target: int
    get: Getter | None = None
    rolling: timedelta | None = None
    calendar: Period | None = None


ONCE = Goal(type="count", target=1)


def counted(goal: Goal, before: StepProgress, scope: Scope, now: datetime, time_zone: str) -> StepProgress | Refusal:
    """The progress after one more event that meets the step's conditions, or why it does not count."""
    amount, value = _amount(goal, scope)
    if amount is None:
        return Refusal.goal_field_missing
    if goal.calendar is not None:
        key = period_key(now, goal.calendar, time_zone)
        if key < before.window:
            return Refusal.goal_window_over
        if key > before.window:
            before = StepProgress(window=key)
    if goal.rolling is not None:
        return _rolling(goal, goal.rolling, before, now, amount, value)
    if goal.type == "distinct":
        if value in before.seen:
            return Refusal.goal_value_seen
        return StepProgress(before.value + 1, before.window, (*before.seen, value))
    return StepProgress(before.value + amount, before.window)


def reached_at(goal: Goal, progress: StepProgress) -> bool:
    """Whether the target is reached."""
    return progress.value >= goal.target


def _amount(goal: Goal, scope: Scope) -> tuple[int | None, Any]:
    if goal.type == "count":
        return 1, None
    assert goal.get is not None
    found = goal.get(scope)
    if found is MISSING or found is None:
        return None, None
    if goal.type == "distinct":
        return 1, str(found)[:SEEN_TEXT_MAX]
    return round_half_up(found, SUM_DECIMALS), None


def _rolling(
    goal: Goal, length: timedelta, before: StepProgress, now: datetime, amount: int, value: Any
) -> StepProgress | Refusal:
    """What counted within a window that ends with any of the times; the best of them is the progress."""
    items = [(at, each, before.seen[i] if before.seen else None) for i, (at, each) in enumerate(before.times)]
    items = sorted([*items, (now, amount, value)], key=lambda item: item[0])[-TIMES_MAX:]
    latest = items[-1][0]
    items = [item for item in items if item[0] > latest - length]
    if (now, amount, value) not in items:
        return Refusal.goal_window_over
    distinct = goal.type == "distinct"
    reached = len({item[2] for item in items}) if distinct else sum(item[1] for item in items)
    seen = tuple(item[2] for item in items) if distinct else ()
    return StepProgress(reached, "", seen, tuple((item[0], item[1]) for item in items))
