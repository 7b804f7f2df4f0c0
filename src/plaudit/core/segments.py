"""Segments: who is in which group. A member is in when all criteria of `include` hold and none of `exclude`.

    the member changes, or a day passes ──► judged anew ──► segment.entered, segment.left ──► campaigns ──► judged anew

Criteria look at the profile, metrics, ladders, streaks, badges, campaigns done, other segments; or at events, tallied by
local day: how many, the sum of a field, the days since the last. A segment and a campaign that feed each other are cut
after a few turns, and the trace says so.
"""

from datetime import date
from typing import Any

from msgspec import structs

from .deciding import Deciding, Place
from .decision import Check, Considered, EffectTrace, Refusal
from .effect_settings import ChangeSegment
from .fields import MISSING
from .goals import SUM_DECIMALS, summed
from .member import SegmentState
from .metrics import SUM_MAX, shown
from .periods import first_instant, local_day
from .program import Criterion, Segment, Tally

FLIPS_MAX = 4  # how often a segment may be entered and left within one decision
ALL_TIME = 0
_TALLIED = ~1  # tells the counting of an event from the judging that follows


def tally(deciding: Deciding) -> None:
    """Let the segments that count events of this kind count the present one."""
    for segment in deciding.program.segments_by_trigger.get(deciding.event.trigger, ()):
        if deciding.broken and deciding.is_broken(_cause(segment), _TALLIED):
            continue
        try:
            refused = _tally(deciding, segment)
        except BaseException as problem:
            raise deciding.blamed(problem, _cause(segment), _TALLIED) from None
        if refused is not None:
            deciding.trace.append(refused)


def _tally(deciding: Deciding, segment: Segment) -> Considered | None:
    trigger = deciding.event.trigger
    refusal: Refusal | None = None
    state = before = deciding.member.segments.get(segment.segment_id, NOT_IN)
    counted = set[str]()  # criteria that look at the same count share it
    for criterion in (*segment.include, *segment.exclude):
        wanted = criterion.tally
        if wanted is None or wanted.trigger != trigger or criterion.key in counted:
            continue
        counted.add(criterion.key)
        if not wanted.condition.holds(deciding.scope, []):
            continue
        amount = _amount(deciding, wanted)
        if isinstance(amount, Refusal):
            refusal = amount if amount is Refusal.amount_out_of_range else refusal
        else:
            state = _counted(deciding, state, criterion.key, wanted, amount)
    if state is not before:
        deciding.member.segments[segment.segment_id] = state
    deciding.touched.add(f"segment.{segment.segment_id}")
    return None if refusal is None else Considered(_cause(segment), 0, 0, refusal)


def judge(deciding: Deciding) -> None:
    """Judge anew the segments that look at what has changed."""
    touched, deciding.touched = deciding.touched, set()
    by_part = deciding.program.segments_by_part
    concerned = {one.segment_id: one for part in touched for one in by_part.get(part, ())}
    for segment_id in sorted(concerned):
        segment = concerned[segment_id]
        if deciding.broken and deciding.is_broken(_cause(segment)):
            continue
        try:
            judge_one(deciding, segment)
        except BaseException as problem:
            raise deciding.blamed(problem, _cause(segment)) from None


def _cause(segment: Segment) -> str:
    """What stands for a segment where there is otherwise a campaign: in traces, and where something raises."""
    return f"segment.{segment.segment_id}"


def judge_one(deciding: Deciding, segment: Segment) -> None:
    """Judge one segment: the member may come or go."""
    state = deciding.member.segments.get(segment.segment_id, NOT_IN)
    refused = deciding.scope.refused
    member = is_in(deciding, segment, state)
    if deciding.scope.refused != refused:  # it was not looked at: whoever was in stays in
        told = {"problem": deciding.scope.budget.problem}
        deciding.trace.append(Considered(_cause(segment), 0, 0, Refusal.evaluation_failed, [], [], None, told))
        return
    due_at = _due_at(deciding, segment, state)
    if member == state.member:
        if due_at != state.due_at:
            deciding.member.segments[segment.segment_id] = structs.replace(state, due_at=due_at)
        return
    flips = deciding.flips.get(segment.segment_id, 0) + 1
    deciding.flips[segment.segment_id] = flips
    name = _cause(segment)
    if flips > FLIPS_MAX:
        if flips == FLIPS_MAX + 1:
            deciding.trace.append(Considered(name, 0, 0, Refusal.cascade_cycle))
        return
    since = deciding.now if member else None
    deciding.member.segments[segment.segment_id] = structs.replace(state, member=member, since=since, due_at=due_at)
    deciding.scope.forget_names()
    deciding.touched.add("segments")
    checks: list[Check] = []
    is_in(deciding, segment, state, checks)
    deciding.trace.append(Considered(name, 0, 0, None, checks, [], None, {"member": member}))
    deciding.follow("segment.entered" if member else "segment.left", {"segmentId": segment.segment_id}, name)


def is_in(deciding: Deciding, segment: Segment, state: SegmentState, checks: list[Check] | None = None) -> bool:
    """Whether the member belongs to a segment now. `checks` takes down each criterion, by its number."""
    if not segment.active:
        return False
    if state.manual is not None:
        return state.manual
    if segment.users is not None:
        return deciding.member.user_id in segment.users
    if checks is not None:
        checks += [
            _checked(deciding, number, one, state) for number, one in enumerate((*segment.include, *segment.exclude))
        ]
    for one in segment.include:  # loops: generators would cost as much as the criteria
        if not _holds(deciding, one, state):
            return False
    for one in segment.exclude:  # noqa: SIM110
        if _holds(deciding, one, state):
            return False
    return True


def change_segment(deciding: Deciding, place: Place, settings: ChangeSegment) -> EffectTrace:
    """The effects `add_to_segment` and `remove_from_segment`: by hand, whatever its criteria say."""
    segment = deciding.program.segments.get(settings.segment_id)
    if segment is None:
        return EffectTrace(place.index, Refusal.segment_missing, settings.segment_id)
    put_by_hand(deciding, segment, member=settings.member)
    return EffectTrace(place.index, None, {"segmentId": segment.segment_id, "member": settings.member})


def put_by_hand(deciding: Deciding, segment: Segment, *, member: bool | None) -> None:
    """Put a member in or out; None leaves it to the criteria again."""
    state = deciding.member.segments.get(segment.segment_id, NOT_IN)
    deciding.member.segments[segment.segment_id] = structs.replace(state, manual=member)
    judge_one(deciding, segment)


def take_tallies(deciding: Deciding, segment: Segment, tallies: dict[str, dict[int, int]]) -> None:
    """Take over what was counted from the log, for a segment that is new or has changed."""
    state = deciding.member.segments.get(segment.segment_id, NOT_IN)
    deciding.member.segments[segment.segment_id] = structs.replace(state, tallies=tallies)
    judge_one(deciding, segment)


def take_over(deciding: Deciding, segment: Segment, other: SegmentState) -> None:
    """Add what was counted of somebody else. Whoever was put in or out by hand, or listed, still is."""
    state = deciding.member.segments.get(segment.segment_id, NOT_IN)
    tallies = dict(state.tallies)
    for criterion in (*segment.include, *segment.exclude):
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
    deciding.member.segments[segment.segment_id] = structs.replace(state, tallies=tallies, manual=manual)


NOT_IN = SegmentState()


def _holds(deciding: Deciding, criterion: Criterion, state: SegmentState) -> bool:
    if criterion.tally is None:
        return criterion.condition.holds(deciding.scope, [])
    found = tallied(criterion.tally, state.tallies.get(criterion.key, {}), _today(deciding))
    return criterion.compare(MISSING if found is None else found)


def _checked(deciding: Deciding, number: int, criterion: Criterion, state: SegmentState) -> Check:
    """A criterion as the trace has it."""
    if criterion.tally is not None:
        found = tallied(criterion.tally, state.tallies.get(criterion.key, {}), _today(deciding))
        return Check(number, criterion.compare(MISSING if found is None else found), found)
    checks: list[Check] = []
    held = criterion.condition.holds(deciding.scope, checks)
    return Check(number, held, checks[0].actual if checks else None)


def tallied(wanted: Tally, counts: dict[int, int], today: int) -> Any:
    """What a tally comes to on a day: a number, or None where there has been nothing to tell the days since."""
    if wanted.type == "days_since":
        return None if not counts else today - max(counts)
    first = ALL_TIME if wanted.days is None else today - wanted.days + 1
    amount = sum([each for day, each in counts.items() if first <= day <= today])
    return shown(amount, SUM_DECIMALS) if wanted.type == "sum" else amount


def _amount(deciding: Deciding, wanted: Tally) -> int | Refusal:
    if wanted.type != "sum":
        return 1
    assert wanted.get is not None
    return summed(wanted.get(deciding.scope))


def _today(deciding: Deciding) -> int:
    present = deciding.member.present
    if present is None or present <= deciding.now:
        return deciding.day.toordinal()
    return local_day(present, deciding.program.settings.time_zone).toordinal()


def _counted(deciding: Deciding, state: SegmentState, key: str, wanted: Tally, amount: int) -> SegmentState:
    counts = kept_counts(wanted, state.tallies.get(key, {}), deciding.day.toordinal(), amount, _today(deciding))
    return structs.replace(state, tallies={**state.tallies, key: counts})


def kept_counts(wanted: Tally, counts: dict[int, int], day: int, amount: int, today: int) -> dict[int, int]:
    """The counts with one more, as far as they can still matter: a window's days, the last day, or one sum."""
    if wanted.type == "days_since":
        return {max([day, *counts]): 1}
    if wanted.days is None:
        return {ALL_TIME: _within_bounds(counts.get(ALL_TIME, 0) + amount)}
    more = {**counts, day: _within_bounds(counts.get(day, 0) + amount)}
    first = today - wanted.days
    return more if min(more) > first else {one: more[one] for one in more if one > first}


def _within_bounds(amount: int) -> int:
    return max(min(amount, SUM_MAX), -SUM_MAX)


def _due_at(deciding: Deciding, segment: Segment, state: SegmentState) -> Any:
    """The next midnight at which the passing of time alone could change the answer."""
    today = _today(deciding)
    days: list[int] = []
    for criterion in (*segment.include, *segment.exclude):
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
    return first_instant(date.fromordinal(following), deciding.program.settings.time_zone)
