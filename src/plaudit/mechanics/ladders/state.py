"""Where a member is on their ladders, as it is kept: by the ladder's id."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from plaudit.core.cause import Cause
from plaudit.core.member import Member, states_of

KIND: Final = "ladder"  # of the states and the documents; causes are `ladder.<id>`


class LadderState(Struct, frozen=True, array_like=True):
    """Where a member is on a ladder. `earned` is what counts by window (by day, for a rolling one).

    `ends_at` is when the window ends that the rung is kept for, `grace_until` the end of the grace after it; `reached`
    are the rungs ever reached. `override` is a rung given by hand. `rung_ids` are the ids, from the lowest up, that the
    ladder's rungs had by these numbers (see `rungs`).
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
        """The rung that the member is on: the one by hand, or the one reached."""
        return self.rung if self.override is None else self.override


_NONE: Mapping[str, LadderState] = {}


def ladders_of(member: Member) -> Mapping[str, LadderState]:
    """Return where a member is on their ladders."""
    return member.states.get(KIND, _NONE)


def keep(member: Member, ladder_id: str, state: LadderState) -> None:
    """Put down where a member is on a ladder."""
    states_of(member, KIND)[ladder_id] = state


def cause_of(ladder_id: str) -> Cause:
    """Return a ladder as a cause."""
    return Cause(KIND, ladder_id)
