"""Read events: those in the log, those waiting in the inbox, and failed ones."""

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

SCANNED_ROWS_MAX = 10_000  # per page, so that a filter that matches little does not scan the whole log


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
    """Return the event with one of these ids from the log, the failed events or the inbox. Its `state` says which."""
    for query, state in ((_SQL.in_log, None), (_SQL.failed, "failed"), (_SQL.waiting, "queued")):
        row = await connection.fetchrow(query, org_id, event_ids)
        if row is not None:
            return dict(row) | ({"state": state} if state else {})
    # It may have moved from the inbox to the log between the queries.
    row = await connection.fetchrow(_SQL.in_log, org_id, event_ids)
    return None if row is None else dict(row)


async def page_of_log(
    connection: Connection,
    org_id: UUID,
    before: tuple[datetime, int, int],
    filters: EventFilter,
    size: int,
) -> tuple[list[Row], tuple[datetime, int, int] | None]:
    """Return decided events, newest first, and the position where the search stopped, if it did not reach the end."""
    bucket = None if filters.member_id is None else bucket_of(filters.member_id)
    rows = await connection.fetch(
        _SQL.page_of_log, org_id, *before, filters.member_id, filters.state, size, filters.action, filters.since,
        filters.until, filters.causes.logged_patterns, filters.outcome, filters.reasons, bucket, SCANNED_ROWS_MAX,
    )  # fmt: skip
    end = None
    if len(rows) < size:
        end = await connection.fetchrow(_SQL.end_of_log, org_id, *before, filters.member_id, bucket, SCANNED_ROWS_MAX)
    return [dict(row) for row in rows], None if end is None else tuple(end)


async def page_of_failed(
    connection: Connection, org_id: UUID, before: tuple[datetime, UUID], filters: EventFilter, size: int
) -> list[Row]:
    """Return failed events, newest first."""
    rows = await connection.fetch(
        _SQL.page_of_failed, org_id, *before, filters.member_id, size, filters.action, filters.since, filters.until
    )
    return [dict(row) | {"state": "failed"} for row in rows]


async def page_of_inbox(
    connection: Connection, org_id: UUID, before: int, filters: EventFilter, size: int
) -> list[Row]:
    """Return events that wait to be decided, newest first."""
    rows = await connection.fetch(
        _SQL.page_of_inbox, org_id, before, filters.member_id, size, filters.action, filters.since, filters.until
    )
    return [dict(row) | {"state": "queued"} for row in rows]


async def transactions_of(connection: Connection, event: Row) -> list[Row]:
    """Return the transactions of a decided event."""
    place = (event["bucket"], event["member_id"], event["position"])
    return [dict(row) for row in await connection.fetch(_SQL.transactions_of, *place)]
