"""Check the invariants of the ledger in whatever tests leave in a database, and name the test that broke one."""

import asyncio
import os
import re
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

from plaudit.history.verify import verify
from plaudit.storage.postgres import connect
from plaudit.storage.schema import is_migrated

T = TypeVar("T")

CREATORS: dict[UUID, str] = {}  # organisations, and the test that created each

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def record_creator(org_id: UUID) -> None:
    """Record which test creates an organisation."""
    CREATORS[org_id] = os.environ.get("PYTEST_CURRENT_TEST", "a fixture")


def run_in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return its result. In a thread of its own: tests in a browser run in a loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def assert_invariants_hold(url: str) -> None:
    """Check every invariant of a database, unless its schema is another one."""
    wrong = run_in_thread(violations(url))
    assert not wrong, "\n".join(wrong)


async def violations(url: str) -> list[str]:
    """Return the invariants that a database violates, in words."""
    connection = await connect(url)
    try:
        if not await is_migrated(connection):
            return []
        broken = [check for check in await verify(connection) if not check.holds]
        violated: list[str] = []
        for check in broken:
            violated += [f"{check.name}: {example}{await _by_whom(connection, example)}" for example in check.examples]
        return violated
    finally:
        await connection.close()


async def _by_whom(connection, example: str) -> str:
    ids = [UUID(text) for text in _UUID.findall(example)]
    rows = await connection.fetch(
        "SELECT DISTINCT org_id FROM events WHERE event_id = ANY($1) OR member_id = ANY($1)"
        " UNION SELECT org_id FROM transactions WHERE transaction_id = ANY($1)",
        ids,
    )
    return "".join(f" [{CREATORS.get(row['org_id'], row['org_id'])}]" for row in rows)
