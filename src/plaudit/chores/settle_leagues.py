"""Settle rounds of leagues: promotions, relegations and prizes at the end of each round, one event per member."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from plaudit import clock
from plaudit.core.periods import first_day, first_instant, local_day, next_period_at, period_key
from plaudit.engine import inbox
from plaudit.engine.arrival import Arrival, Payload, arrival_from_client
from plaudit.engine.members import hold
from plaudit.mechanics.competitions.commands import PRIZE
from plaudit.mechanics.competitions.compiled import Competition, League, competition_of
from plaudit.mechanics.competitions.leagues import PLACES_KEPT, outcome_of_place
from plaudit.storage.postgres import Connection, atomic
from plaudit.storage.programmes import Programme, Programmes
from plaudit.storage.queries import queries_beside

from .pieces import Piece, attempt

_SQL = queries_beside(__file__)

CHORE = "settle_leagues"

Json = dict[str, Any]

PATIENCE_MINUTES = 10  # how long a round waits for members' timers that were due before its end
_AFTER_ALL_ROUNDS = "9999"
_OF_PLACE = ("scope", "rank", "score", "reached_at")


async def settle_rounds(connection: Connection, programmes: Programmes, org_id: UUID | None = None) -> int:
    """Settle the finished rounds of all leagues, or of one organisation's leagues. Return their number."""
    settled = 0
    for *key, minutes in await connection.fetch(_SQL.leagues):
        piece = Piece(CHORE, "league", *key)
        if not piece.is_left_out and org_id in (None, piece.org_id):
            settled += await attempt(connection, piece, _settle_rounds_of(connection, programmes, piece, minutes)) or 0
    return settled


async def _settle_rounds_of(connection: Connection, programmes: Programmes, piece: Piece, minutes: int) -> int:
    programme = await programmes.current(piece.org_id)
    competition = competition_of(programme.compiled, piece.document_id)
    if competition is None or competition.league is None:
        return 0
    return await _settle(connection, programme, competition, competition.league, timedelta(minutes=minutes))


async def _settle(
    connection: Connection, programme: Programme, competition: Competition, league: League, late: timedelta
) -> int:
    """Settle the finished rounds of a league in order, as a member's division depends on the previous round."""
    zone = programme.compiled.settings.time_zone
    at = programme.now() - late
    begins_at = first_instant(first_day(local_day(at, zone), league.period), zone)
    current = period_key(at, league.period, zone)
    previous = period_key(begins_at - timedelta(seconds=1), league.period, zone)
    key = programme.compiled.org_id, competition.competition_id
    if await connection.fetchval(_SQL.round_settled, *key, previous):
        return 0
    patient = at < begins_at + timedelta(minutes=PATIENCE_MINUTES)
    if await connection.fetchval(_SQL.waits_before, programme.compiled.org_id, begins_at, patient):
        return 0
    played = [row["round"] for row in await connection.fetch(_SQL.rounds_played, *key, current)]
    settled = 0
    for name in dict.fromkeys([*played, previous]):
        if await connection.fetchval(
            _SQL.prizes_wait, programme.compiled.org_id, _key_of(competition.competition_id, "")
        ):
            break
        await _settle_round(connection, programme, competition, league, name)
        settled += 1
    return settled


async def next_end(connection: Connection, programme: Programme) -> datetime | None:
    """Return when the next round with scores can be settled, of all the organisation's leagues, or None if none has any."""
    org_id, zone, now = programme.compiled.org_id, programme.compiled.settings.time_zone, programme.now()
    due = await connection.fetchval(_SQL.next_due, org_id, now)
    ends: list[datetime] = []
    for league_org_id, competition_id, _, minutes in await connection.fetch(_SQL.leagues):
        competition = competition_of(programme.compiled, competition_id)
        if league_org_id != org_id or competition is None or competition.league is None:
            continue
        played = await connection.fetch(_SQL.rounds_played, org_id, competition_id, _AFTER_ALL_ROUNDS)
        busy = now if played else due
        if busy is not None:
            late = timedelta(minutes=minutes)
            ends.append(next_period_at(busy - late, competition.league.period, zone) + late)
    return min(ends, default=None)


async def _settle_round(
    connection: Connection, programme: Programme, competition: Competition, league: League, name: str
) -> None:
    org_id, competition_id = programme.compiled.org_id, competition.competition_id
    async with atomic(connection):
        rows = await connection.fetch(_SQL.places_of_round, org_id, competition_id, name)
        held = await hold(connection, [row["member_id"] for row in rows])
        outcomes = (outcome_of_place(competition, league, dict(row)) for row in rows if row["member_id"] in held)
        moved = [outcome for outcome in outcomes if outcome is not None]
        top = [row for row in rows if row["member_id"] in held and row["rank"] <= PLACES_KEPT]
        places = [{"userId": row["user_id"], **{name: row[name] for name in _OF_PLACE}} for row in top]
        members = {row["scope"]: row["members"] for row in rows}
        result = msgspec.json.encode({"moved": moved, "places": places, "members": members}).decode()
        if await connection.fetchval(_SQL.settle_round, org_id, competition_id, name, programme.now(), result):
            arrivals = [_arrival(programme, competition_id, name, record) for record in moved]
            if arrivals:
                await inbox.append(connection, arrivals)


def _arrival(programme: Programme, competition_id: str, name: str, row: Json) -> Arrival:
    data = {"competitionId": competition_id, "round": name} | {part: row[part] for part in ("division", "rank", "band")}
    return arrival_from_client(
        org_id=programme.compiled.org_id,
        user_id=row["userId"],
        kind=PRIZE,
        trigger=PRIZE,
        occurred_at=programme.now(),
        received_at=clock.now(),
        payload=Payload(data),
        source="engine",
        event_id=clock.new_uuid7(),
        event_key=_key_of(competition_id, f"{name}:{row['userId']}")[:400],
    )


def _key_of(competition_id: str, of_round: str) -> str:
    """Return the key of a league's prize, or with an empty `of_round` the prefix of all of them."""
    return f"round:{competition_id}:{of_round}"
