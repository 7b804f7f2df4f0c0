"""Export an organisation's members, their history and its programme as lines, to import them on another server.

Each page of lines is one query, and no connection is held while the client reads. The order is the same on every
server, since all ids derive from the organisation's:

    members                 in order of joining
    events, transactions    member by member in that order, each in the order of the log; then of users who never joined
    audit                   by the version of the programme
    organisation            by type and key

To resume a stream that broke off, pass a `cursor` for its last complete line (see `place_of`).
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.core.ids import bucket_of, member_id_of
from plaudit.documents.export_lines import AuditLine, EventLine, MemberLine, TransactionLine
from plaudit.errors import FieldError, invalid_fields
from plaudit.storage.postgres import Connection, Pool
from plaudit.storage.queries import queries_beside

from .member_lines import ERASED, explicit_member_id, member_lines
from .organisation_lines import OrganisationPlace, organisation_page, organisation_place
from .transactions import fetch_transaction

_SQL = queries_beside(__file__)

MEMBERS_AT_ONCE = 200
MEMBERS_WITH_HISTORY = 50  # members for each page of their events or transactions
ROWS_AT_ONCE = 500
LOG_ROWS_SCANNED = 5_000  # for each page of events of users who never joined
DIGITS_MAX = 18
_START = datetime.fromisoformat("0001-01-01T00:00:00+00:00")
_NOBODY = UUID(int=0)
_END = 2**62  # after every record of a member

Row = Any  # a record, or a mapping like it
Lines = list[Any]


class MemberPlace(Struct, frozen=True):
    """The position after this member, in order of joining."""

    at: datetime = _START
    member_id: UUID = _NOBODY


class HistoryPlace(Struct, frozen=True):
    """The position after this record of this member. If `at` is None, only records of users who never joined are left."""

    at: datetime | None = _START
    member_id: UUID = _NOBODY
    position: int = -1
    ordinal: int = -1
    bucket: int = -1
    decided_at: datetime = _START


class AuditPlace(Struct, frozen=True):
    """The position after this version of this document."""

    program_version: int = -1
    ordinal: int = -1
    kind: str = ""
    id: str = ""


ExportPosition = MemberPlace | HistoryPlace | AuditPlace | OrganisationPlace
Page = Callable[[Connection, UUID, Any], Awaitable[tuple[Lines, Any]]]


async def lines_after(pool: Pool, org_id: UUID, kind: str, place: ExportPosition | None) -> AsyncGenerator[Lines]:
    """Yield the lines of a kind after a position, in batches."""
    first, page = _KINDS[kind]
    position: Any = first if place is None else place
    while position is not None:
        async with pool.acquire() as connection:
            lines, position = await page(connection, org_id, position)
        if lines:
            yield lines


async def place_of(connection: Connection, org_id: UUID, kind: str, cursor: str) -> ExportPosition:
    """Return the position after the line that a cursor names. Raise Invalid if no such line exists.

    A cursor is a member's user id, the id of an event or transaction, `programVersion/kind/id` of a version, or
    `type/key` of a line of the organisation.
    """
    place = await _PLACES[kind](connection, org_id, cursor)
    if place is None:
        message = "must be the cursor of the last complete line that you have; leave it out to start again"
        raise invalid_fields([FieldError("cursor", f"{message} (got {cursor[:100]!r})")])
    return place


# -------------------------------------------------------------------------------------------------------- members


async def _members(
    connection: Connection, org_id: UUID, after: MemberPlace
) -> tuple[list[MemberLine], MemberPlace | None]:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await connection.fetch(_SQL.members_from, org_id, after.at, after.member_id, MEMBERS_AT_ONCE)
        ids = [row["member_id"] for row in rows if row["member_id"] != after.member_id]
        lines = await member_lines(connection, org_id, ids)
    last = rows[-1] if len(rows) == MEMBERS_AT_ONCE else None
    return lines, None if last is None else MemberPlace(last["enrolled_at"], last["member_id"])


async def _place_of_member(connection: Connection, org_id: UUID, cursor: str) -> MemberPlace | None:
    ids = [member_id_of(org_id, cursor)]
    if cursor.startswith(ERASED):
        try:
            ids.append(UUID(hex=cursor.removeprefix(ERASED)))
        except ValueError:
            return None
    for member_id in ids:
        at = await connection.fetchval(_SQL.joined, bucket_of(member_id), member_id, org_id)
        if at is not None:
            return MemberPlace(at, member_id)
    return None


# -------------------------------------------------------------------------------------------------------- history


async def _of_members(
    connection: Connection, org_id: UUID, after: HistoryPlace, query: str, columns: Sequence[str]
) -> tuple[list[Row], HistoryPlace]:
    """Return the next records of members, and the position after them. The first member may be partly exported."""
    members = await connection.fetch(_SQL.members_from, org_id, after.at, after.member_id, MEMBERS_WITH_HISTORY)
    if not members:
        return [], HistoryPlace(at=None)
    exported = {"position": after.position, "ordinal": after.ordinal}
    starts = [[exported[name] if row["member_id"] == after.member_id else -1 for row in members] for name in columns]
    keys = [row["bucket"] for row in members], [row["member_id"] for row in members]
    rows: list[Row] = list(await connection.fetch(query, *keys, *starts, ROWS_AT_ONCE))
    if len(rows) == ROWS_AT_ONCE:
        last = rows[-1]
        at: datetime = members[int(last["number"]) - 1]["enrolled_at"]
        return rows, HistoryPlace(at, last["member_id"], last["position"], last.get("ordinal", -1))
    if len(members) < MEMBERS_WITH_HISTORY:
        return rows, HistoryPlace(at=None)
    return rows, HistoryPlace(members[-1]["enrolled_at"], members[-1]["member_id"], _END, -1)


async def _events(
    connection: Connection, org_id: UUID, after: HistoryPlace
) -> tuple[list[EventLine], HistoryPlace | None]:
    if after.at is not None:
        rows, place = await _of_members(connection, org_id, after, _SQL.events_of, ("position",))
        return [event_line(org_id, row) for row in rows], place
    log = await connection.fetch(
        _SQL.log_after, org_id, after.decided_at, after.bucket, after.position, LOG_ROWS_SCANNED
    )
    strangers = [row for row in log if row["is_strangers"]]
    keys = [[row[name] for row in strangers] for name in ("bucket", "member_id", "position", "decided_at")]
    rows = await connection.fetch(_SQL.events_at, *keys) if strangers else []
    last = log[-1] if len(log) == LOG_ROWS_SCANNED else None
    return [event_line(org_id, row) for row in rows], None if last is None else _after_stranger(last)


def _after_stranger(row: Row) -> HistoryPlace:
    return HistoryPlace(None, row["member_id"], row["position"], -1, row["bucket"], row["decided_at"])


def event_line(org_id: UUID, row: Row) -> EventLine:
    """Return an event of the log as a line of an export."""
    return EventLine(
        id=row["event_id"], event_id=row["event_key"], org_id=org_id, user_id=row["user_id"],
        member_id=explicit_member_id(org_id, row), kind=row["kind"], trigger=row["trigger"], occurred_at=row["occurred_at"],
        received_at=row["received_at"], decided_at=row["decided_at"], source=row["source"], state=row["state"],
        program_version=row["program_version"], fingerprint=row["fingerprint"],
        payload=msgspec.json.decode(row["payload"]), outcome=msgspec.json.decode(row["outcome"]),
    )  # fmt: skip


async def _transactions(
    connection: Connection, org_id: UUID, after: HistoryPlace
) -> tuple[list[TransactionLine], HistoryPlace | None]:
    rows, place = await _of_members(connection, org_id, after, _SQL.transactions_of, ("position", "ordinal"))
    return [transaction_line(org_id, row) for row in rows], None if place.at is None else place


def transaction_line(org_id: UUID, row: Row) -> TransactionLine:
    """Return a transaction of the ledger as a line of an export."""
    return TransactionLine(
        id=row["transaction_id"], org_id=org_id, user_id=row["user_id"], member_id=explicit_member_id(org_id, row),
        event=row["event_id"], ordinal=row["ordinal"], metric=row["metric"], amount=row["amount"],
        balance_after=row["balance_after"], cause_kind=row["cause_kind"], cause_id=row["cause_id"], step=row["step"], index=row["index"],
        reason=row["reason"], occurred_at=row["occurred_at"], created_at=row["created_at"], reverses=row["reverses"],
        details=None if row["details"] is None else msgspec.json.decode(row["details"]),
    )  # fmt: skip


async def places_of_events(connection: Connection, org_id: UUID, event_ids: Collection[UUID]) -> dict[UUID, Row]:
    """Return the positions and the users of these events, by their ids. Events that the log lacks are left out."""
    return {row["event_id"]: row for row in await connection.fetch(_SQL.places_of_events, org_id, event_ids)}


async def _place_of_event(connection: Connection, org_id: UUID, cursor: str) -> HistoryPlace | None:
    event_id = _uuid_in(cursor)
    row = None if event_id is None else (await places_of_events(connection, org_id, [event_id])).get(event_id)
    if row is None:
        return None
    at = await connection.fetchval(_SQL.joined, row["bucket"], row["member_id"], org_id)
    return _after_stranger(row) if at is None else HistoryPlace(at, row["member_id"], row["position"])


async def _place_of_transaction(connection: Connection, org_id: UUID, cursor: str) -> HistoryPlace | None:
    transaction_id = _uuid_in(cursor)
    row = None if transaction_id is None else await fetch_transaction(connection, org_id, transaction_id)
    at = None if row is None else await connection.fetchval(_SQL.joined, row["bucket"], row["member_id"], org_id)
    if row is None or at is None:
        return None
    return HistoryPlace(at, row["member_id"], row["position"], row["ordinal"])


def _uuid_in(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


# ---------------------------------------------------------------------------------------------------------- audit


async def _audit(connection: Connection, org_id: UUID, after: AuditPlace) -> tuple[list[AuditLine], AuditPlace | None]:
    place = after.program_version, after.ordinal, after.kind, after.id
    lines = [audit_line(row) for row in await connection.fetch(_SQL.audit_after, org_id, *place, ROWS_AT_ONCE)]
    if len(lines) < ROWS_AT_ONCE:
        return lines, None
    last = lines[-1]
    return lines, AuditPlace(last.program_version, last.ordinal, last.kind, last.id)


def audit_line(row: Row) -> AuditLine:
    """Return a version of a document as a line of an export."""
    return AuditLine(
        program_version=row["program_version"], ordinal=row["ordinal"], kind=row["kind"], id=row["id"],
        version=row["version"], change=row["change"], changed_at=row["changed_at"], changed_by=row["changed_by"],
        document=None if row["doc"] is None else msgspec.json.decode(row["doc"]),
    )  # fmt: skip


async def _place_of_version(connection: Connection, org_id: UUID, cursor: str) -> AuditPlace | None:
    version, _, rest = cursor.partition("/")
    kind, _, document_id = rest.partition("/")
    if not (version.isascii() and version.isdigit() and len(version) <= DIGITS_MAX):
        return None
    ordinal = await connection.fetchval(_SQL.version_at, org_id, int(version), kind, document_id)
    return None if ordinal is None else AuditPlace(int(version), ordinal, kind, document_id)


_KINDS: Mapping[str, tuple[ExportPosition, Page]] = {
    "organisation": (OrganisationPlace(), organisation_page),
    "audit": (AuditPlace(), _audit),
    "events": (HistoryPlace(), _events),
    "transactions": (HistoryPlace(), _transactions),
    "members": (MemberPlace(), _members),
}
_PLACES: Mapping[str, Callable[[Connection, UUID, str], Awaitable[ExportPosition | None]]] = {
    "organisation": organisation_place,
    "audit": _place_of_version,
    "events": _place_of_event,
    "transactions": _place_of_transaction,
    "members": _place_of_member,
}
