"""The feed: an organisation's messages in the order in which they were handed out, for clients that poll.

A cursor consists of a message's number in that order and the start of its id. Both are stored in the database, so a
cursor also works in a copy of it, and a cursor of a message that the copy lacks is recognised.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta

from plaudit.errors import Conflict
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .listeners import Row

_SQL = queries_beside(__file__)

Number = Annotated[int, Meta(ge=0, le=2**62)]
# A message's number and the start of its id. Cursors from before this numbering have two numbers.
FeedPosition = tuple[Number, str | Number]
START: FeedPosition = (0, "")
DIGITS = 8


def position_of(row: Row) -> FeedPosition:
    """Return a message's position in the feed."""
    return row["number"], row["message_id"].hex[:DIGITS]


async def number_at(connection: Connection, org_id: UUID, position: FeedPosition) -> int:
    """Return the number of a position. Raise Conflict if this database has not reached it."""
    number, name = position
    if isinstance(name, int):
        return await connection.fetchval(_SQL.earlier, org_id, number, name) or 0
    row = await connection.fetchrow(_SQL.end_of, org_id, number)
    assert row is not None
    known = row["message_id"]
    if number > row["number"] or (known is not None and known.hex[:DIGITS] != name):
        raise Conflict(
            "after must be a cursor of this feed as it is now: the server has been restored from a backup since "
            "this one was given. Fetch with since= and a time before that, and skip the messages whose id you have",
            code="cursor_ahead",
        )
    return number


async def messages_after(
    connection: Connection, org_id: UUID, number: int, since: datetime | None, size: int
) -> Sequence[dict[str, Any]]:
    """Return an organisation's messages after a number; with `since`, only those from that time on."""
    return [dict(row) for row in await connection.fetch(_SQL.after, org_id, number, since, size)]
