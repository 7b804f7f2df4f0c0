"""A member's competition states by the competition's id. Standings and entries are stored in separate tables."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from msgspec import Struct, structs

from plaudit.core.cause import Cause
from plaudit.core.member import Member, StateTable, states_of

KIND: Final = "competition"  # the kind of the states and the documents; causes are `competition.<id>`
STANDINGS: Final = "standings"
ENTRIES: Final = "entries"


class Standing(Struct, frozen=True, gc=False):
    """A member's score in a competition, when it was reached, and the part of the leaderboard that it belongs to.

    In a league, `scope` is the division and the score is that of `round`; `previous_…` is the last score before it.
    """

    score: int
    reached_at: datetime
    scope: str = ""
    round: str = ""
    previous_round: str = ""
    previous_score: int = 0
    previous_reached_at: datetime | None = None


class CompetitionState(Struct, frozen=True, gc=False):
    """A member's `standing` in a competition, if it is a ranking, and their number of `entries`."""

    standing: Standing | None = None
    entries: int = 0
    due_at: ClassVar[datetime | None] = None  # time alone changes nothing


_NONE: Mapping[str, CompetitionState] = {}
_NOTHING = CompetitionState()


def _states(member: Member) -> Mapping[str, CompetitionState]:
    return member.states.get(KIND, _NONE)


def standing_of(member: Member, competition_id: str) -> Standing | None:
    """Return a member's standing in a competition, or None."""
    return _states(member).get(competition_id, _NOTHING).standing


def standings_of(member: Member) -> dict[str, Standing]:
    """Return a member's standings by the competitions' ids."""
    return {key: state.standing for key, state in _states(member).items() if state.standing is not None}


def entries_of(member: Member) -> dict[str, int]:
    """Return a member's numbers of entries by the competitions' ids."""
    return {key: state.entries for key, state in _states(member).items() if state.entries}


def keep_standing(member: Member, competition_id: str, standing: Standing) -> None:
    """Set a member's standing in a competition."""
    states = states_of(member, KIND)
    before = states.get(competition_id)
    states[competition_id] = CompetitionState(standing, 0 if before is None else before.entries)


def add_entries(member: Member, competition_id: str, number: int) -> None:
    """Add entries, or remove them if the number is negative. A member never has less than 0."""
    states = states_of(member, KIND)
    before = states.get(competition_id, _NOTHING)
    after = structs.replace(before, entries=max(before.entries + number, 0))
    if after != _NOTHING:
        states[competition_id] = after
    else:
        states.pop(competition_id, None)


def cause_of(competition_id: str) -> Cause:
    """Return the cause that stands for a competition."""
    return Cause(KIND, competition_id)


def _standing(state: CompetitionState) -> Standing | None:
    return state.standing


def _with_standing(state: CompetitionState | None, standing: Standing) -> CompetitionState:
    return structs.replace(state or _NOTHING, standing=standing)


def _entries(state: CompetitionState) -> int | None:
    return state.entries or None


def _with_entries(state: CompetitionState | None, entries: int) -> CompetitionState:
    return structs.replace(state or _NOTHING, entries=entries)


TABLES = (
    StateTable(STANDINGS, KIND, Standing, _standing, _with_standing, follows_position=True),
    StateTable(ENTRIES, KIND, int, _entries, _with_entries),
)
