"""Settle competitions that have ended: pay each prize once, and draw winners with a seed whose hash was published before."""

import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from plaudit import clock
from plaudit.engine import inbox
from plaudit.engine.arrival import Payload, arrival_from_client
from plaudit.engine.members import hold
from plaudit.errors import Conflict
from plaudit.mechanics.competitions.commands import PRIZE
from plaudit.mechanics.competitions.compiled import Competition, competition_of
from plaudit.mechanics.competitions.draw import Ticket, draw, draw_order, seed_hash, tickets_digest
from plaudit.storage.postgres import Connection, Pool, atomic
from plaudit.storage.programmes import Programme, Programmes, clock_of
from plaudit.storage.queries import queries_beside

from .pieces import Piece, attempt

_SQL = queries_beside(__file__)

CHORE = "settle_competitions"

SEED_BYTES = 32

Json = dict[str, Any]


async def settle_competitions(pool: Pool, programmes: Programmes) -> int:
    """Create missing seeds, and pay the prizes of finished competitions. Return how many had ended."""
    async with pool.acquire() as connection:
        for row in await connection.fetch(_SQL.unopened):
            await open_draw(connection, row["org_id"], row["id"])
        ended = [Piece(CHORE, "competition", *row) for row in await connection.fetch(_SQL.ended)]
        ended = [piece for piece in ended if not piece.is_left_out]
        for piece in ended:
            await attempt(connection, piece, _settle(connection, programmes, piece))
    return len(ended)


async def open_draw(connection: Connection, org_id: UUID, competition_id: str) -> None:
    """Generate a competition's seed, unless it has one."""
    at = (await clock_of(connection, org_id)).now()
    await connection.execute(_SQL.open_contest, org_id, competition_id, secrets.token_bytes(SEED_BYTES), at)


async def _settle(connection: Connection, programmes: Programmes, piece: Piece) -> None:
    programme = await programmes.refresh(piece.org_id)
    competition = competition_of(programme.compiled, piece.document_id)
    if competition is not None:
        await _pay_prizes(connection, programme, competition)


async def _pay_prizes(connection: Connection, programme: Programme, competition: Competition) -> None:
    """Queue an event that pays each winner. Its id derives from competition and rank, so it is paid once."""
    org_id, competition_id = programme.compiled.org_id, competition.competition_id
    async with atomic(connection):
        contest = await connection.fetchrow(_SQL.lock_contest, org_id, competition_id)
        if contest is None or contest["settled_at"] is not None:
            return
        last = max(prize.last for prize in competition.prizes)
        rows = await connection.fetch(_SQL.places, org_id, competition_id, last)
        held = await hold(connection, [row["member_id"] for row in rows])
        rows = [row for row in rows if row["member_id"] in held]
        winners: list[Json] = []
        for rank, row in enumerate(rows, start=1):
            band = competition.prize_for(rank)
            if band is not None:
                winners.append({"rank": rank, "userId": row["user_id"], "score": row["score"], "band": band})
        now = programme.now()
        arrivals = [
            arrival_from_client(
                org_id=org_id,
                user_id=winner["userId"],
                kind=PRIZE,
                trigger=PRIZE,
                occurred_at=now,
                received_at=clock.now(),
                payload=Payload({"competitionId": competition_id, "band": winner["band"], "rank": winner["rank"]}),
                source="engine",
                event_id=clock.new_uuid7(),
                event_key=f"prize:{competition_id}:{winner['rank']}",
            )
            for winner in winners
        ]
        if arrivals:
            await inbox.append(connection, arrivals)
        result = msgspec.json.encode({"winners": winners}).decode()
        await connection.execute(_SQL.settle_contest, org_id, competition_id, now, result)


async def draw_winners(connection: Connection, programme: Programme, competition: Competition, winners: int) -> Json:
    """Draw winners from the entries of a finished competition. Winners are drawn once; later calls return the same result.

    Raise Conflict while entries can still arrive.
    """
    now = programme.now()
    if competition.ends_at is None or now < competition.ends_at:
        raise Conflict("The competition is still open; draw after its endDate", code="competition_open")
    org_id, competition_id = programme.compiled.org_id, competition.competition_id
    await open_draw(connection, org_id, competition_id)
    async with atomic(connection):
        contest = await connection.fetchrow(_SQL.lock_contest, org_id, competition_id)
        assert contest is not None
        if contest["settled_at"] is not None:
            return msgspec.json.decode(contest["result"])
        rows = await connection.fetch(_SQL.tickets, org_id, competition_id)
        tickets = draw_order(
            Ticket(row["member_id"], row["user_id"], row["entries"])
            for row in rows
            if row["user_id"] not in competition.excluded
        )
        result = _result(contest["seed"], tickets, winners)
        await connection.execute(_SQL.settle_contest, org_id, competition_id, now, msgspec.json.encode(result).decode())
        return result


def _result(seed: bytes, tickets: Sequence[Ticket], winners: int) -> Json:
    drawn = draw(seed, tickets, winners)
    return {
        "seed": seed.hex(),
        "seedHash": seed_hash(seed),
        "members": len(tickets),
        "entries": sum(ticket.entries for ticket in tickets),
        "entriesDigest": tickets_digest(tickets),
        "winners": [
            {"rank": rank, "userId": ticket.user_id, "entries": ticket.entries}
            for rank, ticket in enumerate(drawn, start=1)
        ],
    }
