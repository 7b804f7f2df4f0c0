"""Leagues: the prize and the next division for each place of a round."""

from typing import Any, Final

from msgspec import structs

from plaudit.core.context import Context

from .compiled import Competition, League
from .state import keep_standing, standing_of
from .triggers import PROMOTED, RELEGATED

PLACES_KEPT: Final = 1_000  # the places stored of each division of a round, for its leaderboard

Json = dict[str, Any]


def outcome_of_place(competition: Competition, league: League, place: Json) -> Json | None:
    """Return a place's prize and next division, or None if it has neither."""
    division = None
    index = league.divisions.index(place["scope"]) if place["scope"] in league.divisions else 0
    if place["rank"] <= league.promote and index + 1 < len(league.divisions):
        division = league.divisions[index + 1]
    elif place["rank"] > max(place["members"] - league.relegate, 1) and index > 0:  # the winner is never relegated
        division = league.divisions[index - 1]
    band = competition.prize_for(place["rank"])
    if division is None and band is None:
        return None
    return {
        "userId": place["user_id"],
        "from": place["scope"],
        "division": division,
        "rank": place["rank"],
        "score": place["score"],
        "band": band,
    }


def move_to_division(context: Context, competition: Competition, division: str, place: dict[str, Any]) -> None:
    """Move the member to another division after a round, and emit an event with the `place` that led there."""
    before = standing_of(context.member, competition.competition_id)
    league = competition.league
    if before is None or league is None or division not in league.divisions or division == before.scope:
        return
    up = before.scope in league.divisions and league.divisions.index(division) > league.divisions.index(before.scope)
    keep_standing(context.member, competition.competition_id, structs.replace(before, scope=division))
    data = {"competitionId": competition.competition_id, "division": division, **place}
    context.emit(PROMOTED if up else RELEGATED, data, competition.cause)
