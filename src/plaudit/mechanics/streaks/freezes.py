"""Re-evaluate missed periods, when a late report changes which were missed or which a freeze protects.

    the periods that count ───┐
    the freezes, by time ───┴──► each missed period, in order: a freeze spares it, or the run ends there

What comes out is what the same actions, reported in their order, would have come to. A use by choice stays as it was
made, and so does everything up to when the freezes were settled: when a state came from elsewhere (a merge, an earlier
version), or when more freezes have been given since than are remembered.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from itertools import zip_longest

from msgspec import Struct, structs

from plaudit.core.periods import period_number

from . import runs
from .compiled import Streak
from .state import StreakState

GIVEN_KEPT = 32  # how many times at which freezes were given are remembered; of more the latest

MonthlyAllowance = tuple[datetime | None, int]


class Missed(Struct, frozen=True):
    """The result for the missed periods: the freezes left, the periods they protect, when a run last ended."""

    freezes: int
    frozen: tuple[int, ...]
    lapsed_at: datetime | None


class Rules(Struct, frozen=True):
    """What decides a missed period. `missed_at` tells when a period that does not count is missed."""

    streak: Streak
    missed_at: Callable[[int], datetime]


def protected_periods(streak: Streak, state: StreakState) -> runs.Bridged:
    """Which periods need not count: frozen, repaired, wholly or partly in a pause or an absence."""
    if not (state.frozen or state.repaired or state.absences or streak.pauses):
        return ()
    spared = [(period, period) for period in (*state.frozen, *state.repaired)]
    away = (
        (period_number(first, streak.cadence), period_number(last, streak.cadence))
        for first, last in (
            *streak.pauses,
            *((date.fromordinal(first), date.fromordinal(last)) for first, last in state.absences),
        )
    )
    return runs.joined((*spared, *away))


def first_given(freezes: int, at: datetime | None) -> tuple[MonthlyAllowance, ...]:
    """Return what is remembered of freezes that are there at an instant; None: from the beginning."""
    return ((at, freezes),)


def missed(state: StreakState, rules: Rules, until: datetime) -> Missed:
    """Decide each period that was missed by an instant, in order, with the freezes held by then."""
    settled_at, freezes = state.given[0] if state.given else (None, 0)
    kept = [period for period in state.frozen if period in state.chosen or _is_settled(period, settled_at, rules)]
    bridged = protected_periods(rules.streak, structs.replace(state, frozen=tuple(kept)))
    waiting = sorted(state.given[1:], key=_when, reverse=True)
    frozen: list[int] = []
    lapsed_at: datetime | None = None
    for (_, last), beginning in zip_longest(state.spans, [first for first, _ in state.spans[1:]]):
        missing = runs.following(last, bridged)
        while beginning is None or missing < beginning:
            at = rules.missed_at(missing)
            if at > until:
                break
            while waiting and _when(waiting[-1]) < at:
                freezes = received(freezes, waiting.pop()[1], rules.streak.freezes_max)
            if freezes <= 0 or not rules.streak.freezes_automatic or (settled_at is not None and at <= settled_at):
                lapsed_at = at
                break
            freezes -= 1
            frozen.append(missing)
            missing = runs.following(missing, bridged)
    while waiting and _when(waiting[-1]) <= until:
        freezes = received(freezes, waiting.pop()[1], rules.streak.freezes_max)
    return Missed(max(freezes, 0), tuple(sorted([*kept, *frozen])), lapsed_at)


def received(freezes: int, quantity: int, maximum: int) -> int:
    """Return how many freezes there are after some are given, or (negative) used by choice."""
    return freezes + quantity if quantity < 0 else max(min(freezes + quantity, maximum), freezes)


def with_given(state: StreakState, rules: Rules, at: datetime, quantity: int) -> StreakState:
    """Return the state with freezes given at an instant put down. The oldest of many are settled."""
    first, *later = state.given or first_given(0, None)
    later = sorted([*later, (at, quantity)], key=_when)
    state = structs.replace(state, given=(first, *later))
    if len(later) < GIVEN_KEPT:
        return state
    settled_at = _when(later[0])
    left = missed(state, rules, settled_at).freezes
    return structs.replace(state, given=((settled_at, left), *(item for item in later if _when(item) > settled_at)))


def given_back(state: StreakState, rules: Rules, period: int, at: datetime) -> StreakState:
    """Return the state without the freeze of a period, which was not needed after all: the member has it again."""
    settled_at, settled = state.given[0] if state.given else (None, 0)
    if period in state.chosen:
        state = with_given(state, rules, at, 1)
    elif _is_settled(period, settled_at, rules):
        given = ((settled_at, received(settled, 1, rules.streak.freezes_max)), *state.given[1:])
        state = structs.replace(state, given=given)
    return structs.replace(
        state,
        frozen=_without(state.frozen, period),
        chosen=_without(state.chosen, period),
        freezes=received(state.freezes, 1, rules.streak.freezes_max),
    )


def _without(periods: Iterable[int], period: int) -> tuple[int, ...]:
    return tuple(number for number in periods if number != period)


def _when(given: MonthlyAllowance) -> datetime:
    assert given[0] is not None  # only what was there from the beginning has no time
    return given[0]


def _is_settled(period: int, settled_at: datetime | None, rules: Rules) -> bool:
    return settled_at is not None and rules.missed_at(period) <= settled_at
