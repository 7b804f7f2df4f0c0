"""Streaks: how many days (weeks, months) in a row a member has done something, by their own calendar.

    an action counts for its local day ── the threshold is reached ──► the day counts ──► streak.extended, milestones
    a day ends (and its grace) without counting ──► a freeze is used, or ──► streak.broken

A late action counts for the day that it belongs to, and mends the run. A day is what it is in the member's time zone;
who flies may use the calendar of where they come from for two more days, so that no day is lost; a day counts once
under whatever zone; and a zone is taken over at most once a week, so that nothing is gained by switching.
"""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from msgspec import structs

from . import runs
from .deciding import Deciding, Place
from .decision import Check, Considered, EffectTrace, Refusal
from .effect_settings import CheckIn, GrantFreeze
from .fields import streak_fields
from .member import StreakState
from .periods import first_day_of_turn, first_instant, local_day, turn_of, zone
from .program import Streak, StreakListener

SPANS_KEPT = 200
COUNTS_KEPT = 40
ZONE_KEPT = timedelta(days=7)
OLD_ZONE_COUNTS = timedelta(days=2)


def meet(deciding: Deciding, listener: StreakListener) -> Considered:
    """Let a streak meet the present event."""
    checks: list[Check] = []
    streak = listener.streak
    trigger = deciding.event.trigger if deciding.event.depth else None
    name = f"streak.{streak.streak_id}"
    if not listener.condition.holds(deciding.scope, checks):
        return Considered(name, 0, listener.number, Refusal.condition_failed, checks, [], trigger)
    refusal, shown, effects = check_in(deciding, streak)
    return Considered(name, 0, listener.number, refusal, checks, effects, trigger, shown)


def check_in(deciding: Deciding, streak: Streak) -> tuple[Refusal | None, dict[str, Any], list[EffectTrace]]:
    """One count of a streak, for the turn that the event's time is in."""
    known = deciding.member.streaks.get(streak.streak_id)
    if known is not None and known.zone_since is None and not streak.grace:  # the calendar is plain: a quick look
        wanted = deciding.member.attributes.get("timezone") or deciding.program.settings.time_zone
        if wanted == known.zone and runs.has(known.spans, turn_of(local_day(deciding.now, known.zone), streak.cadence)):
            return Refusal.turn_counted, streak_fields(known), []
    state = _zoned(deciding, _state(deciding, streak))
    turn = _turn_for(state, streak, deciding.now)
    if runs.has(state.spans, turn):
        return Refusal.turn_counted, streak_fields(state), []
    if streak.threshold > 1 or state.counts:
        counts = {**state.counts, turn: state.counts.get(turn, 0) + 1}
        state = structs.replace(state, counts={one: counts[one] for one in sorted(counts)[-COUNTS_KEPT:]})
        if counts[turn] < streak.threshold:
            _keep(deciding, streak, state)
            return None, streak_fields(state) | {"counted": counts[turn], "threshold": streak.threshold}, []
        del state.counts[turn]
    if turn in state.frozen:  # it was not needed after all
        frozen = tuple(one for one in state.frozen if one != turn)
        state = structs.replace(state, frozen=frozen, freezes=min(state.freezes + 1, streak.freezes_max))
    state = structs.replace(state, spans=runs.add(state.spans, turn)[-SPANS_KEPT:])
    state = _measured(deciding, streak, state)
    _keep(deciding, streak, state)
    deciding.follow(
        "streak.extended", {"streakId": streak.streak_id, "length": state.current, "longest": state.longest},
        f"streak.{streak.streak_id}",
    )  # fmt: skip
    effects = _reach_milestones(deciding, streak, state)
    return None, streak_fields(deciding.member.streaks[streak.streak_id]), effects


def lapse(deciding: Deciding, streak: Streak, state: StreakState) -> None:
    """What a missed turn brings: a freeze is used, or the streak is broken."""
    measured = _measured(deciding, streak, state)
    if measured.alive:  # the streak has been changed meanwhile: a pause, a longer grace
        _keep(deciding, streak, measured)
        return
    missing = runs.next_missing(state.spans, bridged_by(streak, state))
    cause = f"streak.{streak.streak_id}"
    if streak.freezes_automatic and state.freezes > 0:
        state = structs.replace(state, freezes=state.freezes - 1, frozen=(*state.frozen, missing)[-SPANS_KEPT:])
        _keep(deciding, streak, _measured(deciding, streak, state))
        deciding.follow("streak.frozen", {"streakId": streak.streak_id, "freezes": state.freezes}, cause)
        return
    length = state.current
    state = structs.replace(state, current=0, alive=False, lapsed_at=deciding.now, due_at=None)
    _keep(deciding, streak, state)
    deciding.follow("streak.broken", {"streakId": streak.streak_id, "length": length}, cause)


def rezone(deciding: Deciding) -> None:
    """The member's profile has changed: streaks look at the time zone anew."""
    for streak_id, state in list(deciding.member.streaks.items()):
        streak = deciding.program.streaks.get(streak_id)
        if streak is not None:
            moved = _zoned(deciding, state)
            if moved is not state:
                _keep(deciding, streak, _measured(deciding, streak, moved) if moved.alive else moved)


def grant_freezes(deciding: Deciding, streak: Streak, quantity: int) -> Refusal | None:
    """Freezes given, up to what may be held."""
    state = _state(deciding, streak)
    if state.freezes >= streak.freezes_max:
        return Refusal.freezes_full
    _keep(deciding, streak, structs.replace(state, freezes=min(state.freezes + quantity, streak.freezes_max)))
    return None


def use_freeze(deciding: Deciding, streak: Streak, day: date) -> Refusal | None:
    """A freeze for a day to come, or for today, by the member's choice."""
    state = _zoned(deciding, _state(deciding, streak))
    turn = turn_of(day, streak.cadence)
    if state.freezes == 0:
        return Refusal.freezes_none
    if turn < _turn_for(state, streak, deciding.now) or turn in state.frozen or runs.has(state.spans, turn):
        return Refusal.turn_counted
    state = structs.replace(state, freezes=state.freezes - 1, frozen=(*state.frozen, turn)[-SPANS_KEPT:])
    _keep(deciding, streak, _measured(deciding, streak, state))
    return None


def repair(deciding: Deciding, streak: Streak) -> Refusal | None:
    """Take the end of a streak back: the turns missed are bridged. The price has been paid by the caller."""
    state = _state(deciding, streak)
    missed = _missed(deciding, streak, state)
    if state.lapsed_at is None or not missed:
        return Refusal.streak_not_broken
    if deciding.now >= state.lapsed_at + timedelta(days=streak.repair_days):
        return Refusal.repair_too_late
    state = structs.replace(state, repaired=(*state.repaired, *missed)[-SPANS_KEPT:], lapsed_at=None)
    _keep(deciding, streak, _measured(deciding, streak, state))
    deciding.follow("streak.repaired", {"streakId": streak.streak_id}, f"streak.{streak.streak_id}")
    return None


def _missed(deciding: Deciding, streak: Streak, state: StreakState) -> list[int]:
    """The turns that broke the latest run, or the one before it if another has begun since."""
    bridged = bridged_by(streak, state)
    if not state.spans:
        return []
    if not state.alive:
        return [
            turn for turn in range(state.spans[-1][1] + 1, _turn_for(state, streak, deciding.now)) if not bridged(turn)
        ]
    start, _ = runs.last_run(state.spans, bridged)
    before = max((last for _, last in state.spans if last < start), default=None)
    return [] if before is None else [turn for turn in range(before + 1, start) if not bridged(turn)]


def be_absent(deciding: Deciding, streak: Streak, first: date, last: date) -> Refusal | None:
    """A planned absence: its days are not missed. Only from today on."""
    state = _zoned(deciding, _state(deciding, streak))
    if turn_of(first, streak.cadence) < _turn_for(state, streak, deciding.now):
        return Refusal.absence_in_the_past
    absences = (*state.absences, (first.toordinal(), last.toordinal()))[-SPANS_KEPT:]
    _keep(deciding, streak, _measured(deciding, streak, structs.replace(state, absences=absences)))
    return None


def bridged_by(streak: Streak, state: StreakState) -> runs.Bridged:
    """Which turns need not count: frozen, repaired, wholly or partly in a pause or an absence."""
    if not (state.frozen or state.repaired or state.absences or streak.pauses):
        return _none
    spared = {*state.frozen, *state.repaired}
    away = [
        (turn_of(first, streak.cadence), turn_of(last, streak.cadence))
        for first, last in (
            *streak.pauses,
            *((date.fromordinal(first), date.fromordinal(last)) for first, last in state.absences),
        )
    ]
    return lambda turn: turn in spared or any(first <= turn <= last for first, last in away)


def _none(_: int) -> bool:
    return False


def _state(deciding: Deciding, streak: Streak) -> StreakState:
    found = deciding.member.streaks.get(streak.streak_id)
    return found if found is not None else StreakState(freezes=streak.freezes_at_start)


def _zoned(deciding: Deciding, state: StreakState) -> StreakState:
    """The state in the member's present time zone, as far as it may be taken over yet."""
    wanted = str(deciding.member.attributes.get("timezone") or deciding.program.settings.time_zone)
    if wanted == state.zone or (state.zone_since is not None and deciding.now < state.zone_since + ZONE_KEPT):
        return state
    if not _is_zone(wanted):
        wanted = deciding.program.settings.time_zone
    if state.zone == wanted:
        return state
    if not state.zone:
        return structs.replace(state, zone=wanted)
    return structs.replace(state, zone=wanted, previous_zone=state.zone, zone_since=deciding.now)


def _is_zone(name: str) -> bool:
    try:
        zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _zones(state: StreakState, now: datetime) -> list[str]:
    """The zones whose calendar may be used: the present one, and for a while the one before it."""
    recent = state.zone_since is not None and now < state.zone_since + OLD_ZONE_COUNTS
    return [state.zone, state.previous_zone] if recent else [state.zone]


def _turn_for(state: StreakState, streak: Streak, instant: datetime) -> int:
    """The turn that an action counts for: the earliest of the calendars' that does not count yet.

    Within the grace after a turn's end, a turn that is missing is made up for first.
    """
    if state.zone_since is None and not streak.grace:
        return turn_of(local_day(instant, state.zone), streak.cadence)
    turns = sorted({turn_of(local_day(instant, zone), streak.cadence) for zone in _zones(state, instant)})
    if streak.grace and state.spans:
        before = turn_of(local_day(instant - streak.grace, state.zone), streak.cadence)
        missing = runs.next_missing(state.spans, bridged_by(streak, state))
        if before == missing < turns[0]:
            return before
    return next((turn for turn in turns if not runs.has(state.spans, turn)), turns[0])


def _measured(deciding: Deciding, streak: Streak, state: StreakState) -> StreakState:
    """The state with its lengths, whether it is alive, and when it lapses unless it is extended."""
    if not state.spans:
        return state
    bridged = bridged_by(streak, state)
    _, length = runs.last_run(state.spans, bridged)
    missing = runs.next_missing(state.spans, bridged)
    following = first_day_of_turn(missing + 1, streak.cadence)
    present = max(deciding.now, deciding.member.present or deciding.now)
    due_at = max(first_instant(following, zone) for zone in _zones(state, present)) + streak.grace
    longest = max(state.longest, runs.longest_run(state.spans, bridged))
    # What a late action adds to may have ended long ago all the same.
    alive = due_at > present
    return structs.replace(
        state,
        current=length if alive else 0,
        longest=longest,
        alive=alive,
        lapsed_at=state.lapsed_at if alive or state.lapsed_at is not None else due_at,
        due_at=due_at if alive else None,
    )


def _keep(deciding: Deciding, streak: Streak, state: StreakState) -> None:
    deciding.member.streaks[streak.streak_id] = state
    deciding.scope.forget_names()
    deciding.touched.update((f"streaks.{streak.streak_id}", "streaks"))


def _reach_milestones(deciding: Deciding, streak: Streak, state: StreakState) -> list[EffectTrace]:
    """The milestones that the run has come to, each once in a run."""
    if not streak.milestones:
        return []
    start, _ = runs.last_run(state.spans, bridged_by(streak, state))
    before = max((length for turn, length in state.awarded if turn >= start), default=0)
    effects: list[EffectTrace] = []
    for number, milestone in enumerate(streak.milestones):
        if not before < milestone.length <= state.current:
            continue
        place = f"streak.{streak.streak_id}"
        effects += [
            effect.apply(deciding, Place(place, number, index), effect.settings)
            for index, effect in enumerate(milestone.effects)
        ]
        told = {"streakId": streak.streak_id, "length": milestone.length}
        deciding.follow("streak.milestone", told, place)
    if state.current > before and any(one.length <= state.current for one in streak.milestones):
        last = state.spans[-1][1]
        kept = deciding.member.streaks[streak.streak_id]
        awarded = (*kept.awarded, (last, state.current))[-SPANS_KEPT:]
        deciding.member.streaks[streak.streak_id] = structs.replace(kept, awarded=awarded)
    return effects


def check_in_effect(deciding: Deciding, place: Place, settings: CheckIn) -> EffectTrace:
    """The effect `check_in`. A turn that counts already is no refusal."""
    streak = deciding.program.streaks.get(settings.streak_id)
    if streak is None:
        return EffectTrace(place.index, Refusal.streak_missing, settings.streak_id)
    refusal, shown, _ = check_in(deciding, streak)
    return EffectTrace(place.index, None if refusal is Refusal.turn_counted else refusal, shown)


def grant_freeze_effect(deciding: Deciding, place: Place, settings: GrantFreeze) -> EffectTrace:
    """The effect `grant_freeze`."""
    streak = deciding.program.streaks.get(settings.streak_id)
    if streak is None:
        return EffectTrace(place.index, Refusal.streak_missing, settings.streak_id)
    refusal = grant_freezes(deciding, streak, settings.quantity)
    return EffectTrace(place.index, refusal, settings.quantity)
