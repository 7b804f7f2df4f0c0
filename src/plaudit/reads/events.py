"""Events: in the log, waiting, or failed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from plaudit.core.ids import bucket_of
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .cause_filter import ALL_CAUSES, CauseFilter

_SQL = queries_beside(__file__)

Row = dict[str, Any]

LOOKED_AT_MAX = 10_000  # rows for a page, so that what is rare does not keep the server looking through the whole log


class EventFilter(Struct, frozen=True, kw_only=True):
    """Filters of a list of events: an action, a member, a start (inclusive) and an end (exclusive).

    For decided events also: a state, a campaign that listened, an outcome, and a reason for a refusal.
    """

    member_id: UUID | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: str | None = None
    causes: CauseFilter = ALL_CAUSES
    outcome: str | None = None
    reasons: Sequence[str] | None = None  # any of these codes


async def fetch_event(connection: Connection, org_id: UUID, event_ids: Sequence[UUID]) -> Row | None:
    """Return the event with one of these ids, wherever it is. Its `state` says where."""
    for query, state in ((_SQL.in_log, None), (_SQL.failed, "failed"), (_SQL.waiting, "queued")):
        row = await connection.fetchrow(query, org_id, event_ids)
        if row is not None:
            return dict(row) | ({"state": state} if state else {})
    # It may have left the inbox for the log between the looks.
    row = await connection.fetchrow(_SQL.in_log, org_id, event_ids)
    return None if row is None else dict(row)


async def page_of_log(
    connection: Connection,
    org_id: UUID,
    before: tuple[datetime, int, int],
    wanted: EventFilter,
    size: int,
) -> tuple[list[Row], tuple[datetime, int, int] | None]:
    """Return decided events, newest first, and the place where the search stopped if it did not reach the end."""
    bucket = None if wanted.member_id is None else bucket_of(wanted.member_id)
    rows = await connection.fetch(
        _SQL.page_of_log, org_id, *before, wanted.member_id, wanted.state, size, wanted.action, wanted.since,
        wanted.until, wanted.causes.logged_patterns, wanted.outcome, wanted.reasons, bucket, LOOKED_AT_MAX,
    )  # fmt: skip
    end = None
    if len(rows) < size:
        end = await connection.fetchrow(_SQL.end_of_log, org_id, *before, wanted.member_id, bucket, LOOKED_AT_MAX)
    return [dict(row) for row in rows], None if end is None else tuple(end)


async def page_of_failed(
    connection: Connection, org_id: UUID, before: tuple[datetime, UUID], wanted: EventFilter, size: int
) -> list[Row]:
    """Return failed events, newest first."""
    rows = await connection.fetch(
        _SQL.page_of_failed, org_id, *before, wanted.member_id, size, wanted.action, wanted.since, wanted.until
    )
    return [dict(row) | {"state": "failed"} for row in rows]


async def page_of_inbox(connection: Connection, org_id: UUID, before: int, wanted: EventFilter, size: int) -> list[Row]:
    """Return events that wait to be decided, newest first."""
    rows = await connection.fetch(
        _SQL.page_of_inbox, org_id, before, wanted.member_id, size, wanted.action, wanted.since, wanted.until
    )
    return [dict(row) | {"state": "queued"} for row in rows]


async def transactions_of(connection: Connection, event: Row) -> list[Row]:
    """Return the transactions of a decided event."""
    place = (event["bucket"], event["member_id"], event["position"])
    return [dict(row) for row in await connection.fetch(_SQL.transactions_of, *place)]
