"""Streaks: how many days (weeks, months) in a row a member has done something, by their own calendar.

    an action counts for its local day ── the threshold is reached ──► the day counts ──► streak.extended, milestones
    a day ends (and its grace) without counting ──► a freeze is used, or ──► streak.broken

A late action counts for the day that it belongs to, and mends the run. A day is what it is in the member's time zone.
For two days after a change of zone the calendar of the zone before may be used as well. The first day that counts then
links the two: what the new calendar is ahead by is not missed, and the old one is over. A zone is taken over at most once
a week, so nothing is gained by switching; until then, days end no earlier than in the zone that the profile names.
"""

from datetime import date, datetime
from itertools import islice
from typing import Any

from msgspec import structs

from plaudit.core.context import Context
from plaudit.core.decision import ConditionCheck, EffectTrace, Refusal, Trace
from plaudit.core.periods import days_after, first_day_of, first_instant, local_day, period_number
from plaudit.core.program import MechanicListener

from . import runs
from .compiled import Streak, streak_of
from .freezes import Rules, first_given, given_back, missed, protected_periods, received, with_given
from .milestones import pay_milestones, reach_milestones
from .refusals import StreakRefusal
from .state import StreakState, keep, streak_fields, streaks_of
from .zones import OLD_ZONE_GRACE, zoned, zones

SPANS_KEPT = 200
COUNTS_KEPT = 40


def meet(context: Context, listener: MechanicListener) -> Trace:
    """Let a streak meet the present event."""
    checks: list[ConditionCheck] = []
    streak: Streak = listener.target
    trigger = context.event.trigger if context.event.depth else None
    cause = listener.cause
    if not listener.condition.holds(context.scope, checks):
        return Trace(cause.logged, 0, listener.number, Refusal.condition_failed, checks, [], trigger)
    if (cause, 0) in context.matches.counted:
        return Trace(cause.logged, 0, listener.number, Refusal.event_counted, checks, [], trigger)
    context.matches.counted.add((cause, 0))
    refusal, shown, effects = check_in(context, streak)
    return Trace(cause.logged, 0, listener.number, refusal, checks, effects, trigger, shown)


def check_in(context: Context, streak: Streak) -> tuple[str | None, dict[str, Any], list[EffectTrace]]:
    """Count an event for the period that its time is in."""
    known = streaks_of(context.member).get(streak.streak_id)
    if known is not None and known.zone_since is None and not streak.grace:  # the calendar is plain: a quick look
        wanted = context.member.attributes.get("timezone") or context.program.settings.time_zone
        if wanted == known.zone and runs.counts(
            known.spans, period_number(local_day(context.now, known.zone), streak.cadence)
        ):
            return StreakRefusal.already_checked_in, streak_fields(known), []
    state = zoned(context, _state(context, streak))
    period = _period_for(context, streak, state)
    if runs.counts(state.spans, period):
        return StreakRefusal.already_checked_in, streak_fields(state), []
    if streak.threshold > 1 or state.counts:
        counts = {**state.counts, period: state.counts.get(period, 0) + 1}
        state = structs.replace(state, counts={count: counts[count] for count in sorted(counts)[-COUNTS_KEPT:]})
        if counts[period] < streak.threshold:
            _store(context, streak, state)
            return None, streak_fields(state) | {"counted": counts[period], "threshold": streak.threshold}, []
        del state.counts[period]
    before, spared = state, period in state.frozen
    if spared:  # it was not needed after all
        state = given_back(state, _rules(context, streak, state), period, context.now)
    state = _linked(
        structs.replace(state, spans=runs.add_period(state.spans, period)[-SPANS_KEPT:]), streak, context.now, period
    )
    late = spared or _is_late(context)
    state = _decided_anew(context, streak, before, state) if late else _with_lengths(context, streak, state)
    _store(context, streak, state)
    context.emit(
        "streak.extended", {"streakId": streak.streak_id, "length": state.current, "longest": state.longest},
        streak.cause,
    )  # fmt: skip
    effects = reach_milestones(context, streak, before if late else None, state)
    return None, streak_fields(streaks_of(context.member)[streak.streak_id]), effects


def miss_period(context: Context, streak: Streak, state: StreakState) -> None:
    """Handle a missed period: use a freeze, or break the streak."""
    measured = _with_lengths(context, streak, state)
    if measured.alive and _gap_missed_at(context, streak, state, context.now) == state.due_at:
        _store(context, streak, _decided_anew(context, streak, state, state))
        pay_milestones(context, streak, state)
        return
    if measured.alive:  # the streak has been changed meanwhile: a pause, a longer grace
        _store(context, streak, measured)
        return
    missing = runs.next_missing(state.spans, protected_periods(streak, state))
    if streak.freezes_automatic and state.freezes > 0:
        state = structs.replace(state, freezes=state.freezes - 1, frozen=(*state.frozen, missing)[-SPANS_KEPT:])
        _store(context, streak, _with_lengths(context, streak, state))
        context.emit("streak.frozen", {"streakId": streak.streak_id, "freezes": state.freezes}, streak.cause)
        return
    length = state.current
    state = structs.replace(state, current=0, alive=False, lapsed_at=context.now, due_at=None)
    _store(context, streak, state)
    context.emit("streak.broken", {"streakId": streak.streak_id, "length": length}, streak.cause)


def update_time_zone(context: Context) -> None:
    """Update the streaks' time zone after a change of the member's profile."""
    for streak_id, state in list(streaks_of(context.member).items()):
        streak = streak_of(context.program, streak_id)
        if streak is None:
            continue
        moved = zoned(context, state)
        if moved.alive:  # the day may have ended where the member is now
            moved = _measured_unless_missed(context, streak, moved)
        if moved != state:
            _store(context, streak, moved)


def grant_freezes(context: Context, streak: Streak, quantity: int) -> str | None:
    """Grant freezes up to the maximum. Refused ones are remembered: a late action may show that there was room."""
    before = _state(context, streak)
    if not streak.freezes_max:
        return StreakRefusal.freezes_at_maximum
    is_full = before.freezes >= streak.freezes_max
    state = with_given(before, _rules(context, streak, before), context.now, quantity)
    state = structs.replace(state, freezes=received(state.freezes, quantity, streak.freezes_max))
    if _is_late(context):
        state = _decided_anew(context, streak, before, state)
    _store(context, streak, state)
    if _is_late(context):
        pay_milestones(context, streak, before)
    return StreakRefusal.freezes_at_maximum if is_full else None


def use_freeze(context: Context, streak: Streak, day: date) -> str | None:
    """A freeze for a day to come, or for today, by the member's choice."""
    state = zoned(context, _state(context, streak))
    period = period_number(day, streak.cadence)
    if state.freezes == 0:
        return StreakRefusal.no_freeze_left
    if period < _period_for(context, streak, state) or period in state.frozen or runs.counts(state.spans, period):
        return StreakRefusal.day_not_freezable
    state = structs.replace(
        with_given(state, _rules(context, streak, state), context.now, -1),
        freezes=state.freezes - 1,
        frozen=(*state.frozen, period)[-SPANS_KEPT:],
        chosen=(*state.chosen, period)[-SPANS_KEPT:],
    )
    _store(context, streak, _with_lengths(context, streak, state))
    return None


def repair(context: Context, streak: Streak) -> str | None:
    """Undo the end of a streak: bridge the missed periods. The caller has charged the price."""
    state = _state(context, streak)
    missed = _missed(context, streak, state)
    if state.lapsed_at is None or not missed:
        return StreakRefusal.streak_not_broken
    if context.now >= days_after(state.lapsed_at, streak.repair_days, state.zone):
        return StreakRefusal.repair_too_late
    state = structs.replace(state, repaired=(*state.repaired, *missed)[-SPANS_KEPT:], lapsed_at=None)
    _store(context, streak, _with_lengths(context, streak, state))
    context.emit("streak.repaired", {"streakId": streak.streak_id}, streak.cause)
    return None


def _missed(context: Context, streak: Streak, state: StreakState) -> list[int]:
    """The periods that broke the latest run, or the one before it if another has begun since."""
    bridged = protected_periods(streak, state)
    if not state.spans:
        return []
    if not state.alive:
        return _not_bridged(bridged, state.spans[-1][1] + 1, _period_for(context, streak, state))
    start, _ = runs.last_run(state.spans, bridged)
    before = max((last for _, last in state.spans if last < start), default=None)
    return [] if before is None else _not_bridged(bridged, before + 1, start)


def _not_bridged(bridged: runs.Bridged, first: int, end: int) -> list[int]:
    """Return the last periods of a range that are not bridged; no more than can be kept as repaired."""
    found = (period for period in range(end - 1, first - 1, -1) if not runs.is_bridged(bridged, period, period))
    return list(islice(found, SPANS_KEPT))[::-1]


def add_absence(context: Context, streak: Streak, first: date, last: date) -> str | None:
    """A planned absence: its days are not missed. Only from today on."""
    state = zoned(context, _state(context, streak))
    if period_number(first, streak.cadence) < _period_for(context, streak, state):
        return StreakRefusal.absence_in_the_past
    absences = (*state.absences, (first.toordinal(), last.toordinal()))[-SPANS_KEPT:]
    _store(context, streak, _with_lengths(context, streak, structs.replace(state, absences=absences)))
    return None


def take_over(context: Context, streak: Streak, other: StreakState) -> None:
    """Add the periods of another member's streak: a period counts if it did for either. A run reaches a milestone once."""
    own = streaks_of(context.member).get(streak.streak_id, StreakState())
    zoned = own if own.zone else other
    counts = {
        period: own.counts.get(period, 0) + other.counts.get(period, 0) for period in {**own.counts, **other.counts}
    }
    enough = [(period, period) for period, count in counts.items() if count >= streak.threshold]
    spans = runs.joined((*own.spans, *other.spans, *enough))[-SPANS_KEPT:]
    frozen = sorted({*own.frozen, *other.frozen})
    needed = tuple(period for period in frozen if not runs.counts(spans, period))
    freezes = own.freezes + other.freezes + len(frozen) - len(needed)
    state = StreakState(
        spans=spans,
        counts={period: counts[period] for period in sorted(counts)[-COUNTS_KEPT:] if not runs.counts(spans, period)},
        current=max(own.current, other.current),
        longest=max(own.longest, other.longest),
        alive=own.alive or other.alive,
        freezes=min(freezes, max(streak.freezes_max, own.freezes, other.freezes)),
        frozen=needed[-SPANS_KEPT:],
        repaired=tuple(sorted({*own.repaired, *other.repaired}))[-SPANS_KEPT:],
        absences=tuple(sorted({*own.absences, *other.absences}))[-SPANS_KEPT:],
        awarded=tuple(sorted({*own.awarded, *other.awarded}))[-SPANS_KEPT:],
        zone=zoned.zone,
        previous_zone=zoned.previous_zone,
        zone_since=zoned.zone_since,
        chosen=tuple(period for period in needed if period in own.chosen or period in other.chosen)[-SPANS_KEPT:],
        lapsed_at=max(
            (streak_state.lapsed_at for streak_state in (own, other) if streak_state.lapsed_at is not None),
            default=None,
        ),
    )
    state = structs.replace(state, given=first_given(state.freezes, _present(context)))
    _store(context, streak, _measured_unless_missed(context, streak, state))
    pay_milestones(context, streak, None)


def _measured_unless_missed(context: Context, streak: Streak, state: StreakState) -> StreakState:
    """Return the state measured. If it was alive and has missed a period by now, a timer handles the miss."""
    measured = _with_lengths(context, streak, state)
    if measured.alive or not state.alive:
        return measured
    return structs.replace(measured, current=state.current, alive=True, lapsed_at=None, due_at=context.now)


def fresh(streak: Streak | None) -> StreakState:
    """Return a streak that nothing has counted for."""
    if streak is None:
        return StreakState()
    held = streak.freezes_at_start
    return StreakState(freezes=held, given=first_given(held, None) if streak.freezes_max else ())


def _state(context: Context, streak: Streak) -> StreakState:
    found = streaks_of(context.member).get(streak.streak_id)
    if found is None:
        return fresh(streak)
    if not found.given and (streak.freezes_max or found.freezes or found.frozen):  # nobody knows when they came
        return structs.replace(found, given=first_given(found.freezes, _present(context)))
    return found


def _present(context: Context) -> datetime:
    """The latest time that is known of the member: later than now, if what is being decided was reported late."""
    return max(context.now, context.member.latest_at or context.now)


def _is_late(context: Context) -> bool:
    return context.member.latest_at is not None and context.now < context.member.latest_at


def _rules(context: Context, streak: Streak, state: StreakState) -> Rules:
    present = _present(context)
    return Rules(streak, lambda period: _missed_at(context, streak, state, period, present))


def _missed_at(context: Context, streak: Streak, state: StreakState, period: int, present: datetime) -> datetime:
    """When a period that does not count is missed: at the end of its grace, in whichever zone it ends last."""
    following = first_day_of(period + 1, streak.cadence)
    return max(first_instant(following, zone) for zone in zones(context, state, present)) + streak.grace


def _decided_anew(context: Context, streak: Streak, before: StreakState, state: StreakState) -> StreakState:
    """The state with all that has been missed by the present decided again: see `freezes`."""
    found = missed(state, _rules(context, streak, state), _present(context))
    longest = state.longest
    if len(before.spans) < SPANS_KEPT and longest == runs.longest_run(before.spans, protected_periods(streak, before)):
        longest = 0  # it came of what is decided again
    for _ in range(len(found.frozen) - len(before.frozen)):
        told = {"streakId": streak.streak_id, "freezes": found.freezes}
        context.emit("streak.frozen", told, streak.cause)
    frozen = found.frozen[-SPANS_KEPT:]
    state = structs.replace(state, freezes=found.freezes, frozen=frozen, lapsed_at=found.lapsed_at, longest=longest)
    return _with_lengths(context, streak, state)


def _period_for(context: Context, streak: Streak, state: StreakState) -> int:
    """The period that an action now counts for: the earliest of the calendars' that does not count yet.

    Within the grace after a period's end, a period that is missing is made up for first.
    """
    instant = context.now
    if state.zone_since is None and not streak.grace:
        return period_number(local_day(instant, state.zone), streak.cadence)
    periods = sorted(
        {period_number(local_day(instant, zone), streak.cadence) for zone in zones(context, state, instant)}
    )
    if streak.grace and state.spans:
        before = period_number(local_day(instant - streak.grace, state.zone), streak.cadence)
        missing = runs.next_missing(state.spans, protected_periods(streak, _by_then(context, streak, state)))
        if before == missing < periods[0]:
            return before
    return next((period for period in periods if not runs.counts(state.spans, period)), periods[0])


def _by_then(context: Context, streak: Streak, state: StreakState) -> StreakState:
    """The state without the freezes that timers have used after now, which could not have been known."""
    if not _is_late(context):
        return state
    frozen = tuple(
        period
        for period in state.frozen
        if period in state.chosen or _missed_at(context, streak, state, period, context.now) <= context.now
    )
    return structs.replace(state, frozen=frozen)


def _linked(state: StreakState, streak: Streak, now: datetime, period: int) -> StreakState:
    """The state after a period has counted: if by the zone before, the present one's periods up to now are not missed."""
    if not state.previous_zone or state.zone_since is None or now >= state.zone_since + OLD_ZONE_GRACE:
        return state
    before, present = (
        period_number(local_day(now, zone), streak.cadence) for zone in (state.previous_zone, state.zone)
    )
    if before == present:
        return state
    ahead = tuple(range(period + 1, present + 1))
    return structs.replace(state, previous_zone="", repaired=(*state.repaired, *ahead)[-SPANS_KEPT:])


def _with_lengths(context: Context, streak: Streak, state: StreakState) -> StreakState:
    """The state with its lengths, whether it is alive, and when it lapses unless it is extended."""
    if not state.spans:
        return state
    bridged = protected_periods(streak, state)
    _, length = runs.last_run(state.spans, bridged)
    present = _present(context)
    due_at = _missed_at(context, streak, state, runs.next_missing(state.spans, bridged), present)
    longest = max(state.longest, runs.longest_run(state.spans, bridged))
    # What a late action adds to may have ended long ago all the same.
    alive = due_at > present
    if alive:
        gap_at = _gap_missed_at(context, streak, state, present)
        due_at = gap_at if gap_at is not None and gap_at > present else due_at
    return structs.replace(
        state,
        current=length if alive else 0,
        longest=longest,
        alive=alive,
        lapsed_at=state.lapsed_at if alive or state.lapsed_at is not None else due_at,
        due_at=due_at if alive else None,
    )


def _gap_missed_at(context: Context, streak: Streak, state: StreakState, present: datetime) -> datetime | None:
    """Return when the period before the last run is missed. That may be yet to come, within a grace or while travelling."""
    if len(state.spans) < 2 or (not streak.grace and state.zone_since is None):
        return None
    missing = runs.following(state.spans[-2][1], protected_periods(streak, state))
    return _missed_at(context, streak, state, missing, present) if missing < state.spans[-1][0] else None


def _store(context: Context, streak: Streak, state: StreakState) -> None:
    keep(context.member, streak.streak_id, state)
    context.scope.forget_names()
    context.changed_parts.update((f"streaks.{streak.streak_id}", "streaks"))
