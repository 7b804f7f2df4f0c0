"""Segments: who is in which group. A member is in when all criteria of `include` hold and none of `exclude`.

    the member changes, or a day passes ──► re-evaluated ──► segment.entered, segment.left ──► campaigns ──► re-evaluated

Criteria look at the profile, metrics, mechanics, badges, campaigns done, other segments; or at events, tallied by
local day: how many, the sum of a field, the days since the last. A segment and a campaign that feed each other are cut
after a few turns, and the trace says so.
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

SEGMENT_CHANGES_MAX = 4  # how often a segment may be entered and left within one decision
ALL_TIME = 0


def count_event(context: Context, segment: Segment) -> Trace | None:
    """Let a segment that counts events of this kind count the present one. Return a refusal to be traced, if any."""
    trigger = context.event.trigger
    refusal: Refusal | None = None
    state = before = state_in(context.member, segment.segment_id)
    counted = set[str]()  # criteria that look at the same count share it
    for criterion in segment.criteria:
        wanted = criterion.tally
        if wanted is None or wanted.trigger != trigger or criterion.key in counted:
            continue
        counted.add(criterion.key)
        if not wanted.condition.holds(context.scope, []):
            continue
        amount = _amount(context, wanted)
        if isinstance(amount, Refusal):
            refusal = amount if amount is Refusal.amount_out_of_range else refusal
        else:
            state = _counted(context, state, criterion.key, wanted, amount)
    if state is not before:
        keep(context.member, segment.segment_id, state)
    context.changed_parts.add(segment.cause.text)
    return None if refusal is None else Trace(segment.cause.logged, 0, 0, refusal)


def reevaluate(context: Context, segment: Segment) -> None:
    """Re-evaluate a segment: the member may enter or leave it."""
    state = state_in(context.member, segment.segment_id)
    refused = context.scope.refused
    member = is_member(context, segment, state)
    if context.scope.refused != refused:  # it was not evaluated: a member who was in stays in
        told = {"problem": context.scope.budget.problem}
        context.trace.append(Trace(segment.cause.logged, 0, 0, Refusal.evaluation_failed, [], [], None, told))
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
    """Whether the member belongs to a segment now. `checks` takes down each criterion, by its number."""
    if not segment.active:
        return False
    if state.manual is not None:
        return state.manual
    if segment.users is not None:
        return context.member.user_id in segment.users
    if checks is not None:
        checks += [_checked(context, number, criterion, state) for number, criterion in enumerate(segment.criteria)]
    for criterion in segment.include:  # loops: generators would cost as much as the criteria
        if not _holds(context, criterion, state):
            return False
    for criterion in segment.exclude:  # noqa: SIM110
        if _holds(context, criterion, state):
            return False
    return True


def set_membership(context: Context, segment: Segment, *, member: bool | None) -> None:
    """Put a member in or out; None leaves it to the criteria again."""
    state = state_in(context.member, segment.segment_id)
    keep(context.member, segment.segment_id, structs.replace(state, manual=member))
    reevaluate(context, segment)


def load_tallies(context: Context, segment: Segment, tallies: dict[str, dict[int, int]]) -> None:
    """Take over what was counted from the log, for a segment that is new or has changed."""
    state = state_in(context.member, segment.segment_id)
    keep(context.member, segment.segment_id, structs.replace(state, tallies=tallies))
    reevaluate(context, segment)


def take_over(context: Context, segment: Segment, other: SegmentState) -> None:
    """Add another member's tallies. If either was set by hand or listed, that still applies."""
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
    found = tally_value(criterion.tally, state.tallies.get(criterion.key, {}), _today(context))
    return criterion.compare(MISSING if found is None else found)


def _checked(context: Context, number: int, criterion: Criterion, state: SegmentState) -> ConditionCheck:
    """A criterion as the trace has it."""
    if criterion.tally is not None:
        found = tally_value(criterion.tally, state.tallies.get(criterion.key, {}), _today(context))
        return ConditionCheck(number, criterion.compare(MISSING if found is None else found), found)
    checks: list[ConditionCheck] = []
    held = criterion.condition.holds(context.scope, checks)
    return ConditionCheck(number, held, checks[0].actual if checks else None)


def tally_value(wanted: EventTally, counts: dict[int, int], today: int) -> Any:
    """What a tally comes to on a day: a number, or None where there has been nothing to tell the days since."""
    if wanted.type == "days_since":
        return None if not counts else today - max(counts)
    first = ALL_TIME if wanted.days is None else today - wanted.days + 1
    amount = sum([count for day, count in counts.items() if first <= day <= today])
    return to_number(amount, SUM_DECIMALS) if wanted.type == "sum" else amount


def _amount(context: Context, wanted: EventTally) -> int | Refusal:
    if wanted.type != "sum":
        return 1
    assert wanted.get is not None
    return summed(wanted.get(context.scope))


def _today(context: Context) -> int:
    present = context.member.latest_at
    if present is None or present <= context.now:
        return context.day.toordinal()
    return local_day(present, context.program.settings.time_zone).toordinal()


def _counted(context: Context, state: SegmentState, key: str, wanted: EventTally, amount: int) -> SegmentState:
    counts = add_to_tally(wanted, state.tallies.get(key, {}), context.day.toordinal(), amount, _today(context))
    return structs.replace(state, tallies={**state.tallies, key: counts})


def add_to_tally(wanted: EventTally, counts: dict[int, int], day: int, amount: int, today: int) -> dict[int, int]:
    """The counts with one more, as far as they can still matter: a window's days, the last day, or one sum."""
    if wanted.type == "days_since":
        return {max([day, *counts]): 1}
    if wanted.days is None:
        return {ALL_TIME: _within_bounds(counts.get(ALL_TIME, 0) + amount)}
    more = {**counts, day: _within_bounds(counts.get(day, 0) + amount)}
    first = today - wanted.days
    return more if min(more) > first else {number: more[number] for number in more if number > first}


def _within_bounds(amount: int) -> int:
    return max(min(amount, SUM_MAX), -SUM_MAX)


def _due_at(context: Context, segment: Segment, state: SegmentState) -> Any:
    """Return the next midnight at which time alone could change the result."""
    today = _today(context)
    days: list[int] = []
    for criterion in segment.criteria:
        wanted = criterion.tally
        if wanted is None or not segment.active:
            continue
        counts = state.tallies.get(criterion.key, {})
        if wanted.type == "days_since" and counts:
            last = max(counts)
            days += [last + bound for bound in criterion.bounds]
        elif wanted.days is not None:
            days += [day + wanted.days for day in counts]
    following = min([day for day in days if day > today], default=None)
    if following is None:
        return None
    return first_instant(date.fromordinal(following), context.program.settings.time_zone)
