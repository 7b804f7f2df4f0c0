"""The codes of pools, and how much of products' stock is used."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

Row = dict[str, Any]


async def totals(connection: Connection, org_id: UUID, pools: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the number of codes in each state, by pool."""
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for row in await connection.fetch(_SQL.totals, org_id, pools):
        counts[row["pool_id"]][row["state"]] = row["number"]
    return counts


async def codes_of(
    connection: Connection,
    org_id: UUID,
    pool_id: str,
    *,
    after: int,
    state: str | None,
    member_id: UUID | None,
    size: int,
) -> list[Row]:
    """Return a page of a pool's codes in the order in which they are issued, each with its owner if it has one."""
    rows = await connection.fetch(_SQL.codes_of, org_id, pool_id, after, state, member_id, size)
    return [dict(row) for row in rows]


async def named(connection: Connection, org_id: UUID, pool_id: str, code: str) -> Row | None:
    """Return a code of a pool with its owner, or None. Case matters only if the pool is case-sensitive."""
    row = await connection.fetchrow(_SQL.as_written, org_id, pool_id, code)
    if row is None:
        row = await connection.fetchrow(_SQL.ignoring_case, org_id, pool_id, code)
    return None if row is None else dict(row)


async def stock_taken(connection: Connection, org_id: UUID, products: Sequence[str]) -> dict[str, int]:
    """Return how much of each product's stock has been taken."""
    rows = await connection.fetch(_SQL.taken, org_id, products)
    return {row["key"]: row["quantity"] for row in rows}
