"""How full things are, for those who watch: what waits by bucket, what codes and stock are left, what webhooks fail."""

from typing import Any

from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)

# name of the gauge: its help, its labels, its query
GAUGES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "plaudit_oldest_waiting_seconds": ("Age of the oldest event that waits.", ("bucket",), SQL.waiting),
    "plaudit_codes_available": ("Codes that a pool has left.", ("org", "pool"), SQL.codes),
    "plaudit_stock_left": ("How many of a product are left.", ("org", "product"), SQL.stock),
    "plaudit_deliveries": ("Messages on their way to webhooks, by state.", ("state",), SQL.deliveries),
}


async def levels(connection: Connection) -> dict[str, list[tuple[tuple[Any, ...], float]]]:
    """The gauges now: label values and the value."""
    found: dict[str, list[tuple[tuple[Any, ...], float]]] = {}
    for name, (_, labels, query) in GAUGES.items():
        rows = await connection.fetch(query)
        found[name] = [(tuple(row[label] for label in labels), float(row["value"])) for row in rows]
    return found
