"""What a rollback undoes of ladders: that rungs were reached which would not have been.

The rung itself follows from what was earned, which the rollback takes back by the ledger's rules.
"""

from collections.abc import Mapping

from msgspec import structs

from plaudit.core.member import Member

from .state import LadderState, keep, ladders_of

NAME = "reached"  # in an order
COUNT = "rungs"  # on how many ladders a member has gone down

Reached = tuple[int, ...]


def to_undo(real: Mapping[str, LadderState], would: Mapping[str, LadderState]) -> dict[str, Reached]:
    """Return the rungs that would not have been reached, by the ladders' ids."""
    return {
        ladder_id: gone
        for ladder_id, state in real.items()
        if ladder_id in would and (gone := tuple(sorted({*state.reached} - {*would[ladder_id].reached})))
    }


def undo(member: Member, reached: Mapping[str, Reached]) -> None:
    """Forget that rungs were reached: what they bring is due when they are."""
    for ladder_id, rungs in reached.items():
        state = ladders_of(member).get(ladder_id)
        if state is not None:
            left = tuple(number for number in state.reached if number not in rungs or number <= state.rung)
            keep(member, ladder_id, structs.replace(state, reached=left))


def count_undone(before: Mapping[str, LadderState], after: Mapping[str, LadderState]) -> dict[str, int]:
    """Return on how many ladders the member is on a lower rung."""
    return {COUNT: sum(state.effective < before.get(key, state).effective for key, state in after.items())}
