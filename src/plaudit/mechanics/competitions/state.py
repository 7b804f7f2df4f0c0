"""What a member has in competitions, as it is kept: by the competition's id. Each part of it has a table of its own."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from msgspec import Struct, structs

from plaudit.core.cause import Cause
from plaudit.core.member import Member, StateTable, states_of

KIND: Final = "competition"  # of the states and the documents; causes are `competition.<id>`
STANDINGS: Final = "standings"
ENTRIES: Final = "entries"


class Standing(Struct, frozen=True, gc=False):
    """A member's score in a competition, since when it is that, and the part of the board that it is in.

    In a league `scope` is the division, and the score is that of `round`; `previous_…` is what it was in the round before.
    """

    score: int
    reached_at: datetime
    scope: str = ""
    round: str = ""
    previous_round: str = ""
    previous_score: int = 0
    previous_reached_at: datetime | None = None


class CompetitionState(Struct, frozen=True, gc=False):
    """What a member has in a competition: a `standing`, where it is a ranking, and how many `entries`."""

    standing: Standing | None = None
    entries: int = 0
    due_at: ClassVar[datetime | None] = None  # time alone changes nothing


_NONE: Mapping[str, CompetitionState] = {}
_NOTHING = CompetitionState()


def _states(member: Member) -> Mapping[str, CompetitionState]:
    return member.states.get(KIND, _NONE)


def standing_of(member: Member, competition_id: str) -> Standing | None:
    """Return a member's score in a competition; None without one."""
    return _states(member).get(competition_id, _NOTHING).standing


def standings_of(member: Member) -> dict[str, Standing]:
    """Return a member's scores by the competitions."""
    return {key: state.standing for key, state in _states(member).items() if state.standing is not None}


def entries_of(member: Member) -> dict[str, int]:
    """Return how many entries a member has, by the competitions."""
    return {key: state.entries for key, state in _states(member).items() if state.entries}


def keep_standing(member: Member, competition_id: str, standing: Standing) -> None:
    """Put a score down."""
    states = states_of(member, KIND)
    before = states.get(competition_id)
    states[competition_id] = CompetitionState(standing, 0 if before is None else before.entries)


def add_entries(member: Member, competition_id: str, number: int) -> None:
    """Add entries, or take them away: none are left at the least."""
    states = states_of(member, KIND)
    before = states.get(competition_id, _NOTHING)
    after = structs.replace(before, entries=max(before.entries + number, 0))
    if after != _NOTHING:
        states[competition_id] = after
    else:
        states.pop(competition_id, None)


def cause_of(competition_id: str) -> Cause:
    """Return a competition as a cause."""
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
