"""The rules of segments. A member is in a dynamic segment if they meet all criteria of `include` and none of `exclude`.

    the member changes, or a day passes ──► re-evaluated ──► segment.entered, segment.left ──► campaigns ──► re-evaluated

Criteria read the profile, metrics, mechanics, badges, completed campaigns and other segments, or tallies of events by
local day: their count, the sum of a field, or the days since the last one. If a segment and a campaign trigger each
other, the cycle is cut after `SEGMENT_CHANGES_MAX` changes, and the trace says so.
"""

from datetime import date
from typing import Any

from msgspec import structs

from plaudit.core.context import Context
from plaudit.core.decision import ConditionCheck, Refusal, Trace
from plaudit.core.goals import SUM_DECIMALS, summed
from plaudit.core.metrics import SUM_MAX, to_number
from plaudit.core.periods import first_instant, local_day
from plaudit.core.profile_fields import MISSING

from .compiled import Criterion, EventTally, Segment
from .state import SegmentState, keep, state_in
from .triggers import ENTERED, LEFT

SEGMENT_CHANGES_MAX = 4  # how often a membership may change within one decision
ALL_TIME = 0


def count_event(context: Context, segment: Segment) -> Trace | None:
    """Count the event in a segment that counts its trigger. Return a trace if the amount is refused, else None."""
    trigger = context.event.trigger
    refusal: Refusal | None = None
    state = before = state_in(context.member, segment.segment_id)
    counted = set[str]()  # criteria that count the same events share one count
    for criterion in segment.criteria:
        tally = criterion.tally
        if tally is None or tally.trigger != trigger or criterion.key in counted:
            continue
        counted.add(criterion.key)
        if not tally.condition.holds(context.scope, []):
            continue
        amount = _amount(context, tally)
        if isinstance(amount, Refusal):
            refusal = amount if amount is Refusal.amount_out_of_range else refusal
        else:
            state = _counted(context, state, criterion.key, tally, amount)
    if state is not before:
        keep(context.member, segment.segment_id, state)
    context.changed_parts.add(segment.cause.text)
    return None if refusal is None else Trace(segment.cause.logged, 0, 0, refusal)


def reevaluate(context: Context, segment: Segment) -> None:
    """Evaluate a segment, and let the member enter or leave it."""
    state = state_in(context.member, segment.segment_id)
    refused = context.scope.refused
    member = is_member(context, segment, state)
    if context.scope.refused != refused:  # the evaluation failed, so the membership stays as it is
        data = {"problem": context.scope.budget.problem}
        context.trace.append(Trace(segment.cause.logged, 0, 0, Refusal.evaluation_failed, [], [], None, data))
        return
    due_at = _due_at(context, segment, state)
    if member == state.member:
        if due_at != state.due_at:
            keep(context.member, segment.segment_id, structs.replace(state, due_at=due_at))
        return
    flips = context.group_changes.get(segment.segment_id, 0) + 1
    context.group_changes[segment.segment_id] = flips
    if flips > SEGMENT_CHANGES_MAX:
        if flips == SEGMENT_CHANGES_MAX + 1:
            context.trace.append(Trace(segment.cause.logged, 0, 0, Refusal.cascade_cycle))
        return
    since = context.now if member else None
    keep(context.member, segment.segment_id, structs.replace(state, member=member, since=since, due_at=due_at))
    context.scope.forget_names()
    context.changed_parts.add("segments")
    checks: list[ConditionCheck] = []
    is_member(context, segment, state, checks)
    context.trace.append(Trace(segment.cause.logged, 0, 0, None, checks, [], None, {"member": member}))
    context.emit(ENTERED if member else LEFT, {"segmentId": segment.segment_id}, segment.cause)


def is_member(
    context: Context, segment: Segment, state: SegmentState, checks: list[ConditionCheck] | None = None
) -> bool:
    """Return whether the member belongs to a segment now. Append each criterion's result to `checks`, if passed."""
    if not segment.active:
        return False
    if state.manual is not None:
        return state.manual
    if segment.users is not None:
        return context.member.user_id in segment.users
    if checks is not None:
        checks += [_check(context, index, criterion, state) for index, criterion in enumerate(segment.criteria)]
    for criterion in segment.include:  # loops, because generators would cost as much as the criteria
        if not _holds(context, criterion, state):
            return False
    for criterion in segment.exclude:  # noqa: SIM110
        if _holds(context, criterion, state):
            return False
    return True


def set_membership(context: Context, segment: Segment, *, member: bool | None) -> None:
    """Set a membership by hand. If `member` is None, leave it to the criteria again."""
    state = state_in(context.member, segment.segment_id)
    keep(context.member, segment.segment_id, structs.replace(state, manual=member))
    reevaluate(context, segment)


def load_tallies(context: Context, segment: Segment, tallies: dict[str, dict[int, int]]) -> None:
    """Set the tallies that were counted from the log, for a new or changed segment."""
    state = state_in(context.member, segment.segment_id)
    keep(context.member, segment.segment_id, structs.replace(state, tallies=tallies))
    reevaluate(context, segment)


def take_over(context: Context, segment: Segment, other: SegmentState) -> None:
    """Add another member's tallies. If either membership was set by hand or by the list of users, it still applies."""
    state = state_in(context.member, segment.segment_id)
    tallies = dict(state.tallies)
    for criterion in segment.criteria:
        counts = other.tallies.get(criterion.key)
        if criterion.tally is None or not counts:
            continue
        own = state.tallies.get(criterion.key, {})
        if criterion.tally.type == "days_since":
            tallies[criterion.key] = {max([*own, *counts]): 1}
        else:
            tallies[criterion.key] = {
                day: _within_bounds(own.get(day, 0) + counts.get(day, 0)) for day in sorted({**own, **counts})
            }
    manual = other.manual if state.manual is None else state.manual
    if manual is None and segment.users is not None and other.member:
        manual = True
    keep(context.member, segment.segment_id, structs.replace(state, tallies=tallies, manual=manual))


def _holds(context: Context, criterion: Criterion, state: SegmentState) -> bool:
    if criterion.tally is None:
        return criterion.condition.holds(context.scope, [])
    value = tally_value(criterion.tally, state.tallies.get(criterion.key, {}), _today(context))
    return criterion.compare(MISSING if value is None else value)


def _check(context: Context, index: int, criterion: Criterion, state: SegmentState) -> ConditionCheck:
    """Return a criterion's result for the trace."""
    if criterion.tally is not None:
        value = tally_value(criterion.tally, state.tallies.get(criterion.key, {}), _today(context))
        return ConditionCheck(index, criterion.compare(MISSING if value is None else value), value)
    checks: list[ConditionCheck] = []
    is_met = criterion.condition.holds(context.scope, checks)
    return ConditionCheck(index, is_met, checks[0].actual if checks else None)


def tally_value(tally: EventTally, counts: dict[int, int], today: int) -> Any:
    """Return the value of a tally today: a number, or None for the days since an event that never happened."""
    if tally.type == "days_since":
        return None if not counts else today - max(counts)
    first = ALL_TIME if tally.days is None else today - tally.days + 1
    amount = sum([count for day, count in counts.items() if first <= day <= today])
    return to_number(amount, SUM_DECIMALS) if tally.type == "sum" else amount


def _amount(context: Context, tally: EventTally) -> int | Refusal:
    if tally.type != "sum":
        return 1
    assert tally.get is not None
    return summed(tally.get(context.scope))


def _today(context: Context) -> int:
    latest_at = context.member.latest_at
    if latest_at is None or latest_at <= context.now:
        return context.day.toordinal()
    return local_day(latest_at, context.program.settings.time_zone).toordinal()


def _counted(context: Context, state: SegmentState, key: str, tally: EventTally, amount: int) -> SegmentState:
    counts = add_to_tally(tally, state.tallies.get(key, {}), context.day.toordinal(), amount, _today(context))
    return structs.replace(state, tallies={**state.tallies, key: counts})


def add_to_tally(tally: EventTally, counts: dict[int, int], day: int, amount: int, today: int) -> dict[int, int]:
    """Return the counts with an amount added, reduced to those that still matter: a window, the last day, or one sum."""
    if tally.type == "days_since":
        return {max([day, *counts]): 1}
    if tally.days is None:
        return {ALL_TIME: _within_bounds(counts.get(ALL_TIME, 0) + amount)}
    added = {**counts, day: _within_bounds(counts.get(day, 0) + amount)}
    last_expired = today - tally.days
    return added if min(added) > last_expired else {day: added[day] for day in added if day > last_expired}


def _within_bounds(amount: int) -> int:
    return max(min(amount, SUM_MAX), -SUM_MAX)


def _due_at(context: Context, segment: Segment, state: SegmentState) -> Any:
    """Return the next midnight at which the passing of time alone can change the membership, or None."""
    today = _today(context)
    days: list[int] = []
    for criterion in segment.criteria:
        tally = criterion.tally
        if tally is None or not segment.active:
            continue
        counts = state.tallies.get(criterion.key, {})
        if tally.type == "days_since" and counts:
            last = max(counts)
            days += [last + bound for bound in criterion.bounds]
        elif tally.days is not None:
            days += [day + tally.days for day in counts]
    following = min([day for day in days if day > today], default=None)
    if following is None:
        return None
    return first_instant(date.fromordinal(following), context.program.settings.time_zone)
