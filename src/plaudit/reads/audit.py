"""The changes of an organisation's documents, from their versions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One change of one document. `before` is None for a creation, `after` for a deletion."""

    kind: str
    id: str
    change: str
    version: int
    program_version: int
    ordinal: int
    changed_at: datetime
    changed_by: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


async def fetch_page(
    connection: Connection, org_id: UUID, before: tuple[int, int], filters: Sequence[str | None], size: int
) -> list[AuditEntry]:
    """Return changes, newest first. `filters` are a kind, an id and an author; None does not filter."""
    rows = await connection.fetch(_SQL.page, org_id, *before, *filters, size)
    return [
        AuditEntry(**(dict(row) | {name: _decoded(row[name]) for name in ("before", "after")}))  # pyright: ignore[reportArgumentType]
        for row in rows
    ]


def _decoded(text: str | None) -> dict[str, Any] | None:
    return None if text is None else msgspec.json.decode(text)
