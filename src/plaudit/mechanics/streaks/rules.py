"""The rules of streaks: how many days (or weeks, or months) in a row a member is active, in their own time zone.

    an action counts for its local day ── the threshold is reached ──► the day counts ──► streak.extended, milestones
    a day (and its grace) ends without counting ──► a freeze is used, or ──► streak.broken

A late action counts for its own day and can restore a run. After a change of time zone, either calendar counts for two
days. The first day that counts by the old calendar links the two: the days by which the new calendar is ahead are not
missed, and the old calendar ends. The zone can change at most once in seven days, so switching gains nothing. Until a
new zone applies, days end no earlier than in the profile's zone.
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
from .freezes import Rules, first_given, missed, protected_periods, received, returned, with_given
from .milestones import pay_milestones, reach_milestones
from .refusals import StreakRefusal
from .state import StreakState, keep, streak_fields, streaks_of
from .zones import OLD_ZONE_GRACE, zoned, zones

SPANS_KEPT = 200
COUNTS_KEPT = 40


def meet(context: Context, listener: MechanicListener) -> Trace:
    """Apply the event to a streak that listens to it."""
    checks: list[ConditionCheck] = []
    streak: Streak = listener.target
    trigger = context.event.trigger if context.event.depth else None
    cause = listener.cause
    if not listener.condition.holds(context.scope, checks):
        return Trace(cause.logged, 0, listener.number, Refusal.condition_failed, checks, [], trigger)
    if (cause, 0) in context.matches.counted:
        return Trace(cause.logged, 0, listener.number, Refusal.event_counted, checks, [], trigger)
    context.matches.counted.add((cause, 0))
    refusal, fields, effects = check_in(context, streak)
    return Trace(cause.logged, 0, listener.number, refusal, checks, effects, trigger, fields)


def check_in(context: Context, streak: Streak) -> tuple[str | None, dict[str, Any], list[EffectTrace]]:
    """Count the event for its period. Return the refusal, the streak's fields for the trace, and the effects' traces."""
    stored = streaks_of(context.member).get(streak.streak_id)
    if stored is not None and stored.zone_since is None and not streak.grace:  # the fast path: only one calendar
        profile_zone = context.member.attributes.get("timezone") or context.program.settings.time_zone
        if profile_zone == stored.zone and runs.counts(
            stored.spans, period_number(local_day(context.now, stored.zone), streak.cadence)
        ):
            return StreakRefusal.already_checked_in, streak_fields(stored), []
    state = zoned(context, _state(context, streak))
    period = _period_for(context, streak, state)
    if runs.counts(state.spans, period):
        return StreakRefusal.already_checked_in, streak_fields(state), []
    if streak.threshold > 1 or state.counts:
        counts = {**state.counts, period: state.counts.get(period, 0) + 1}
        state = structs.replace(state, counts={key: counts[key] for key in sorted(counts)[-COUNTS_KEPT:]})
        if counts[period] < streak.threshold:
            _store(context, streak, state)
            return None, streak_fields(state) | {"counted": counts[period], "threshold": streak.threshold}, []
        del state.counts[period]
    before, was_frozen = state, period in state.frozen
    if was_frozen:  # the freeze was not needed after all
        state = returned(state, _rules(context, streak, state), period, context.now)
    state = _linked(
        structs.replace(state, spans=runs.add_period(state.spans, period)[-SPANS_KEPT:]), streak, context.now, period
    )
    late = was_frozen or _is_late(context)
    state = _decided_again(context, streak, before, state) if late else _with_lengths(context, streak, state)
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
        _store(context, streak, _decided_again(context, streak, state, state))
        pay_milestones(context, streak, state)
        return
    if measured.alive:  # the document was changed in the meantime: it has a new pause, or a longer grace
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
        updated = zoned(context, state)
        if updated.alive:  # in the new time zone, the day may already have ended
            updated = _measured_unless_missed(context, streak, updated)
        if updated != state:
            _store(context, streak, updated)


def grant_freezes(context: Context, streak: Streak, quantity: int) -> str | None:
    """Grant freezes up to the maximum. Record even refused ones: a late action may show that there was room for them."""
    before = _state(context, streak)
    if not streak.freezes_max:
        return StreakRefusal.freezes_at_maximum
    is_full = before.freezes >= streak.freezes_max
    state = with_given(before, _rules(context, streak, before), context.now, quantity)
    state = structs.replace(state, freezes=received(state.freezes, quantity, streak.freezes_max))
    if _is_late(context):
        state = _decided_again(context, streak, before, state)
    _store(context, streak, state)
    if _is_late(context):
        pay_milestones(context, streak, before)
    return StreakRefusal.freezes_at_maximum if is_full else None


def use_freeze(context: Context, streak: Streak, day: date) -> str | None:
    """Use a freeze for a day that the member chooses: today, or a day in the future."""
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
    """Repair a broken streak by bridging the missed periods. The caller charges the price."""
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
    """Return the missed periods that broke the latest run, or the run before it if a new one has started."""
    bridged = protected_periods(streak, state)
    if not state.spans:
        return []
    if not state.alive:
        return _not_bridged(bridged, state.spans[-1][1] + 1, _period_for(context, streak, state))
    start, _ = runs.last_run(state.spans, bridged)
    before = max((last for _, last in state.spans if last < start), default=None)
    return [] if before is None else _not_bridged(bridged, before + 1, start)


def _not_bridged(bridged: runs.Bridged, first: int, end: int) -> list[int]:
    """Return the last periods of a range that are not bridged: at most as many as a state stores as repaired."""
    periods = (period for period in range(end - 1, first - 1, -1) if not runs.is_bridged(bridged, period, period))
    return list(islice(periods, SPANS_KEPT))[::-1]


def add_absence(context: Context, streak: Streak, first: date, last: date) -> str | None:
    """Add a planned absence, during which no period is missed. It must not begin in the past."""
    state = zoned(context, _state(context, streak))
    if period_number(first, streak.cadence) < _period_for(context, streak, state):
        return StreakRefusal.absence_in_the_past
    absences = (*state.absences, (first.toordinal(), last.toordinal()))[-SPANS_KEPT:]
    _store(context, streak, _with_lengths(context, streak, structs.replace(state, absences=absences)))
    return None


def take_over(context: Context, streak: Streak, other: StreakState) -> None:
    """Add another member's state: a period counts if it counts in either. Each run still reaches a milestone only once."""
    own = streaks_of(context.member).get(streak.streak_id, StreakState())
    with_zone = own if own.zone else other
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
        zone=with_zone.zone,
        previous_zone=with_zone.previous_zone,
        zone_since=with_zone.zone_since,
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
    """Return the state with its lengths. If it has missed a period by now, make it due, so that a timer handles the miss."""
    measured = _with_lengths(context, streak, state)
    if measured.alive or not state.alive:
        return measured
    return structs.replace(measured, current=state.current, alive=True, lapsed_at=None, due_at=context.now)


def fresh(streak: Streak | None) -> StreakState:
    """Return the state of a streak that has not started."""
    if streak is None:
        return StreakState()
    freezes = streak.freezes_at_start
    return StreakState(freezes=freezes, given=first_given(freezes, None) if streak.freezes_max else ())


def _state(context: Context, streak: Streak) -> StreakState:
    state = streaks_of(context.member).get(streak.streak_id)
    if state is None:
        return fresh(streak)
    if not state.given and (streak.freezes_max or state.freezes or state.frozen):  # when they were given is unknown
        return structs.replace(state, given=first_given(state.freezes, _present(context)))
    return state


def _present(context: Context) -> datetime:
    """Return the time of the member's latest event, which is after `now` if the current event is late."""
    return max(context.now, context.member.latest_at or context.now)


def _is_late(context: Context) -> bool:
    return context.member.latest_at is not None and context.now < context.member.latest_at


def _rules(context: Context, streak: Streak, state: StreakState) -> Rules:
    present = _present(context)
    return Rules(streak, lambda period: _missed_at(context, streak, state, period, present))


def _missed_at(context: Context, streak: Streak, state: StreakState, period: int, present: datetime) -> datetime:
    """Return when a period is missed unless it counts: at the end of its grace, in the zone where it ends last."""
    following = first_day_of(period + 1, streak.cadence)
    return max(first_instant(following, zone) for zone in zones(context, state, present)) + streak.grace


def _decided_again(context: Context, streak: Streak, before: StreakState, state: StreakState) -> StreakState:
    """Return the state after deciding all missed periods again (see `freezes`); `before` is the state without the change."""
    result = missed(state, _rules(context, streak, state), _present(context))
    longest = state.longest
    if len(before.spans) < SPANS_KEPT and longest == runs.longest_run(before.spans, protected_periods(streak, before)):
        longest = 0  # the state has all its runs, so `_with_lengths` can work it out again
    for _ in range(len(result.frozen) - len(before.frozen)):
        data = {"streakId": streak.streak_id, "freezes": result.freezes}
        context.emit("streak.frozen", data, streak.cause)
    frozen = result.frozen[-SPANS_KEPT:]
    state = structs.replace(state, freezes=result.freezes, frozen=frozen, lapsed_at=result.lapsed_at, longest=longest)
    return _with_lengths(context, streak, state)


def _period_for(context: Context, streak: Streak, state: StreakState) -> int:
    """Return the period that an action counts for: by the calendars in use, the earliest that does not count yet.

    During the grace after a period, an action makes up for that period first if it was missed.
    """
    instant = context.now
    if state.zone_since is None and not streak.grace:
        return period_number(local_day(instant, state.zone), streak.cadence)
    periods = sorted(
        {period_number(local_day(instant, zone), streak.cadence) for zone in zones(context, state, instant)}
    )
    if streak.grace and state.spans:
        before = period_number(local_day(instant - streak.grace, state.zone), streak.cadence)
        missing = runs.next_missing(state.spans, protected_periods(streak, _as_of_now(context, streak, state)))
        if before == missing < periods[0]:
            return before
    return next((period for period in periods if not runs.counts(state.spans, period)), periods[0])


def _as_of_now(context: Context, streak: Streak, state: StreakState) -> StreakState:
    """Return the state without the freezes that timers used after the event, if the event is late."""
    if not _is_late(context):
        return state
    frozen = tuple(
        period
        for period in state.frozen
        if period in state.chosen or _missed_at(context, streak, state, period, context.now) <= context.now
    )
    return structs.replace(state, frozen=frozen)


def _linked(state: StreakState, streak: Streak, now: datetime, period: int) -> StreakState:
    """Return the state after a period has counted by the previous zone: the current zone's periods up to now are bridged."""
    if not state.previous_zone or state.zone_since is None or now >= state.zone_since + OLD_ZONE_GRACE:
        return state
    previous, current = (
        period_number(local_day(now, zone), streak.cadence) for zone in (state.previous_zone, state.zone)
    )
    if previous == current:
        return state
    ahead = tuple(range(period + 1, current + 1))
    return structs.replace(state, previous_zone="", repaired=(*state.repaired, *ahead)[-SPANS_KEPT:])


def _with_lengths(context: Context, streak: Streak, state: StreakState) -> StreakState:
    """Return the state with its lengths updated, whether it is alive, and when it breaks unless it is extended."""
    if not state.spans:
        return state
    bridged = protected_periods(streak, state)
    _, length = runs.last_run(state.spans, bridged)
    present = _present(context)
    due_at = _missed_at(context, streak, state, runs.next_missing(state.spans, bridged), present)
    longest = max(state.longest, runs.longest_run(state.spans, bridged))
    # The run may still have ended long ago, even if a late action has just extended it.
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
    """Return when the period before the last span is missed. During a grace, or while travelling, this is in the future."""
    if len(state.spans) < 2 or (not streak.grace and state.zone_since is None):
        return None
    missing = runs.following(state.spans[-2][1], protected_periods(streak, state))
    return _missed_at(context, streak, state, missing, present) if missing < state.spans[-1][0] else None


def _store(context: Context, streak: Streak, state: StreakState) -> None:
    keep(context.member, streak.streak_id, state)
    context.scope.forget_names()
    context.changed_parts.update((f"streaks.{streak.streak_id}", "streaks"))
