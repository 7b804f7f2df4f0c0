"""Whether the books hold of all that tests leave behind in a database, and whose organisation it is if they do not."""

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

MADE: dict[UUID, str] = {}  # organisations, and the test that each was made by

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def note(org_id: UUID) -> None:
    """Note by which test an organisation is made."""
    MADE[org_id] = os.environ.get("PYTEST_CURRENT_TEST", "a fixture")


def completed(work: Coroutine[Any, Any, T]) -> T:
    """What it comes to. In a thread of its own: a browser's tests have a loop running in theirs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def assert_books_hold(url: str) -> None:
    """Check every invariant of a database, unless its schema is another one."""
    wrong = completed(violations(url))
    assert not wrong, "\n".join(wrong)


async def violations(url: str) -> list[str]:
    """What does not hold in a database, in words."""
    connection = await connect(url)
    try:
        if not await is_migrated(connection):
            return []
        broken = [check for check in await verify(connection) if not check.holds]
        told: list[str] = []
        for check in broken:
            told += [f"{check.name}: {example}{await _by_whom(connection, example)}" for example in check.examples]
        return told
    finally:
        await connection.close()


async def _by_whom(connection, example: str) -> str:
    ids = [UUID(each) for each in _UUID.findall(example)]
    rows = await connection.fetch(
        "SELECT DISTINCT org_id FROM events WHERE event_id = ANY($1) OR member_id = ANY($1)"
        " UNION SELECT org_id FROM transactions WHERE transaction_id = ANY($1)",
        ids,
    )
    return "".join(f" [{MADE.get(row['org_id'], row['org_id'])}]" for row in rows)
