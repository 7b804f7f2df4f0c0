"""The operations of competitions in addition to CRUD: leaderboards, entries, draws and winners."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from plaudit.api.http.operations import PAGING, Call, Operation, Parameter
from plaudit.api.http.paging import page_size, paged, read_cursor
from plaudit.api.http.wire import optional_time, time_text
from plaudit.api.views.base import Page, page_of
from plaudit.chores.settle_competitions import draw_winners, open_draw
from plaudit.core.metrics import to_number
from plaudit.core.periods import period_key
from plaudit.errors import FieldError, Invalid, NotFound, invalid_fields
from plaudit.mechanics.competitions.compiled import Competition, competition_of
from plaudit.mechanics.competitions.draw import seed_hash
from plaudit.mechanics.competitions.view import Draw, Entry, LeaderboardPlace, Winner, score_decimals
from plaudit.reads import leaderboards, rounds
from plaudit.reads.leaderboards import Leaderboard, RankedMember
from plaudit.reads.rounds import PastBoard
from plaudit.storage.programmes import Programme
from plaudit.view import Time

USERS_MAX = 100

LeaderboardPage = page_of(LeaderboardPlace, "leaderboard", [("count", int)], name="Leaderboard")
EntryList = page_of(Entry, "entries")
WinnerList = page_of(
    Winner, "winners", [("settled_at", Time | None), ("round", str | UnsetType | None, UNSET)], paged=False
)


class DrawRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """How many winners to draw."""

    winners: Annotated[int, Meta(ge=1, le=10_000)] = 1


class _StoredWinner(Struct, rename="camel"):
    rank: int
    user_id: str
    score: int | None = None
    entries: int | None = None


class _StoredResult(Struct):
    winners: list[_StoredWinner] = []


_RESULT = msgspec.json.Decoder(_StoredResult)


async def leaderboard(call: Call) -> Page:
    """Return a leaderboard: from the top, around a member, or among some members, such as friends."""
    programme, competition = await _competition(call)
    if not competition.is_ranking:
        raise Invalid("This competition has no score, so it has no leaderboard", code="not_a_ranking")
    size = page_size(call.query)
    scope = call.query.get("scope")
    league = competition.league
    if scope is not None and competition.scope_field is None and league is None:
        raise invalid_fields([FieldError("scope", "is only allowed if the competition has a scopeField or leagues")])
    if league is not None and scope is None and len(league.divisions) == 1:
        scope = league.divisions[0]
    if league is not None and scope not in league.divisions:
        raise invalid_fields([FieldError("scope", f"must be one of the divisions {', '.join(league.divisions)}")])
    current_round = (
        "" if league is None else period_key(programme.now(), league.period, programme.compiled.settings.time_zone)
    )
    round_name = _requested_round(call, competition)
    board: Leaderboard | PastBoard
    if league is None or round_name is None or round_name == current_round:
        board = await call.services.boards.board(call.org_id, competition.competition_id, scope, current_round)
    else:
        assert scope is not None
        async with call.connection() as connection:
            past = await rounds.board_of(connection, call.org_id, competition.competition_id, scope, round_name)
        if past is None:
            raise _no_round(round_name)
        board = past
    decimals = score_decimals(programme.compiled, competition)
    cursor = None
    if "userId" in call.query:
        places = board.around(call.query["userId"], size)
    elif "userIds" in call.query:
        user_ids = call.query["userIds"].split(",")
        if len(user_ids) > USERS_MAX:
            raise invalid_fields([FieldError("userIds", f"may have at most {USERS_MAX} users")])
        places = board.among(user_ids)
    else:
        (first,) = read_cursor(call.query, tuple[int], (1,))
        page, cursor = paged(board.top(max(first, 1), size + 1), size, lambda standing: (standing.rank + 1,))
        places = page
    views = [_place_view(standing, decimals) for standing in places]
    return LeaderboardPage.of(views, count=len(board), cursor=cursor)


def _requested_round(call: Call, competition: Competition) -> str | None:
    round_name = call.query.get("round")
    if round_name is not None and competition.league is None:
        raise invalid_fields([FieldError("round", "is for a competition that has leagues")])
    return round_name


def _no_round(name: str) -> NotFound:
    return NotFound(f"No round {name!r} has been played; rounds have names such as 2026-W47", code="round_not_found")


def _place_view(standing: RankedMember, decimals: int) -> LeaderboardPlace:
    return LeaderboardPlace(
        rank=standing.rank,
        user_id=standing.user_id,
        score=to_number(standing.score, decimals),
        reached_at=time_text(standing.reached_at),
    )


async def list_entries(call: Call) -> Page:
    """Return the entries of a competition by member."""
    _, competition = await _competition(call)
    page = call.page(tuple[UUID], (UUID(int=0),))
    async with call.connection() as connection:
        rows = await leaderboards.entries(connection, call.org_id, competition.competition_id, *page.start, page.limit)
    rows, cursor = page.cut(rows, lambda row: (row["member_id"],))
    return EntryList.of([Entry(user_id=row["user_id"], entries=row["entries"]) for row in rows], cursor=cursor)


async def get_draw(call: Call) -> Draw:
    """Return the hash of the draw's seed, which exists from the start; after the draw, also the seed and result."""
    _, competition = await _competition(call)
    async with call.connection() as connection:
        await open_draw(connection, call.org_id, competition.competition_id)
        row = await leaderboards.contest(connection, call.org_id, competition.competition_id)
    assert row is not None
    result = Draw() if row["result"] is None else msgspec.json.decode(row["result"], type=Draw)
    return structs.replace(result, seed_hash=seed_hash(row["seed"]), drawn_at=optional_time(row["settled_at"]))


async def post_draw(call: Call) -> Draw:
    """Draw the winners, once."""
    body: DrawRequest = call.body
    programme, competition = await _competition(call)
    if competition.is_ranking:
        raise Invalid("A ranking has no draw: its prizes go to its top ranks", code="is_a_ranking")
    async with call.services.engine_pool.acquire() as connection:
        result = await draw_winners(connection, programme, competition, body.winners)
    return msgspec.convert(result, Draw)


async def list_winners(call: Call) -> Page:
    """Return all winners of a draw, or all who won prizes for their rank."""
    programme, competition = await _competition(call)
    round_name = _requested_round(call, competition)
    if competition.league is not None:
        return await _winners_of_round(call, programme, competition, round_name)
    async with call.connection() as connection:
        row = await leaderboards.contest(connection, call.org_id, competition.competition_id)
    result = _StoredResult() if row is None or row["result"] is None else _RESULT.decode(row["result"])
    decimals = score_decimals(programme.compiled, competition)
    winners = [
        Winner(
            rank=winner.rank,
            user_id=winner.user_id,
            score=UNSET if winner.score is None else to_number(winner.score, decimals),
            entries=UNSET if winner.entries is None else winner.entries,
        )
        for winner in result.winners
    ]
    return WinnerList.of(winners, settled_at=optional_time(row["settled_at"]) if row else None)


async def _winners_of_round(call: Call, programme: Programme, competition: Competition, round_name: str | None) -> Page:
    """Return the prize winners of a round of a league: the requested one, or the last settled one."""
    async with call.connection() as connection:
        settled = await rounds.settled(connection, call.org_id, competition.competition_id, round_name)
    if settled is None:
        if round_name is not None:
            raise _no_round(round_name)
        return WinnerList.of([], settled_at=None, round=None)
    decimals = score_decimals(programme.compiled, competition)
    winners = [
        Winner(
            rank=round_move.rank,
            user_id=round_move.user_id,
            score=to_number(round_move.score, decimals),
            scope=round_move.from_,
        )
        for round_move in settled.round.moved
        if round_move.band is not None
    ]
    return WinnerList.of(winners, settled_at=time_text(settled.settled_at), round=settled.name)


async def _competition(call: Call) -> tuple[Programme, Competition]:
    programme = await call.programme()
    competition = competition_of(programme.compiled, call.path["competitionId"])
    if competition is None:
        raise NotFound("Competition not found")
    return programme, competition


_ROOT = "/v1/competitions/{competitionId}"
_ROUND = Parameter("round", "A round of leagues: a day, week or month, such as 2026-W47.", {"type": "string"})
OPERATIONS = [
    Operation(
        name="getLeaderboard", method="GET", path=f"{_ROOT}/leaderboard", summary="Get a competition's leaderboard",
        description="From the top, around a member, or among the users given.",
        run=leaderboard, scope="members:read", tag="Competitions", response=LeaderboardPage, errors=(400, 404),
        query=(
            Parameter("userId", "Show the ranks around this member", {"type": "string"}),
            Parameter("userIds", "Show only these members, comma-separated", {"type": "string"}),
            Parameter("scope", "Show one part of the board: a scopeField value or a division", {"type": "string"}), _ROUND, *PAGING,
        ),
    ),
    Operation(
        name="listEntries", method="GET", path=f"{_ROOT}/entries", summary="List a competition's entries",
        run=list_entries, scope="members:read", tag="Competitions", query=PAGING, errors=(400, 404),
        response=EntryList,
    ),
    Operation(
        name="getDraw", method="GET", path=f"{_ROOT}/draw", summary="Get a draw: its seed hash and, once drawn, result",
        run=get_draw, scope="members:read", tag="Competitions", response=Draw, errors=(400, 404),
    ),
    Operation(
        name="drawWinners", method="POST", path=f"{_ROOT}/draw", summary="Draw the winners",
        description="Works once; later calls return the same result.", run=post_draw, scope="admin:write",
        tag="Competitions", body=DrawRequest, response=Draw,
        errors=(400, 404, 409, 413),
    ),
    Operation(
        name="listWinners", method="GET", path=f"{_ROOT}/winners", summary="List a competition's winners",
        run=list_winners, scope="members:read", tag="Competitions", response=WinnerList,
        query=(_ROUND,), errors=(400, 404),
    ),
]  # fmt: skip
