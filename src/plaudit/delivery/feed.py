"""The feed: an organisation's messages in the order in which they were handed out, for clients that poll.

A cursor is a number in that order with the start of the message's id. Both are stored in the database, so a cursor also
works in a copy of it, and a cursor from after the moment of the copy is recognised.
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
FeedPosition = tuple[
    Number, str | Number
]  # a number and whose it is; or two, from before messages were numbered like this
START: FeedPosition = (0, "")
DIGITS = 8


def place_of(row: Row) -> FeedPosition:
    """Return a message's place in the feed."""
    return row["number"], row["message_id"].hex[:DIGITS]


async def number_after(connection: Connection, org_id: UUID, place: FeedPosition) -> int:
    """Return the number of a place. Raise Conflict if this database has not reached it."""
    number, name = place
    if isinstance(name, int):
        return await connection.fetchval(_SQL.earlier, org_id, number, name) or 0
    row = await connection.fetchrow(_SQL.end_of, org_id, number)
    assert row is not None
    known = row["message_id"]
    if number > row["number"] or (known is not None and known.hex[:DIGITS] != name):
        raise Conflict(
            "after must be a cursor of this feed as it is now: the server has been set back to an earlier state since "
            "this one was given. Fetch with since= and a time before that, and skip the messages whose id you have",
            code="cursor_ahead",
        )
    return number


async def messages_after(
    connection: Connection, org_id: UUID, number: int, since: datetime | None, size: int
) -> Sequence[dict[str, Any]]:
    """Return an organisation's messages after a number; only those since an instant, if one is given."""
    return [dict(row) for row in await connection.fetch(_SQL.after, org_id, number, since, size)]
