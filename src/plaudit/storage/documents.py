"""The one CRUD for all kinds of documents: checked, versioned, with references kept whole."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from plaudit.core.ids import derived_id
from plaudit.documents.base import Document, DocumentKind, Reference
from plaudit.documents.kinds import KINDS
from plaudit.documents.reading import read
from plaudit.errors import Conflict, FieldError, Invalid, NotFound, invalid_fields
from plaudit.messages import payload_of

from .postgres import Connection, atomic
from .queries import queries_beside

SQL = queries_beside(__file__)

# A delete that would leave something of the members' without its document is refused, with this reason.
_GUARDS = {
    "metric": (SQL.guard_metric, "members have balances of it"),
    "code_pool": (SQL.guard_code_pool, "members have codes of it; set its status to inactive instead"),
}


class Stored(Struct, frozen=True, kw_only=True):
    """A document as it is in the store; `doc` in its canonical spelling."""

    id: str
    version: int
    ordinal: int
    doc: dict[str, Any]
    created_at: datetime
    created_by: str
    updated_at: datetime


class Version(Struct, frozen=True, kw_only=True):
    """What a document was after one of its changes; `doc` is None after its deletion."""

    version: int
    change: str
    doc: dict[str, Any] | None
    changed_at: datetime
    changed_by: str
    program_version: int


class Change(Struct, frozen=True, kw_only=True):
    """Who changes what, when."""

    org_id: UUID
    kind: DocumentKind
    id: str
    by: str
    at: datetime


def checked(kind: DocumentKind, raw: Any) -> Document:
    """A request's body as a document of that kind. Raises Invalid naming every field that is wrong."""
    if not isinstance(raw, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    document = read(kind.read(raw), kind.type)  # pyright: ignore[reportUnknownArgumentType]
    wrong = kind.check(document)
    if wrong:
        raise invalid_fields(wrong)
    return document


async def create(connection: Connection, change: Change, raw: Any) -> Stored:
    """Write a new document. Raises Invalid, or Conflict when the id or another unique field is taken."""
    document = checked(change.kind, raw)
    async with atomic(connection):
        program_version = await _next_version(connection, change)
        await _check_references(connection, change, document)
        return await put(connection, change, document, program_version, new=True)


async def update(connection: Connection, change: Change, raw: Any) -> Stored:
    """Write the fields given over those of a document; the others stay. Raises Invalid, NotFound or Conflict."""
    if not isinstance(raw, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    if not raw:
        raise Invalid("The body is empty: there is nothing to update", code="empty_body")
    async with atomic(connection):
        program_version = await _next_version(connection, change)
        before = await one(connection, change.org_id, change.kind, change.id)
        given = change.kind.read(raw)  # pyright: ignore[reportUnknownArgumentType]
        fixed = [
            FieldError(name, "cannot be changed")
            for name in change.kind.fixed
            if name in given and given[name] != before.doc.get(name)
        ]
        if fixed:
            raise invalid_fields(fixed)
        document = checked(change.kind, before.doc | given)
        await _check_references(connection, change, document)
        return await put(connection, change, document, program_version, new=False)


async def put(connection: Connection, change: Change, document: Document, program_version: int, *, new: bool) -> Stored:
    """Write a checked document, inside the caller's transaction, as part of a version of the programme."""
    doc = _canonical(document)
    key = (change.org_id, change.kind.name, change.id)
    try:
        if new:
            row = await connection.fetchrow(SQL.insert_document, *key, doc, change.at, change.by)
        else:
            row = await connection.fetchrow(SQL.update_document, *key, doc, change.at)
    except asyncpg.UniqueViolationError as error:
        raise _taken(change.kind, error) from None
    if row is None:
        raise Conflict(f"{change.kind.title} with this ID already exists", code="already_exists")
    stored = _stored(row)
    await _keep(connection, change, stored, program_version, "created" if new else "updated", doc)
    if not new:
        await connection.execute(SQL.delete_references, *key)
    await _refer(connection, change, document)
    return stored


async def delete(connection: Connection, change: Change) -> None:
    """Take a document away. Raises NotFound, or Conflict naming what refers to it."""
    kind = change.kind
    async with atomic(connection):
        program_version = await _next_version(connection, change)
        await one(connection, change.org_id, kind, change.id)
        referring = await connection.fetch(SQL.referring, change.org_id, kind.name, change.id)
        if referring:
            names = ", ".join(f"{row['kind']} {row['id']} ({row['field']})" for row in referring)
            details = [FieldError(row["field"], f"of {row['kind']} {row['id']}") for row in referring]
            raise Conflict(f"{kind.title} {change.id} is referred to by {names}", code="referred_to", fields=details)
        await take_away(connection, change, program_version)


async def take_away(connection: Connection, change: Change, program_version: int) -> None:
    """Take a document away, inside the caller's transaction. Raises Conflict when members have something of it."""
    kind = change.kind
    before = await one(connection, change.org_id, kind, change.id)
    guard = _GUARDS.get(kind.name)
    if guard and await connection.fetchval(guard[0], change.org_id, change.id):
        raise Conflict(f"{kind.title} {change.id} cannot be deleted: {guard[1]}", code="in_use")
    if kind.name == "code_pool":
        await connection.execute(SQL.delete_codes, change.org_id, change.id)
    await connection.execute(SQL.delete_document, change.org_id, kind.name, change.id)
    await _keep(connection, change, before, program_version, "deleted", None)


async def one(connection: Connection, org_id: UUID, kind: DocumentKind, id: str) -> Stored:
    """One document. Raises NotFound."""
    row = await connection.fetchrow(SQL.one, org_id, kind.name, id)
    if row is None:
        raise NotFound(f"{kind.title} not found", code=f"{kind.name}_not_found")
    return _stored(row)


async def page(
    connection: Connection,
    org_id: UUID,
    kind: DocumentKind,
    *,
    after: int,
    filters: dict[str, str],
    size: int,
) -> list[Stored]:
    """Up to `size` documents of a kind after an ordinal, in the order of creation."""
    wanted = msgspec.json.encode(filters).decode()
    rows = await connection.fetch(SQL.page, org_id, kind.name, after, wanted, size)
    return [_stored(row) for row in rows]


async def versions(
    connection: Connection,
    org_id: UUID,
    kind: DocumentKind,
    id: str,
    *,
    before: int,
    size: int,
) -> list[Version]:
    """The versions of a document, newest first, also of one that has been deleted. Raises NotFound."""
    rows = await connection.fetch(SQL.versions, org_id, kind.name, id, before, size)
    found = [
        Version(
            version=row["version"],
            change=row["change"],
            doc=None if row["doc"] is None else msgspec.json.decode(row["doc"]),
            changed_at=row["changed_at"],
            changed_by=row["changed_by"],
            program_version=row["program_version"],
        )
        for row in rows
    ]
    if not found and not await connection.fetch(SQL.versions, org_id, kind.name, id, 2**62, 1):
        raise NotFound(f"{kind.title} not found", code=f"{kind.name}_not_found")
    return found


async def _next_version(connection: Connection, change: Change) -> int:
    version = await connection.fetchval(SQL.next_program_version, change.org_id)
    if version is None:
        raise NotFound("Organisation not found", code="org_not_found")
    return version


async def _check_references(connection: Connection, change: Change, document: Document) -> None:
    """Refuse a document that names what is not there."""
    references = [one for one in change.kind.references(document) if one.required]
    if not references:
        return
    kinds, ids = [one.kind for one in references], [one.id for one in references]
    rows = await connection.fetch(SQL.existing, change.org_id, kinds, ids)
    there = {(row["kind"], row["id"]) for row in rows}
    wrong = [
        FieldError(one.field, f"names {KINDS[one.kind].title.lower()} {one.id!r}, which does not exist")
        for one in references
        if (one.kind, one.id) not in there
    ]
    if wrong:
        raise invalid_fields(wrong)


async def _refer(connection: Connection, change: Change, document: Document) -> None:
    references: Sequence[Reference] = change.kind.references(document)
    if references:
        await connection.execute(
            SQL.insert_references,
            change.org_id,
            change.kind.name,
            change.id,
            [one.field for one in references],
            [one.kind for one in references],
            [one.id for one in references],
            [one.required for one in references],
        )


async def _keep(
    connection: Connection, change: Change, stored: Stored, program_version: int, what: str, doc: str | None
) -> None:
    await connection.execute(
        SQL.insert_version,
        change.org_id,
        change.kind.name,
        change.id,
        stored.version,
        stored.ordinal,
        program_version,
        what,
        doc,
        change.at,
        change.by,
    )
    await connection.execute(SQL.announce, str(change.org_id))
    if change.kind.name == "campaign" and doc is not None:
        await _tell(connection, change, stored, what)


async def _tell(connection: Connection, change: Change, stored: Stored, what: str) -> None:
    """Other systems may want to know of campaigns."""
    named = "campaign.archived" if stored.doc["status"] == "archived" else f"campaign.{what}"
    data = {
        "campaignId": stored.id,
        "name": stored.doc["name"],
        "status": stored.doc["status"],
        "version": stored.version,
    }
    message_id = derived_id(change.org_id, f"{named} {stored.id} {stored.ordinal} {stored.version}")
    payload = payload_of(message_id, named, change.org_id, change.at, data | {"changedBy": change.by})
    await connection.execute(SQL.tell_webhooks, change.org_id, message_id, named, payload, change.at)


def _canonical(document: Document) -> str:
    return msgspec.json.encode(document).decode()


def _stored(row: asyncpg.Record) -> Stored:
    return Stored(**(dict(row) | {"doc": msgspec.json.decode(row["doc"])}))


def _taken(kind: DocumentKind, error: asyncpg.UniqueViolationError) -> Conflict:
    name = {"documents_sku": "SKU", "documents_key": "key"}.get(error.constraint_name or "", "ID")
    return Conflict(f"{kind.title} with this {name} already exists", code="already_exists")
