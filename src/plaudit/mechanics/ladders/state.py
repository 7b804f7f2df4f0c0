"""A member's ladder states, stored by the ladder's id."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from plaudit.core.cause import Cause
from plaudit.core.member import Member, states_of

KIND: Final = "ladder"  # the kind of the states and the documents; causes are `ladder.<id>`


class LadderState(Struct, frozen=True, array_like=True):
    """A member's place on a ladder. Rungs are indexes, -1 is below the first.

    `earned` are the amounts by window (for a rolling one, by day). `ends_at` is when the window ends for which the rung
    is kept, `grace_until` the end of the grace after it. `reached` are all rungs that were ever reached. `override` is a
    rung set by hand. `rung_ids` are the ids that the indexes stood for, from the lowest rung up (see `rungs`).
    """

    rung: int = -1
    since: datetime | None = None
    earned: dict[str, int] = {}
    ends_at: datetime | None = None
    grace_until: datetime | None = None
    reached: tuple[int, ...] = ()
    override: int | None = None
    override_until: datetime | None = None
    due_at: datetime | None = None
    rung_ids: tuple[str, ...] = ()

    @property
    def effective(self) -> int:
        """The rung that the member is on: the override, or the rung reached."""
        return self.rung if self.override is None else self.override


_NONE: Mapping[str, LadderState] = {}


def ladders_of(member: Member) -> Mapping[str, LadderState]:
    """Return a member's ladder states by the ladders' ids."""
    return member.states.get(KIND, _NONE)


def keep(member: Member, ladder_id: str, state: LadderState) -> None:
    """Set a member's state on a ladder."""
    states_of(member, KIND)[ladder_id] = state


def cause_of(ladder_id: str) -> Cause:
    """Return the cause that stands for a ladder."""
    return Cause(KIND, ladder_id)
