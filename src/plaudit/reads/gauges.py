"""Gauges for monitoring: waiting events by bucket, codes and stock left, failing webhooks."""

from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .health import fetch_months

_SQL = queries_beside(__file__)

Fetch = Callable[[Connection], Awaitable[Sequence[asyncpg.Record]]]


def _by(query: str) -> Fetch:
    return lambda connection: connection.fetch(query)


# Each gauge has its help text, its labels, the function that fetches its rows, and the column with the value.
GAUGES: dict[str, tuple[str, tuple[str, ...], Fetch, str]] = {
    "plaudit_oldest_waiting_seconds": ("Age of the oldest queued event.", ("bucket",), _by(_SQL.waiting), "value"),
    "plaudit_code_pools_empty": ("Active code pools without an available code.", (), _by(_SQL.empty_pools), "value"),
    "plaudit_products_sold_out": ("Active products without stock.", (), _by(_SQL.sold_out), "value"),
    "plaudit_rows_outside_months": ("Rows outside all monthly partitions.", ("table",), fetch_months, "outside"),
    "plaudit_months_ahead": (
        "Monthly partitions that exist ahead of the current month.",
        ("table",),
        fetch_months,
        "ahead",
    ),
    "plaudit_deliveries": ("Webhook deliveries, by state.", ("state",), _by(_SQL.deliveries), "value"),
}

# Gauges that name organisations are optional: they have one value for each pool and product.
GAUGES_BY_ORG: dict[str, tuple[str, tuple[str, ...], Fetch, str]] = {
    "plaudit_codes_available": ("Codes left in a pool.", ("org", "pool"), _by(_SQL.codes), "value"),
    "plaudit_stock_left": ("Stock left of a product.", ("org", "product"), _by(_SQL.stock), "value"),
}


async def current_gauges(connection: Connection, *, by_org: bool) -> list[str]:
    """Return the current gauges in Prometheus' format."""
    lines: list[str] = []
    for name, (sentence, labels, fetch, column) in (GAUGES | (GAUGES_BY_ORG if by_org else {})).items():
        lines += [f"# HELP {name} {sentence}", f"# TYPE {name} gauge"]
        for row in await fetch(connection):
            named = ",".join(f'{label}="{row[label]}"' for label in labels)
            lines.append(f"{name}{{{named}}} {float(row[column]):g}" if named else f"{name} {float(row[column]):g}")
    return lines
