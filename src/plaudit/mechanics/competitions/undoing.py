"""Rollbacks in competitions: entries and scores by triggers. Scores by earnings fall with the reversals."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from plaudit.core.context import Context
from plaudit.core.member import Member
from plaudit.core.program import Program

from . import scores
from .compiled import competition_of
from .state import ENTRIES, KIND, CompetitionState, Standing, add_entries

SCORES: Final = "scores"
_NOTHING = CompetitionState()


class TooMuch(Struct, frozen=True):
    """What a member has in a competition, and would not have."""

    entries: int = 0
    score: int = 0


class _Logged(Struct):
    """The same as orders of the log have it: numbers by the competitions' ids."""

    entries: dict[str, int] = {}
    scores: dict[str, int] = {}


def to_undo(program: Program, real: Member, would: Member) -> dict[str, TooMuch]:
    """Return what a member has more than they `would` have."""
    others: Mapping[str, CompetitionState] = would.states.get(KIND, {})
    found: dict[str, TooMuch] = {}
    states: Mapping[str, CompetitionState] = real.states.get(KIND, {})
    for competition_id, state in states.items():
        other = others.get(competition_id, _NOTHING)
        competition = competition_of(program, competition_id)
        score = 0
        if competition is not None and competition.metric is None and state.standing is not None:
            score = max(state.standing.score - _score_of(other, state.standing.round), 0)
        too_much = TooMuch(max(state.entries - other.entries, 0), score)
        if too_much != TooMuch():
            found[competition_id] = too_much
    return found


def _score_of(state: CompetitionState, of_round: str) -> int:
    standing: Standing | None = state.standing
    return 0 if standing is None or standing.round != of_round else standing.score


def undo(context: Context, parts: Mapping[str, TooMuch]) -> None:
    """Take that back."""
    for competition_id, too_much in parts.items():
        add_entries(context.member, competition_id, -too_much.entries)
        competition = competition_of(context.program, competition_id)
        if competition is not None and too_much.score:
            context.contain(scores.take_back, competition, too_much.score, cause=competition.cause)


def count_undone(before: Mapping[str, CompetitionState], after: Mapping[str, CompetitionState]) -> dict[str, int]:
    """Return how many entries were taken back."""
    return {ENTRIES: sum(max(state.entries - after.get(key, _NOTHING).entries, 0) for key, state in before.items())}


def from_log(data: Mapping[str, Any]) -> dict[str, TooMuch]:
    """Return what an order of the log undoes."""
    logged = msgspec.convert({name: data.get(name) or {} for name in (ENTRIES, SCORES)}, _Logged, strict=False)
    ids = dict.fromkeys((*logged.entries, *logged.scores))
    return {key: TooMuch(logged.entries.get(key, 0), logged.scores.get(key, 0)) for key in ids}


def as_logged(parts: Mapping[str, TooMuch]) -> dict[str, Any]:
    """Return it as an order of the log has it."""
    return {
        ENTRIES: {key: part.entries for key, part in parts.items() if part.entries},
        SCORES: {key: part.score for key, part in parts.items() if part.score},
    }
