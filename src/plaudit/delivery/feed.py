"""The feed: an organisation's messages in the order in which they were handed out, for those who fetch them.

A cursor is a number in that order, with the beginning of the message's id: both are in the database, so that a cursor
goes on in a copy of it, and one from after the moment that the copy was made is recognised.
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

SQL = queries_beside(__file__)

Number = Annotated[int, Meta(ge=0, le=2**62)]
FeedPosition = tuple[
    Number, str | Number
]  # a number and whose it is; or two, from before messages were numbered like this
START: FeedPosition = (0, "")
DIGITS = 8


def place_of(row: Row) -> FeedPosition:
    """Return the place of a message."""
    return row["number"], row["message_id"].hex[:DIGITS]


async def number_after(connection: Connection, org_id: UUID, place: FeedPosition) -> int:
    """Return the number that a place stands for. Raise Conflict for one that this history has not come to."""
    number, name = place
    if isinstance(name, int):
        return await connection.fetchval(SQL.earlier, org_id, number, name) or 0
    row = await connection.fetchrow(SQL.end_of, org_id, number)
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
    """Return an organisation's messages after a number; since an instant, if given."""
    return [dict(row) for row in await connection.fetch(SQL.after, org_id, number, since, size)]
