"""Goals of steps: a count of events, the sum of a field, or the number of its distinct values; optionally in a window.

    rolling   the events of any period of this length
    calendar  the events of one local day, week, month …; each starts from 0

Sums are integers in millionths, never floats. A late event counts in each window that it belongs to, including past
ones, as far back as the progress remembers.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, structs

from .decision import Refusal
from .fields import MISSING, Getter, Scope
from .member import StepProgress
from .metrics import SUM_MAX, is_number, to_scaled
from .periods import Period, period_key

SUM_DECIMALS = 6
WINDOW_EVENTS_MAX = 1_000  # events that a rolling window remembers; older ones no longer count
OLDER_MAX = 50  # … of these, events before the window that ends with the latest
WINDOWS_MAX = 5  # past calendar windows that are remembered
SEEN_TEXT_MAX = 200


class Goal(Struct, frozen=True, kw_only=True):
    """A step's goal. The `target` of a sum is in millionths. `get` reads the field of a sum or of distinct values."""

    type: str
    target: int
    get: Getter | None = None
    rolling: timedelta | None = None
    calendar: Period | None = None


ONCE = Goal(type="count", target=1)


def count_event(
    goal: Goal, before: StepProgress, amount: int, value: Any, now: datetime, time_zone: str
) -> StepProgress | Refusal:
    """Return the progress after one more event that meets the step's conditions, or the refusal.

    `amount` and `value` are from `amount_of`. The progress has `done_at` if the event reaches the target.
    """
    if goal.rolling is not None:
        return _rolling(goal, goal.rolling, before, now, amount, value)
    if goal.calendar is not None:
        key = period_key(now, goal.calendar, time_zone)
        if key != before.window:
            return _in_another_window(goal, before, key, amount, value, now)
    return _one_more(goal, before, amount, value, now)


def _one_more(goal: Goal, before: StepProgress, amount: int, value: Any, now: datetime) -> StepProgress | Refusal:
    """Return the progress in one window, or without windows."""
    seen = before.seen
    if goal.type == "distinct":
        if value in seen:
            return Refusal.goal_value_already_counted
        seen = (*seen, value)
    reached = before.value + amount
    if abs(reached) > SUM_MAX:
        return Refusal.amount_out_of_range
    last_at = now if before.last_at is None or now > before.last_at else before.last_at
    done_at = last_at if reached >= goal.target else None
    return StepProgress(reached, before.window, seen, (), done_at, last_at, before.early, before.windows)


def _in_another_window(
    goal: Goal, before: StepProgress, key: str, amount: int, value: Any, now: datetime
) -> StepProgress | Refusal:
    """Return the progress after an event of another calendar window: a new one, or a past one."""
    windows = {window.window: window for window in before.windows}
    if key > before.window:
        if before.window:
            windows[before.window] = StepProgress(before.value, before.window, before.seen, last_at=before.last_at)
        past = tuple(windows[name] for name in sorted(windows)[-WINDOWS_MAX:])
        return _one_more(goal, StepProgress(window=key, early=before.early, windows=past), amount, value, now)
    if key not in windows and len(windows) == WINDOWS_MAX and key < min(windows):
        return Refusal.goal_window_closed
    after = _one_more(goal, windows.get(key, StepProgress(window=key)), amount, value, now)
    if isinstance(after, Refusal):
        return after
    windows[key] = structs.replace(after, done_at=None)
    past = tuple(windows[name] for name in sorted(windows)[-WINDOWS_MAX:])
    return structs.replace(before, done_at=after.done_at, windows=past)


def standing_at(goal: Goal, progress: StepProgress, now: datetime, time_zone: str) -> StepProgress:
    """Return a step's progress at `now`, without events that have left its window. A completed step does not change."""
    if progress.done_at is not None:
        return progress
    if goal.calendar is not None and progress.window < period_key(now, goal.calendar, time_zone):
        return structs.replace(progress, value=0, seen=())
    if goal.rolling is None or not progress.times or progress.times[0][0] > now - goal.rolling:
        return progress
    indexes = [index for index, (at, _) in enumerate(progress.times) if at > now - goal.rolling]
    seen = tuple(progress.seen[index] for index in indexes) if progress.seen else ()
    times = tuple(progress.times[index] for index in indexes)
    value = len(set(seen)) if goal.type == "distinct" else sum(amount for _, amount in times)
    return structs.replace(progress, value=value, seen=seen, times=times)


def summed(value: Any) -> int | Refusal:
    """Return a number in millionths, or the refusal if it cannot be summed."""
    amount = to_scaled(value, SUM_DECIMALS)
    if amount is not None and abs(amount) <= SUM_MAX:
        return amount
    return Refusal.amount_out_of_range if is_number(value) else Refusal.goal_field_missing


def amount_of(goal: Goal, scope: Scope) -> tuple[int | Refusal, Any]:
    """Return the amount (or the refusal) that an event counts for a goal, and the value for a distinct goal."""
    if goal.type == "count":
        return 1, None
    assert goal.get is not None
    value = goal.get(scope)
    if value is MISSING or value is None:
        return Refusal.goal_field_missing, None
    if goal.type == "distinct":
        return 1, str(value)[:SEEN_TEXT_MAX]
    return summed(value), None


Counted = tuple[datetime, int, Any]  # an event's time, the amount that it counts, and the value for a distinct goal


def _rolling(
    goal: Goal, length: timedelta, before: StepProgress, now: datetime, amount: int, value: Any
) -> StepProgress | Refusal:
    """Return the progress of the window that ends with the latest event. A late event can complete an earlier window."""
    items = [(at, number, before.seen[i] if before.seen else None) for i, (at, number) in enumerate(before.times)]
    items = sorted([*items, (now, amount, value)], key=time_of)
    latest = items[-1][0]
    older = sum(1 for item in items if item[0] <= latest - length)
    items = items[max(older - OLDER_MAX, len(items) - WINDOW_EVENTS_MAX, 0) :]
    if now < items[0][0]:
        return Refusal.goal_window_closed
    result = _latest_and_completed(goal, length, items, now)
    if isinstance(result, Refusal):
        return result
    reached, done_at = result
    distinct = goal.type == "distinct"
    seen = tuple(item[2] for item in items) if distinct else ()
    times = tuple((item[0], item[1]) for item in items)
    return StepProgress(reached, "", seen, times, done_at, latest, before.early)


def _latest_and_completed(
    goal: Goal, length: timedelta, items: Sequence[Counted], event_at: datetime
) -> tuple[int, datetime | None] | Refusal:
    """Return the value of the latest window, and when a window with an item of `event_at` first reached the target."""
    distinct = goal.type == "distinct"
    values: Counter[Any] = Counter()
    total = first = 0
    done_at: datetime | None = None
    for at, amount, value in items:
        total += amount
        values[value] += 1
        while items[first][0] <= at - length:
            total -= items[first][1]
            values[items[first][2]] -= 1
            if not values[items[first][2]]:
                del values[items[first][2]]
            first += 1
        reached = len(values) if distinct else total
        if at < event_at or at - length >= event_at:
            continue
        if abs(reached) > SUM_MAX:
            return Refusal.amount_out_of_range
        if reached >= goal.target and done_at is None:
            done_at = at
    return len(values) if distinct else total, done_at


def time_of(item: Counted) -> datetime:
    """Return the time of a counted event, as a sort key."""
    return item[0]
