"""The rules of ladders: a member's rung follows from the amount of a metric earned in a window.

    a credit ──► counts in its window ──► enough for a higher rung? move up immediately, and run the rung's effects
    the window ends ──► enough for the rung? keep it for another window : move down after the grace (softly: one rung)
    a reversal ──► enough left for the rung? keep it : move down immediately, unless the rung was set by hand

Pending amounts count when they are released, in the window of that instant. A reversal counts in the window of its
original. A late credit counts in its own window, and can lift the member if that is the current window or the one before.
"""

from datetime import UTC, date, datetime, timedelta

from msgspec import structs

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, Move, Trace
from plaudit.core.metrics import SUM_MAX
from plaudit.core.periods import add_months, days_after, first_instant, local_day

from .compiled import Ladder
from .refusals import LadderRefusal
from .rungs import NO_RUNG, named, renumbered, rung_for
from .state import LadderState, keep, ladders_of
from .triggers import RUNG_CHANGED

_MOMENT = timedelta(seconds=1)


def count_earned(context: Context, ladder: Ladder, amount: int, at: datetime) -> None:
    """Count an amount earned at an instant, or (negative) reversed."""
    state = _state(context, ladder)
    key = window_key(ladder, at, _zone(context), context.member.enrolled_at)
    earned = {**state.earned, key: max(min(state.earned.get(key, 0) + amount, SUM_MAX), -SUM_MAX)}
    if len(earned) > ladder.windows_kept:
        earned = {window: earned[window] for window in sorted(earned)[-ladder.windows_kept :]}
    after = structs.replace(state, earned=earned)
    if amount > 0:
        _climb(context, ladder, after, key if at == context.now else None)
    else:
        _step_down(context, ladder, state, after)


def _step_down(context: Context, ladder: Ladder, before: LadderState, after: LadderState) -> None:
    """Store the state after a reversal, and move the member down if the rung was based on the reversed amount.

    A rung that was imported, kept through a change of the ladder or set by hand is not based on earnings.
    """
    if before.rung in before.reached and _supported(context, ladder, before) >= before.rung:
        lower = max(_supported(context, ladder, after), rung_for(ladder, 0))
        if lower < before.rung:
            after = structs.replace(after, rung=lower, since=context.now)
    _store(context, ladder, after)
    _notify(context, ladder, before.effective, after.effective)


def _supported(context: Context, ladder: Ladder, state: LadderState) -> int:
    """Return the highest rung that the earnings of any window reach on which the current rung can be based.

    These are the window in which the rung was reached or last kept, and those after it.
    """
    zone, enrolled_at = _zone(context), context.member.enrolled_at
    now = max(context.now, context.member.latest_at or context.now)
    if ladder.window == "all_time":
        return rung_for(ladder, state.earned.get("", 0))
    scores: list[int] = []
    ended = now
    if state.grace_until is not None:
        ended = _before_grace(ladder, state.grace_until, zone)
        scores.append(_since_window(ladder, state, ended, now, zone, enrolled_at))
    if ladder.days is None:
        current = int(window_key(ladder, ended, zone, enrolled_at))
        scores += [state.earned.get(str(key), 0) for key in (current, current - 1)]
    else:
        today = local_day(now, zone).toordinal()
        ends_at = ended + _MOMENT if state.grace_until is not None else state.ends_at
        first = today if ends_at is None else local_day(ends_at, zone).toordinal() - ladder.days
        ends = {first, *(int(day) for day in state.earned if first < int(day) <= today)}
        scores += [_summed(state, end - ladder.days + 1, end) for end in ends]
    return rung_for(ladder, max(scores))


def end_window(context: Context, ladder: Ladder) -> None:
    """Run what is due: the end of an override, of a window, or of the grace after a window."""
    state = _state(context, ladder)
    now = context.now
    if state.override_until is not None and state.override_until <= now:
        before = state.effective
        state = structs.replace(state, override=None, override_until=None)
        _store(context, ladder, state)
        _notify(context, ladder, before, state.effective)
    if state.ends_at is None or state.ends_at > now:
        _store(context, ladder, state)
        return
    in_grace = state.grace_until is not None
    ended_at = state.grace_until if state.grace_until is not None else now
    qualified = rung_for(ladder, _score_to_keep(context, ladder, state))
    if qualified >= state.rung or ladder.never_ends:
        _store(context, ladder, _renew_window(context, ladder, state))
    elif ladder.grace_days and not in_grace:
        until = days_after(now, ladder.grace_days, _zone(context))
        _store(context, ladder, structs.replace(state, ends_at=until, grace_until=until))
    else:
        before = state.effective
        lower = max(qualified, state.rung - 1) if ladder.soft_landing else qualified
        lower = max(lower, rung_for(ladder, 0))
        _store(context, ladder, _renew_window(context, ladder, structs.replace(state, rung=lower, since=ended_at)))
        _notify(context, ladder, before, _state(context, ladder).effective)


def set_override(context: Context, ladder: Ladder, rung: int | None, until: datetime | None) -> None:
    """Set a member's rung by hand, until an instant or without an end. If `rung` is None, end the override."""
    state = _state(context, ladder)
    before = state.effective
    state = structs.replace(state, override=rung, override_until=until if rung is not None else None)
    _store(context, ladder, state)
    if state.effective != before:
        _notify(context, ladder, before, state.effective)
        _run_effects(context, ladder, before, state.effective)


def import_rung(context: Context, ladder: Ladder, rung_id: str, until: datetime | None) -> LadderRefusal | None:
    """Import a member's rung: as an override if it has an end, otherwise as if it had been reached now."""
    indexes = {rung.rung_id: index for index, rung in enumerate(ladder.rungs)}
    if rung_id not in indexes:
        return LadderRefusal.rung_not_found
    state = _state(context, ladder)
    if until is not None:
        state = structs.replace(state, override=indexes[rung_id], override_until=until)
    else:
        state = _renew_window(context, ladder, structs.replace(state, rung=indexes[rung_id], since=context.now))
    _store(context, ladder, state)
    return None


def place(context: Context, ladder: Ladder, state: LadderState | None) -> None:
    """Place a member by earlier earnings (see `placing`), without effects or notifications.

    The effects of the rungs reached do not run later either. A member on a higher rung keeps it for another window.
    """
    own = ladders_of(context.member).get(ladder.ladder_id)
    if state is not None:
        state = renumbered(ladder, state)
    else:  # the member has earned nothing
        if own is None:
            return
        state = LadderState(rung=rung_for(ladder, 0), since=context.now)
    if own is not None:
        reached = tuple(sorted({*own.reached, *state.reached}))
        state = structs.replace(state, reached=reached, override=own.override, override_until=own.override_until)
        if own.rung == state.rung:
            state = structs.replace(state, since=own.since)
        elif own.rung > state.rung:
            state = _renew_window(context, ladder, structs.replace(state, rung=own.rung, since=own.since))
    _store(context, ladder, state)


def take_over(context: Context, ladder: Ladder, other: LadderState) -> None:
    """Add another member's earnings and keep the higher rung. Effects do not run again.

    The member's own override stays. Otherwise the other member's does, if it is higher than the rung reached.
    """
    own, other = _state(context, ladder), renumbered(ladder, other)
    before = own.effective
    earned = {
        window: max(min(own.earned.get(window, 0) + other.earned.get(window, 0), SUM_MAX), -SUM_MAX)
        for window in sorted({**own.earned, **other.earned})[-ladder.windows_kept :]
    }
    higher = max(own, other, key=lambda state: (state.rung, state.grace_until is None, state.ends_at or _EARLIEST))
    overriding = own if own.override is not None or other.override is None or other.override <= higher.rung else other
    state = structs.replace(
        higher,
        earned=earned,
        reached=tuple(sorted({*own.reached, *other.reached})),
        override=overriding.override,
        override_until=overriding.override_until,
    )
    _store(context, ladder, state)
    _notify(context, ladder, before, state.effective)
    _climb(context, ladder, state)


_EARLIEST = datetime.min.replace(tzinfo=UTC)


def score(ladder: Ladder, state: LadderState, now: datetime, zone: str, enrolled_at: datetime | None) -> int:
    """Return the amount earned in the current window."""
    key = window_key(ladder, now, zone, enrolled_at)
    if ladder.days is None:
        return state.earned.get(key, 0)
    return _summed(state, int(key) - ladder.days + 1, int(key))


def _summed(state: LadderState, first: int, last: int) -> int:
    """Return the amount earned from one window (or day) to another, inclusive."""
    low, high = str(first), str(last)  # names of windows have the same length, so they can be compared as text
    return sum([amount for key, amount in state.earned.items() if low <= key <= high])


def _since_window(
    ladder: Ladder, state: LadderState, ended: datetime, now: datetime, zone: str, enrolled_at: datetime | None
) -> int:
    """Return the amount earned in the window whose last instant is `ended`, and in the grace after it."""
    key = int(window_key(ladder, ended, zone, enrolled_at))
    first = key if ladder.days is None else key + 2 - ladder.days
    return _summed(state, first, int(window_key(ladder, now, zone, enrolled_at)))


def window_key(ladder: Ladder, instant: datetime, zone: str, enrolled_at: datetime | None) -> str:
    """Return the name of the window that contains an instant; for a rolling window, of the day. Names sort by time."""
    day = local_day(instant, zone)
    match ladder.window:
        case "all_time":
            return ""
        case "rolling":
            return str(day.toordinal())
        case "membership_year" if enrolled_at is not None:
            return str(_year_of_membership(day, local_day(enrolled_at, zone)))
        case _:
            return str(day.year)


def _zone(context: Context) -> str:
    return context.program.settings.time_zone


def _state(context: Context, ladder: Ladder) -> LadderState:
    state = ladders_of(context.member).get(ladder.ladder_id)
    return state if state is not None else LadderState(rung=rung_for(ladder, 0), since=context.now)


def _year_of_membership(day: date, joined: date) -> int:
    """Return the calendar year in which the membership year that contains a day began."""
    years = day.year - joined.year
    return day.year if add_months(joined, 12 * years) <= day else day.year - 1


def _ends_at(context: Context, ladder: Ladder) -> datetime | None:
    """Return when the current window ends. A rolling window ends `days` days after today begins."""
    zone, day = _zone(context), context.day
    match ladder.window:
        case "all_time":
            return None
        case "rolling":
            return first_instant(day + timedelta(days=(ladder.days or 1)), zone)
        case "membership_year":
            joined = local_day(context.member.enrolled_at or context.now, zone)
            years = _year_of_membership(day, joined) + 1 - joined.year
            return first_instant(add_months(joined, 12 * years), zone)
        case _:
            return first_instant(date(day.year + 1, 1, 1), zone)


def _score_to_keep(context: Context, ladder: Ladder, state: LadderState) -> int:
    """Return the amount that decides whether a rung is kept: that of the window that has just ended, and of its grace."""
    zone, enrolled_at, now = _zone(context), context.member.enrolled_at, context.now
    if ladder.never_ends:
        return score(ladder, state, now, zone, enrolled_at)
    if state.grace_until is not None:
        return _since_window(ladder, state, _before_grace(ladder, now, zone), now, zone, enrolled_at)
    if ladder.days is not None:
        return score(ladder, state, now, zone, enrolled_at)
    return state.earned.get(window_key(ladder, now - _MOMENT, zone, enrolled_at), 0)


def _before_grace(ladder: Ladder, grace_until: datetime, zone: str) -> datetime:
    """Return the last instant of the window before a grace."""
    return days_after(grace_until, -ladder.grace_days, zone) - _MOMENT


def _renew_window(context: Context, ladder: Ladder, state: LadderState) -> LadderState:
    return structs.replace(state, ends_at=_ends_at(context, ladder), grace_until=None)


def _climb(context: Context, ladder: Ladder, state: LadderState, key: str | None = None) -> None:
    """Store a state, and move the member up if the score of the current window or of the one before is enough.

    `key` is the window of the event, if known. It saves working out the current window, unless the event is late.
    """
    zone, enrolled_at = _zone(context), context.member.enrolled_at
    now = max(context.now, context.member.latest_at or context.now)
    if ladder.days is None:
        current = key if key is not None and now == context.now else window_key(ladder, now, zone, enrolled_at)
        scores = [amount for name, amount in state.earned.items() if name == current or _is_before(name, current)]
        best = max(scores, default=0)
    else:
        best = score(ladder, state, now, zone, enrolled_at)
    reached = rung_for(ladder, best)
    if reached <= state.rung:
        _store(context, ladder, state if state.ends_at is not None else _renew_window(context, ladder, state))
        return
    before = state.effective
    _store(context, ladder, _renew_window(context, ladder, structs.replace(state, rung=reached, since=context.now)))
    after = _state(context, ladder).effective
    if after != before:
        _notify(context, ladder, before, after)
        _run_effects(context, ladder, before, after)


def _is_before(key: str, current: str) -> bool:
    return bool(key) and bool(current) and int(key) == int(current) - 1


def _notify(context: Context, ladder: Ladder, before: int, after: int) -> None:
    if before == after:
        return
    old_id, new_id = (None if index == NO_RUNG else ladder.rungs[index].rung_id for index in (before, after))
    context.moves.append(Move(ladder.ladder_id, old_id, new_id))
    data = {
        "ladderId": ladder.ladder_id,
        "oldRung": old_id,
        "newRung": new_id,
        "direction": "up" if after > before else "down",
    }
    context.emit(RUNG_CHANGED, data, ladder.cause)


def _run_effects(context: Context, ladder: Ladder, before: int, after: int) -> None:
    """Run the effects of every rung climbed, except those with `effects_once` that the member has reached before."""
    for rung_index in range(before + 1, after + 1):
        rung = ladder.rungs[rung_index]
        if rung.effects_once and rung_index in _state(context, ladder).reached:
            continue
        effects: list[EffectTrace] = [
            context.carry_out(effect, EffectPlace(ladder.cause, rung_index, index))
            for index, effect in enumerate(rung.effects)
        ]
        if effects:
            context.trace.append(Trace(ladder.cause.logged, rung_index, 0, None, [], effects))
    state = _state(context, ladder)  # the effects may have moved the member further up
    reached = tuple(sorted({*state.reached, *range(before + 1, after + 1)}))
    _store(context, ladder, structs.replace(state, reached=reached))


def _store(context: Context, ladder: Ladder, state: LadderState) -> None:
    due = None if ladder.never_ends else state.ends_at
    if state.override_until is not None:
        due = state.override_until if due is None else min(due, state.override_until)
    state = named(ladder, state)
    keep(context.member, ladder.ladder_id, state if state.due_at == due else structs.replace(state, due_at=due))
    context.scope.forget_names()
    context.changed_parts.add(f"ladders.{ladder.ladder_id}")
