"""Which rung of a ladder a score reaches; and the same rung when the ladder's rungs have changed.

A member's state says rungs by their numbers, and which ids these had. Rungs that are put in or taken out between them
renumber the rest: then the state is written anew, before anything looks at it, so that members stay where they are.
"""

from msgspec import structs

from .compiled import Ladder
from .state import LadderState

NO_RUNG = -1


def rung_for(ladder: Ladder, amount: int) -> int:
    """The highest rung for a score; NO_RUNG when it is below the first."""
    found = NO_RUNG
    for number, rung in enumerate(ladder.rungs):
        if amount >= rung.threshold:
            found = number
    return found


def named(ladder: Ladder, state: LadderState) -> LadderState:
    """Return a state with the ids that its numbers stand for, as far up as they go."""
    number = state.rung
    if state.override is not None or (state.reached and state.reached[-1] > number):
        number = max(number, NO_RUNG if state.override is None else state.override, *state.reached)
    if len(state.rung_ids) == number + 1:
        return state
    return structs.replace(state, rung_ids=ladder.rung_ids[: number + 1])


def renumbered(ladder: Ladder, state: LadderState) -> LadderState:
    """Return a state by the rungs that the ladder has now: the same ones, by their ids.

    Who was on a rung that is gone is on the next lower one that is left; one by hand ends where none is left. A state
    without ids is of an earlier version.
    """
    known, ids = state.rung_ids, ladder.rung_ids
    if known == ids[: len(known)]:
        if known or max(state.rung, state.override or 0) < len(ids):
            return state
        known = ids
    numbers = {name: number for number, name in enumerate(ids)}

    def now(number: int) -> int | None:
        return next((numbers[name] for name in reversed(known[: number + 1]) if name in numbers), None)

    rung = now(state.rung)
    override = None if state.override is None else now(state.override)
    reached = {numbers[known[rung]] for rung in state.reached if rung < len(known) and known[rung] in numbers}
    state = structs.replace(
        state,
        rung=rung_for(ladder, 0) if rung is None else rung,
        override=override,
        override_until=None if override is None else state.override_until,
        reached=tuple(sorted(reached)),
        rung_ids=(),
    )
    return named(ladder, state)
