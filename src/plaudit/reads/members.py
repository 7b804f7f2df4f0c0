"""Members with their balances, products, coupons and other data."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.core.ids import bucket_of, member_id_of
from plaudit.core.ledger.lots import EMPTY, Book
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

Row = dict[str, Any]
PARTS = ("balances", "holdings", "coupons", "entries", "identities", "progress", "transactions")


class MemberView(Struct, kw_only=True):
    """A member with the rows of each part."""

    member_id: UUID
    user_id: str
    attributes: dict[str, Any]
    enrolled_at: datetime
    latest_at: datetime
    active_at: datetime | None
    parts: dict[str, list[Row]]


async def fetch_member(connection: Connection, org_id: UUID, user_id: str) -> MemberView | None:
    """Return the member with that user id, or None."""
    member_id = member_id_of(org_id, user_id)
    row = await connection.fetchrow(_SQL.member, bucket_of(member_id), member_id)
    if row is None:
        return None
    (member,) = await _with_parts(connection, [dict(row)])
    return member


async def fetch_members(connection: Connection, org_id: UUID, user_ids: Sequence[str]) -> list[MemberView]:
    """Return the members with these user ids, in this order. Unknown ids are left out."""
    ids = [member_id_of(org_id, user_id) for user_id in user_ids]
    rows = await connection.fetch(_SQL.members, [bucket_of(id_) for id_ in ids], ids)
    by_user = {view.user_id: view for view in await _with_parts(connection, [dict(row) for row in rows])}
    return [by_user[user_id] for user_id in user_ids if user_id in by_user]


async def fetch_page(
    connection: Connection, org_id: UUID, after: tuple[datetime, UUID], size: int, filters: Mapping[str, str]
) -> list[MemberView]:
    """Return members in order of joining whose fields, as text, equal `filters`."""
    rows = await connection.fetch(_SQL.page, org_id, *after, size, list(filters), list(filters.values()))
    return await _with_parts(connection, [dict(row) for row in rows])


_BOOK = msgspec.json.Decoder(Book)


def book_of(balance: Row | None) -> Book:
    """Return the lots of a balance's row."""
    return EMPTY if balance is None or balance["book"] is None else _BOOK.decode(balance["book"])


async def _with_parts(connection: Connection, rows: list[Row]) -> list[MemberView]:
    if not rows:
        return []
    keys = [row["bucket"] for row in rows], [row["member_id"] for row in rows]
    parts: dict[UUID, dict[str, list[Row]]] = defaultdict(lambda: {part: [] for part in PARTS})
    for part in PARTS:
        for row in await connection.fetch(_SQL.by_name[part], *keys):
            parts[row["member_id"]][part].append(dict(row))
    return [
        MemberView(
            member_id=row["member_id"],
            user_id=row["user_id"],
            attributes=msgspec.json.decode(row["attributes"]),
            enrolled_at=row["enrolled_at"],
            latest_at=row["latest_at"],
            active_at=row["active_at"],
            parts=parts[row["member_id"]],
        )
        for row in rows
    ]
