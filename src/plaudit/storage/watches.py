"""Watched buckets: processes with live streams register the buckets of their members.

Commits in these buckets announce which members have changed. A notification names members by the first digits of their
ids, so a batch fits into one. If two members share a name, one is queried needlessly.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from uuid import UUID

from .postgres import Connection
from .queries import queries_beside

_SQL = queries_beside(__file__)

CHANNEL = "plaudit_members"
WATCHED_SECONDS = 120
DIGITS = 12
NAMES_PER_NOTIFY_MAX = 600  # of 13 characters each: a notification can have 8,000 bytes


def name_of(member_id: UUID) -> str:
    """Return a member's short name in notifications."""
    return member_id.hex[:DIGITS]


def changed_members(members: Iterable[UUID]) -> Iterator[str]:
    """Yield the payloads of the notifications that name these members."""
    names = list(dict.fromkeys(map(name_of, members)))
    for first in range(0, len(names), NAMES_PER_NOTIFY_MAX):
        yield ",".join(names[first : first + NAMES_PER_NOTIFY_MAX])


async def watch(connection: Connection, buckets: Iterable[int]) -> None:
    """Announce changes in these buckets for another two minutes."""
    await connection.execute(_SQL.watch, list(buckets), timedelta(seconds=WATCHED_SECONDS))
