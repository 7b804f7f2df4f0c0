"""Finds the rung that a score reaches, and adapts states when a ladder's rungs have changed.

A member's state stores rungs by their indexes, and the ids that the rungs had then. Adding or removing a rung shifts the
indexes of those above it. The state is therefore renumbered before it is read, so that members stay on their rungs.
"""

from msgspec import structs

from .compiled import Ladder
from .state import LadderState

NO_RUNG = -1


def rung_for(ladder: Ladder, amount: int) -> int:
    """Return the highest rung that a score reaches, or NO_RUNG if it is below the first."""
    reached = NO_RUNG
    for index, rung in enumerate(ladder.rungs):
        if amount >= rung.threshold:
            reached = index
    return reached


def named(ladder: Ladder, state: LadderState) -> LadderState:
    """Return a state with the ids of its rungs, up to the highest one that it refers to."""
    highest = state.rung
    if state.override is not None or (state.reached and state.reached[-1] > highest):
        highest = max(highest, NO_RUNG if state.override is None else state.override, *state.reached)
    if len(state.rung_ids) == highest + 1:
        return state
    return structs.replace(state, rung_ids=ladder.rung_ids[: highest + 1])


def renumbered(ladder: Ladder, state: LadderState) -> LadderState:
    """Return a state whose indexes refer to the ladder's current rungs, matched by id.

    A member on a removed rung moves to the next lower one that still exists. An override ends if no lower rung exists. A
    state without ids was stored by an earlier version.
    """
    stored_ids, ids = state.rung_ids, ladder.rung_ids
    if stored_ids == ids[: len(stored_ids)]:
        if stored_ids or max(state.rung, state.override or 0) < len(ids):
            return state
        stored_ids = ids
    indexes = {rung_id: index for index, rung_id in enumerate(ids)}

    def current_index(stored_index: int) -> int | None:
        lower = reversed(stored_ids[: stored_index + 1])
        return next((indexes[rung_id] for rung_id in lower if rung_id in indexes), None)

    rung = current_index(state.rung)
    override = None if state.override is None else current_index(state.override)
    reached = {
        indexes[stored_ids[index]]
        for index in state.reached
        if index < len(stored_ids) and stored_ids[index] in indexes
    }
    state = structs.replace(
        state,
        rung=rung_for(ladder, 0) if rung is None else rung,
        override=override,
        override_until=None if override is None else state.override_until,
        reached=tuple(sorted(reached)),
        rung_ids=(),
    )
    return named(ladder, state)
