"""The ledger, as it is read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.core.decision import Details
from plaudit.core.ids import bucket_of
from plaudit.core.lots import Part
from plaudit.errors import NotFound
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)

Row = dict[str, Any]


async def page(
    connection: Connection,
    org_id: UUID,
    before: tuple[datetime, int, int, int],
    *,
    metric: str | None,
    campaign_id: str | None,
    size: int,
) -> list[Row]:
    """The transactions of an organisation, newest first."""
    rows = await connection.fetch(SQL.page, org_id, *before, metric, campaign_id, size)
    return [dict(row) for row in rows]


async def page_of_member(
    connection: Connection,
    member_id: UUID,
    before: tuple[int, int],
    *,
    metric: str | None = None,
    campaign_id: str | None = None,
    sign: int | None = None,
    size: int,
) -> list[Row]:
    """The transactions of a member, newest first; `sign` is 1 for credits only, -1 for debits."""
    key = bucket_of(member_id), member_id
    rows = await connection.fetch(SQL.page_of_member, *key, *before, metric, campaign_id, sign, size)
    return [dict(row) for row in rows]


async def one(connection: Connection, org_id: UUID, transaction_id: UUID) -> Row | None:
    """One transaction."""
    row = await connection.fetchrow(SQL.one, org_id, transaction_id)
    return None if row is None else dict(row)


async def of_command(connection: Connection, org_id: UUID, transaction_id: UUID | None, event_id: UUID) -> Row:
    """The transaction that a command made; by its event when it had been made before. Raises NotFound."""
    if transaction_id is not None:
        row = await connection.fetchrow(SQL.one, org_id, transaction_id)
    else:
        row = await connection.fetchrow(SQL.of_event, org_id, event_id)
    if row is None:
        raise NotFound("Transaction not found", code="transaction_not_found")
    return dict(row)


class Match(Struct, frozen=True):
    """That a credit paid for a debit (or expired, or was reversed with it), and with how much of it."""

    credit: UUID
    debit: UUID
    amount: int


async def matches(connection: Connection, row: Row) -> list[Match]:
    """Which credits paid for which debits, of the member and metric of a transaction, where this one takes part.

    A debit names the lots that it took from; within a lot, what was put in first is taken first.
    """
    rows = await connection.fetch(SQL.on_lots, row["bucket"], row["member_id"], row["metric"])
    waiting: dict[int, list[list[Any]]] = {}
    found: list[Match] = []
    for one in map(dict, rows):
        parts = details_of(one).parts or (Part(PLAIN, one["amount"]),)
        for part in parts:
            there = waiting.setdefault(part.lot, [])
            if part.amount > 0:
                there.append([one["transaction_id"], part.amount])
            left = -part.amount
            while left > 0 and there:
                taken = min(left, there[0][1])
                found.append(Match(there[0][0], one["transaction_id"], taken))
                left -= taken
                there[0][1] -= taken
                if not there[0][1]:
                    del there[0]
    own = row["transaction_id"]
    return [match for match in found if own in (match.credit, match.debit)]


PLAIN = -1  # where no lots are kept, all is one


def details_of(row: Mapping[str, Any]) -> Details:
    """What the ledger keeps of a transaction beside its amount."""
    return NO_DETAILS if row["details"] is None else _DETAILS.decode(row["details"])


_DETAILS = msgspec.json.Decoder(Details)
NO_DETAILS = Details()


async def newest(connection: Connection, org_id: UUID, metric: str | None, size: int) -> list[Row]:
    """The newest transactions that changed a balance."""
    return [dict(row) for row in await connection.fetch(SQL.newest, org_id, metric, size)]
