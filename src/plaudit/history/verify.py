"""Checks the invariants of the ledger by queries and by a replay of the log."""

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

TRANSFERS_PER_QUERY = 5_000


def _arrivals(transfer_id: UUID) -> list[UUID]:
    """Return the ids of the events that can deliver a transfer: to its receiver or back, or to a member they were merged into."""
    direct = list(receipt_ids(transfer_id))
    return [*direct, *map(passed_on_id, direct)]


async def _transfers(connection: Connection) -> InvariantResult:
    """Check that every transfer has arrived or been returned in full, or is in progress, and is reversed on both sides."""
    counted, wrong = 0, list[str]()
    reversed_amounts = {row["event_id"]: row["amount"] for row in await connection.fetch(_SQL.transfers_reversed)}
    after = (-1, 0)
    while rows := await connection.fetch(_SQL.transfers, *after, TRANSFERS_PER_QUERY):
        after = (rows[-1]["bucket"], rows[-1]["position"])
        counted += len(rows)
        arrivals = {row["event_id"]: _arrivals(row["event_id"]) for row in rows}
        ids = [event_id for arrival_ids in arrivals.values() for event_id in arrival_ids]
        amounts = {row["event_id"]: row["amount"] for row in await connection.fetch(_SQL.arrived, ids)}
        for row in rows:
            transfer_id = row["event_id"]
            arrived = [amounts[event_id] for event_id in arrivals[transfer_id] if event_id in amounts]
            if arrived not in ([None], [row["amount"]]):
                wrong.append(f"transfer {transfer_id}: {row['amount']} left, {arrived} arrived")
            both_sides = (transfer_id, *arrivals[transfer_id])
            reversals = [reversed_amounts[event_id] for event_id in both_sides if event_id in reversed_amounts]
            if sum(reversals):
                wrong.append(f"transfer {transfer_id}: {reversals} were reversed on its two sides")
    return TRANSFERS.check(counted, wrong)


async def verify(connection: Connection, org_id: UUID | None = None) -> list[InvariantResult]:
    """Check every invariant in one snapshot, for one organisation or for all."""
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
    results: list[InvariantResult] = []
    for query, invariant in BY_QUERY.items():
        rows = await connection.fetch(_SQL.by_name[query])
        results.append(invariant.check(counted[invariant.counted], [str(row[0]) for row in rows]))
    others = await connection.fetch(_SQL.states_of_others, [*STATE_KINDS])
    results.append(STATE_KINDS_KNOWN.check(counted[STATE_KINDS_KNOWN.counted], [str(row[0]) for row in others]))
    results.append(await _transfers(connection))
    replayed = await replay(connection)
    results += _of_recount(replayed.recount)
    results.append(REPLAY.check(replayed.events, replayed.differences))
    if replayed.not_comparable:
        members = replayed.not_comparable
        examples = members[:EXAMPLES_MAX]
        results.append(InvariantResult(NOT_COMPARABLE.name, len(members), 0, examples, NOT_COMPARABLE.remedy))
    return results


def _of_recount(recount: Recount) -> list[InvariantResult]:
    return [
        counted_once().check(recount.events, recount.counted_twice),
        *(
            invariant.check(recount.mechanics[kind].checked, recount.mechanics[kind].wrong)
            for kind, invariant in of_mechanics().items()
        ),
        *(invariant.check(recount.members, recount.unsound[name]) for name, invariant in of_members().items()),
    ]
