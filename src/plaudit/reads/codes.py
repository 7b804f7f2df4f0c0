"""How many codes and how much stock there are left."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)


async def totals(connection: Connection, org_id: UUID, pools: Sequence[str]) -> dict[str, dict[str, int]]:
    """Of each pool: the number of its codes in each state that occurs."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in await connection.fetch(SQL.totals, org_id, pools):
        found[row["pool_id"]][row["state"]] = row["number"]
    return found


async def stock_taken(connection: Connection, org_id: UUID, products: Sequence[str]) -> dict[str, int]:
    """Of each product that has a stock: how much of it has been taken."""
    rows = await connection.fetch(SQL.taken, org_id, products)
    return {row["key"]: row["quantity"] for row in rows}
