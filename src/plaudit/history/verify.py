"""The invariants of the ledger, as queries, and a replay of the log."""

from uuid import UUID

from plaudit.core.commands.passed_on import passed_on_id
from plaudit.core.commands.receipt import receipt_ids
from plaudit.core.member import STATE_KINDS
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .invariants import (
    BY_QUERY,
    EXAMPLES_MAX,
    NOT_COMPARABLE,
    REPLAY,
    STATE_KINDS_KNOWN,
    TRANSFERS,
    InvariantResult,
    counted_once,
    of_mechanics,
    of_members,
)
from .one_org import see_only
from .recount import Recount
from .replay import replay

_SQL = queries_beside(__file__)

TRANSFERS_AT_ONCE = 5_000


def _arrivals(transfer_id: UUID) -> list[UUID]:
    """Return the events that may deliver a transfer: to its receiver, its sender, or whoever they were merged into."""
    there = list(receipt_ids(transfer_id))
    return [*there, *map(passed_on_id, there)]


async def _transfers(connection: Connection) -> InvariantResult:
    """Check that every transfer has arrived or come back whole, or is in progress, and is reversed on both sides."""
    counted, wrong = 0, list[str]()
    taken_back = {row["event_id"]: row["amount"] for row in await connection.fetch(_SQL.transfers_reversed)}
    place = (-1, 0)
    while rows := await connection.fetch(_SQL.transfers, *place, TRANSFERS_AT_ONCE):
        place = (rows[-1]["bucket"], rows[-1]["position"])
        counted += len(rows)
        ways = {row["event_id"]: _arrivals(row["event_id"]) for row in rows}
        ids = [event_id for both in ways.values() for event_id in both]
        there = {row["event_id"]: row["amount"] for row in await connection.fetch(_SQL.arrived, ids)}
        for row in rows:
            transfer_id = row["event_id"]
            arrived = [there[event_id] for event_id in ways[transfer_id] if event_id in there]
            if arrived not in ([None], [row["amount"]]):
                wrong.append(f"transfer {transfer_id}: {row['amount']} left, {arrived} arrived")
            back = [taken_back[event_id] for event_id in (transfer_id, *ways[transfer_id]) if event_id in taken_back]
            if sum(back):
                wrong.append(f"transfer {transfer_id}: {back} were taken back at its two ends")
    return TRANSFERS.check(counted, wrong)


async def verify(connection: Connection, org_id: UUID | None = None) -> list[InvariantResult]:
    """Check every invariant as of one instant, of one organisation or of all."""
    transaction = connection.transaction(isolation="repeatable_read", readonly=org_id is None)
    await transaction.start()
    try:
        await connection.execute("SET LOCAL statement_timeout = 0")
        if org_id is not None:
            await see_only(connection, org_id)
        return await _checks(connection)
    finally:
        await transaction.rollback()


async def _checks(connection: Connection) -> list[InvariantResult]:
    counted = await connection.fetchrow(_SQL.counted)
    assert counted is not None
    found: list[InvariantResult] = []
    for query, invariant in BY_QUERY.items():
        rows = await connection.fetch(_SQL.by_name[query])
        found.append(invariant.check(counted[invariant.counted], [str(row[0]) for row in rows]))
    others = await connection.fetch(_SQL.states_of_others, [*STATE_KINDS])
    found.append(STATE_KINDS_KNOWN.check(counted[STATE_KINDS_KNOWN.counted], [str(row[0]) for row in others]))
    found.append(await _transfers(connection))
    replayed = await replay(connection)
    found += _of_recount(replayed.recount)
    found.append(REPLAY.check(replayed.events, replayed.differences))
    if replayed.not_comparable:
        shown = replayed.not_comparable
        found.append(InvariantResult(NOT_COMPARABLE.name, len(shown), 0, shown[:EXAMPLES_MAX], NOT_COMPARABLE.remedy))
    return found


def _of_recount(found: Recount) -> list[InvariantResult]:
    return [
        counted_once().check(found.events, found.counted_twice),
        *(
            invariant.check(found.mechanics[kind].checked, found.mechanics[kind].wrong)
            for kind, invariant in of_mechanics().items()
        ),
        *(invariant.check(found.members, found.unsound[what]) for what, invariant in of_members().items()),
    ]
