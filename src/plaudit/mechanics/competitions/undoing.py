"""Rolls back entries and scores from events. Scores from earnings change when the ledger reverses the earnings."""

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


class Excess(Struct, frozen=True):
    """The entries and the score that a member would not have in a competition."""

    entries: int = 0
    score: int = 0


class _Logged(Struct):
    """Entries and scores in a logged order, by the competitions' ids."""

    entries: dict[str, int] = {}
    scores: dict[str, int] = {}


def to_undo(program: Program, real: Member, would: Member) -> dict[str, Excess]:
    """Return the entries and scores that a member has in excess of those they `would` have, by the competitions' ids."""
    others: Mapping[str, CompetitionState] = would.states.get(KIND, {})
    parts: dict[str, Excess] = {}
    states: Mapping[str, CompetitionState] = real.states.get(KIND, {})
    for competition_id, state in states.items():
        other = others.get(competition_id, _NOTHING)
        competition = competition_of(program, competition_id)
        score = 0
        if competition is not None and competition.metric is None and state.standing is not None:
            score = max(state.standing.score - _score_of(other, state.standing.round), 0)
        excess = Excess(max(state.entries - other.entries, 0), score)
        if excess != Excess():
            parts[competition_id] = excess
    return parts


def _score_of(state: CompetitionState, of_round: str) -> int:
    standing: Standing | None = state.standing
    return 0 if standing is None or standing.round != of_round else standing.score


def undo(context: Context, parts: Mapping[str, Excess]) -> None:
    """Subtract the entries and scores that `to_undo` returned."""
    for competition_id, excess in parts.items():
        add_entries(context.member, competition_id, -excess.entries)
        competition = competition_of(context.program, competition_id)
        if competition is not None and excess.score:
            context.contain(scores.withdraw, competition, excess.score, cause=competition.cause)


def count_undone(before: Mapping[str, CompetitionState], after: Mapping[str, CompetitionState]) -> dict[str, int]:
    """Return the number of entries that were removed."""
    return {ENTRIES: sum(max(state.entries - after.get(key, _NOTHING).entries, 0) for key, state in before.items())}


def from_log(data: Mapping[str, Any]) -> dict[str, Excess]:
    """Return what a logged order undoes, by the competitions' ids."""
    logged = msgspec.convert({name: data.get(name) or {} for name in (ENTRIES, SCORES)}, _Logged, strict=False)
    ids = dict.fromkeys((*logged.entries, *logged.scores))
    return {key: Excess(logged.entries.get(key, 0), logged.scores.get(key, 0)) for key in ids}


def as_logged(parts: Mapping[str, Excess]) -> dict[str, Any]:
    """Return what a rollback undoes in the form of a logged order."""
    return {
        ENTRIES: {key: part.entries for key, part in parts.items() if part.entries},
        SCORES: {key: part.score for key, part in parts.items() if part.score},
    }
