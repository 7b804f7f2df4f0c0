"""Decides missed periods again when a late action changes which periods were missed, or which ones freezes protect.

    the periods that count ────┐
    the freezes, by time ──────┴──► each missed period, in order: a freeze protects it, or the run ends there

The result is what the same actions would have led to if they had been reported in order. Two things stay as they are: a
freeze that the member used by choice, and all periods missed before the freezes were settled. Freezes are settled when
a state is taken over (from a merged member or an earlier version), and when more have been given than the state stores.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from itertools import zip_longest

from msgspec import Struct, structs

from plaudit.core.periods import period_number

from . import runs
from .compiled import Streak
from .state import StreakState

GIVEN_KEPT = 32  # how many changes of the freezes a state stores, the latest ones

FreezeChange = tuple[datetime | None, int]  # freezes given (or, negative, used by choice), and when; None: at the start


class Missed(Struct, frozen=True):
    """The missed periods, decided: the freezes left, the periods that freezes protect, and when a run last ended."""

    freezes: int
    frozen: tuple[int, ...]
    lapsed_at: datetime | None


class Rules(Struct, frozen=True):
    """The rules for missed periods. `missed_at` returns when a period is missed, unless it counts by then."""

    streak: Streak
    missed_at: Callable[[int], datetime]


def protected_periods(streak: Streak, state: StreakState) -> runs.Bridged:
    """Return the periods that need not count: frozen, repaired, or wholly or partly in a pause or an absence."""
    if not (state.frozen or state.repaired or state.absences or streak.pauses):
        return ()
    protected = [(period, period) for period in (*state.frozen, *state.repaired)]
    away = (
        (period_number(first, streak.cadence), period_number(last, streak.cadence))
        for first, last in (
            *streak.pauses,
            *((date.fromordinal(first), date.fromordinal(last)) for first, last in state.absences),
        )
    )
    return runs.joined((*protected, *away))


def first_given(freezes: int, at: datetime | None) -> tuple[FreezeChange, ...]:
    """Return the `given` of a state that holds `freezes` from an instant on; None: from the start."""
    return ((at, freezes),)


def missed(state: StreakState, rules: Rules, until: datetime) -> Missed:
    """Decide all periods missed up to an instant, in order, each with the freezes held when it was missed."""
    settled_at, freezes = state.given[0] if state.given else (None, 0)
    settled = [period for period in state.frozen if period in state.chosen or _is_settled(period, settled_at, rules)]
    bridged = protected_periods(rules.streak, structs.replace(state, frozen=tuple(settled)))
    changes = sorted(state.given[1:], key=_time_of, reverse=True)
    frozen: list[int] = []
    lapsed_at: datetime | None = None
    for (_, last), next_first in zip_longest(state.spans, [first for first, _ in state.spans[1:]]):
        missing = runs.following(last, bridged)
        while next_first is None or missing < next_first:
            missed_at = rules.missed_at(missing)
            if missed_at > until:
                break
            while changes and _time_of(changes[-1]) < missed_at:
                freezes = received(freezes, changes.pop()[1], rules.streak.freezes_max)
            is_settled = settled_at is not None and missed_at <= settled_at
            if freezes <= 0 or not rules.streak.freezes_automatic or is_settled:
                lapsed_at = missed_at
                break
            freezes -= 1
            frozen.append(missing)
            missing = runs.following(missing, bridged)
    while changes and _time_of(changes[-1]) <= until:
        freezes = received(freezes, changes.pop()[1], rules.streak.freezes_max)
    return Missed(max(freezes, 0), tuple(sorted([*settled, *frozen])), lapsed_at)


def received(freezes: int, quantity: int, maximum: int) -> int:
    """Return the number of freezes after `quantity` are given up to the maximum, or (negative) used by choice."""
    return freezes + quantity if quantity < 0 else max(min(freezes + quantity, maximum), freezes)


def with_given(state: StreakState, rules: Rules, at: datetime, quantity: int) -> StreakState:
    """Return the state with freezes given at an instant added to `given`. If it is full, its oldest are settled."""
    first, *later = state.given or first_given(0, None)
    later = sorted([*later, (at, quantity)], key=_time_of)
    state = structs.replace(state, given=(first, *later))
    if len(later) < GIVEN_KEPT:
        return state
    settled_at = _time_of(later[0])
    left = missed(state, rules, settled_at).freezes
    after = (change for change in later if _time_of(change) > settled_at)
    return structs.replace(state, given=((settled_at, left), *after))


def returned(state: StreakState, rules: Rules, period: int, at: datetime) -> StreakState:
    """Return the state after the freeze of a period is returned to the member, because the period counts after all."""
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


def _time_of(change: FreezeChange) -> datetime:
    assert change[0] is not None  # only the first item, which is never passed, can have no time
    return change[0]


def _is_settled(period: int, settled_at: datetime | None, rules: Rules) -> bool:
    return settled_at is not None and rules.missed_at(period) <= settled_at
