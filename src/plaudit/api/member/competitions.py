"""The competitions of the calling member."""

from typing import Any

from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import optional_time
from plaudit.api.identity.current_member import OWN, groups_of, is_visible_to, load_current_member
from plaudit.api.views.base import Page, page_of
from plaudit.core.metrics import to_number
from plaudit.mechanics.competitions.compiled import competition_of
from plaudit.mechanics.competitions.state import KIND as COMPETITION
from plaudit.mechanics.competitions.view import MemberCompetition, score_decimals
from plaudit.reads import leaderboards
from plaudit.storage.programmes import Programme

MemberCompetitionList = page_of(MemberCompetition, "competitions", paged=False)


async def get_competitions(call: Call) -> Page:
    """Return the competitions with the member's entries, or rank and score."""
    programme, view = await load_current_member(call)
    entries = {row["competition_id"]: row["entries"] for row in view.parts["entries"]}
    async with call.connection() as connection:
        standings = await leaderboards.standings_of(connection, view.member_id)
    groups = groups_of(view)
    views: list[MemberCompetition] = []
    for competition_id, competition in programme.mechanics[COMPETITION].items():
        if competition.status not in ("active", "completed") or not is_visible_to(competition.segments, groups):
            continue
        result: dict[str, Any] = {"entries": entries.get(competition_id, 0)}
        if competition.score is not None:
            result = await _standing(call, programme, competition_id, standings.get(competition_id))
        views.append(
            MemberCompetition(
                competition_id=competition_id,
                name=competition.name,
                status=competition.status,
                starts_at=optional_time(competition.start_date),
                ends_at=optional_time(competition.end_date),
                **result,
            )
        )
    return MemberCompetitionList.of(views)


async def _standing(
    call: Call, programme: Programme, competition_id: str, part: tuple[str, str] | None
) -> dict[str, Any]:
    unranked: dict[str, Any] = {"rank": None, "score": None, "of": None, "scope": None}
    if part is None:
        return unranked
    competition = competition_of(programme.compiled, competition_id)
    assert competition is not None
    scope = part[0] if competition.scope_field is not None or competition.league is not None else None
    board = await call.services.boards.board(call.org_id, competition_id, scope, part[1])
    places = board.among([call.user_id])
    if not places:
        return unranked
    score = to_number(places[0].score, score_decimals(programme.compiled, competition))
    return {"rank": places[0].rank, "score": score, "of": len(board), "scope": scope}


OPERATIONS = [
    Operation(
        name="listMyCompetitions", method="GET", path="/api/loyalty/me/competitions",
        summary="List the member's competitions, with rank or entries", run=get_competitions,
        response=MemberCompetitionList, **OWN,
    ),
]  # fmt: skip
