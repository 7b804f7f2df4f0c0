"""Rolls back ladders: forgets the rungs that a member has reached only because of the campaign.

The rung itself follows from the earnings, which the rollback reverses in the ledger.
"""

from collections.abc import Mapping

from msgspec import structs

from plaudit.core.member import Member

from .state import LadderState, keep, ladders_of

NAME = "reached"  # the field in orders of rollbacks
COUNT = "rungs"  # the count of ladders on which the member has moved down

Reached = tuple[int, ...]


def to_undo(real: Mapping[str, LadderState], would: Mapping[str, LadderState]) -> dict[str, Reached]:
    """Return the rungs that the member `would` not have reached, by the ladders' ids."""
    return {
        ladder_id: undone
        for ladder_id, state in real.items()
        if ladder_id in would and (undone := tuple(sorted({*state.reached} - {*would[ladder_id].reached})))
    }


def undo(member: Member, reached: Mapping[str, Reached]) -> None:
    """Forget that rungs were reached, so that their effects run when the member reaches them again."""
    for ladder_id, rungs in reached.items():
        state = ladders_of(member).get(ladder_id)
        if state is not None:
            left = tuple(rung for rung in state.reached if rung not in rungs or rung <= state.rung)
            keep(member, ladder_id, structs.replace(state, reached=left))


def count_undone(before: Mapping[str, LadderState], after: Mapping[str, LadderState]) -> dict[str, int]:
    """Return the number of ladders on which the member has moved down."""
    return {COUNT: sum(state.effective < before.get(key, state).effective for key, state in after.items())}
