"""Leagues: where a place of a round leads to, and who moves into another division."""

from typing import Any, Final

from msgspec import structs

from plaudit.core.context import Context

from .compiled import Competition, League
from .state import keep_standing, standing_of
from .triggers import PROMOTED, RELEGATED

PLACES_KEPT: Final = 1_000  # of each division of a round, for whoever asks for its board later

Json = dict[str, Any]


def outcome_of_place(competition: Competition, league: League, place: Json) -> Json | None:
    """Return what a place of a round leads to, or None."""
    division = None
    number = league.divisions.index(place["scope"]) if place["scope"] in league.divisions else 0
    if place["rank"] <= league.promote and number + 1 < len(league.divisions):
        division = league.divisions[number + 1]
    elif place["rank"] > max(place["members"] - league.relegate, 1) and number > 0:  # who is first stays
        division = league.divisions[number - 1]
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


def move_to_division(context: Context, competition: Competition, division: str, told: dict[str, Any]) -> None:
    """Into another division of a league, at the end of a round."""
    before = standing_of(context.member, competition.competition_id)
    league = competition.league
    if before is None or league is None or division not in league.divisions or division == before.scope:
        return
    up = before.scope in league.divisions and league.divisions.index(division) > league.divisions.index(before.scope)
    keep_standing(context.member, competition.competition_id, structs.replace(before, scope=division))
    data = {"competitionId": competition.competition_id, "division": division, **told}
    context.emit(PROMOTED if up else RELEGATED, data, competition.cause)
