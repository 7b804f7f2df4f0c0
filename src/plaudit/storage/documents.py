"""CRUD for all kinds of documents: validated, versioned, with referential integrity."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from plaudit.core.ids import derived_id
from plaudit.documents.base import Document, DocumentKind, fixed_fields_changed
from plaudit.documents.checking import Rest, checked_document, further_errors, rest_of
from plaudit.documents.existing import parts_lost, references_of
from plaudit.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, invalid_fields
from plaudit.guard import in_hand, known
from plaudit.messages import CampaignData, payload_of

from .outgoing import enqueue_if_wanted
from .postgres import Connection, atomic
from .programmes import announce_change
from .queries import queries_beside
from .references import Own, refuse_referred_to, wrong_references

_SQL = queries_beside(__file__)
Json = dict[str, Any]

# Members' balances and codes must keep their document: deleting it is refused with this reason.
_GUARDS = {
    "metric": (_SQL.guard_metric, "members hold balances of it"),
    "code_pool": (_SQL.guard_code_pool, "members have codes of it; set its status to inactive instead"),
}


class StoredDocument(Struct, frozen=True, kw_only=True):
    """A stored document; `doc` is in canonical spelling."""

    id: str
    version: int
    ordinal: int
    doc: Json
    created_at: datetime
    created_by: str
    updated_at: datetime


class DocumentVersion(Struct, frozen=True, kw_only=True):
    """A document after one of its changes; `doc` is None after a deletion."""

    version: int
    change: str
    doc: Json | None
    changed_at: datetime
    changed_by: str
    program_version: int


class Change(Struct, frozen=True, kw_only=True):
    """Who changes what, and when. `scopes` are the author's permissions; None for the server and its operator."""

    org_id: UUID
    kind: DocumentKind
    id: str
    by: str
    at: datetime
    scopes: frozenset[str] | None = None


def validate(kind: DocumentKind, raw: Any, over: Json | None = None) -> Document:
    """Return a request's body as a document of that kind. Raise Invalid naming every invalid field.

    `over` is the stored document to replace. Its invalid fields are accepted as long as they do not change.
    """
    if not isinstance(raw, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    content = msgspec.json.encode(raw, enc_hook=str).decode()
    document_id = derived_id(UUID(int=0), f"{kind.name}:{content}")
    stopped = known.stopped(document_id)
    if stopped is not None:
        raise Invalid(f"The document is not evaluated again: the last time, {stopped.reason}", code="document_stopped")
    with in_hand.doing("document", document_id, None):
        return checked_document(kind, raw, over)  # pyright: ignore[reportUnknownArgumentType]


async def create(connection: Connection, change: Change, raw: Any, copied: Json | None = None) -> StoredDocument:
    """Store a new document. Raise Invalid, or Conflict if the id or another unique field is taken.

    `copied` is the stored document that it is a copy of. Its invalid fields are accepted as long as they do not change.
    """
    async with atomic(connection):
        program_version = await next_version(connection, change.org_id)
        document = await _checked_whole(connection, change, raw, None, copied)
        return await write(connection, change, document, program_version, new=True)


async def update(connection: Connection, change: Change, raw: Any) -> StoredDocument:
    """Change the given fields of a document. Raise Invalid, NotFound or Conflict."""
    if not isinstance(raw, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    if not raw:
        raise Invalid("The body is empty: there is nothing to update", code="empty_body")
    async with atomic(connection):
        await lock_organisation(connection, change.org_id)
        before = await fetch(connection, change.org_id, change.kind, change.id)
        fields = change.kind.read(raw)  # pyright: ignore[reportUnknownArgumentType]
        fixed = [
            FieldError(name, "cannot be changed")
            for name in change.kind.fixed
            if name in fields and fields[name] != before.doc.get(name)
        ]
        document = await _checked_whole(connection, change, before.doc | fields, before.doc, before.doc, fixed)
        fixed_anyway = fixed_fields_changed(change.kind, before.doc, msgspec.json.decode(_canonical(document)))
        if fixed_anyway:
            raise invalid_fields([FieldError(name, "cannot be changed") for name in fixed_anyway])
        if _is_same(change.kind, document, before.doc):
            return before  # no new version of the document or of the programme
        lost = parts_lost(before.doc, document)
        await refuse_referred_to(connection, change.org_id, change.kind, change.id, lost)
        return await write(connection, change, document, await next_version(connection, change.org_id), new=False)


async def _checked_whole(
    connection: Connection, change: Change, raw: Any, before: Json | None, over: Json | None, wrong: Sequence[FieldError] = ()
) -> Document:  # fmt: skip
    """Return a document, or raise Invalid with all of its errors: shape, meaning, and references.

    `before` is the document's previous version. Errors that `over` has too are accepted.
    """
    errors = list(wrong)
    document: Document | None = None
    rest: Rest | None = None
    try:
        document = validate(change.kind, raw, over)
        rest = Rest(document, {}, frozenset())
    except Invalid as error:
        if not error.fields:
            raise
        errors += error.fields
        rest = rest_of(change.kind, raw, error.fields)
        further = [] if rest is None else further_errors(change.kind, rest)
        if further:
            errors += [item for item in further if item not in errors]
            rest = rest_of(change.kind, raw, errors)  # references in invalid fields are not checked
    if rest is not None:
        own = Own(change.id, before, over)
        errors += rest.with_errors(await wrong_references(connection, change.org_id, change.kind, rest.document, own))
    if errors or document is None:
        raise invalid_fields(errors)
    return document


def _is_same(kind: DocumentKind, document: Document, before: Json) -> bool:
    """Return whether a document equals the stored one, even if an earlier version stored it with fewer fields."""
    try:
        stored = msgspec.convert(before, kind.type)
    except msgspec.ValidationError:
        return False
    new, old = (kind.write(msgspec.json.decode(_canonical(item))) for item in (document, stored))
    return new == old


async def deactivate(connection: Connection, change: Change) -> None:
    """Set a document's status to inactive."""
    async with atomic(connection):
        await _set(connection, change, {"status": "inactive"}, None)


async def complete(connection: Connection, change: Change, version: int, now: datetime) -> None:
    """Set the status of a finished document to completed, unless it has changed since this version.

    `now` is by the organisation's clock.
    """
    async with atomic(connection):
        over: Json = {"status": "completed"}
        if change.kind.name == "campaign":
            over["completedAt"] = now
        await _set(connection, change, over, version)


async def _set(connection: Connection, change: Change, fields: Json, version: int | None) -> None:
    """Set fields of a document without validating the rest: an earlier version of Plaudit may have accepted more.

    Do nothing if the document is no longer of this `version`.
    """
    program_version = await next_version(connection, change.org_id)
    before = await fetch(connection, change.org_id, change.kind, change.id)
    if version in (None, before.version):
        document = msgspec.convert(before.doc | fields, change.kind.type)
        await write(connection, change, document, program_version, new=False)


async def write(
    connection: Connection, change: Change, document: Document, program_version: int, *, new: bool
) -> StoredDocument:
    """Store a validated document, inside the caller's transaction, as part of a version of the programme.

    Raise Forbidden if the change would give its author more permissions than they have.
    """
    doc = _canonical(document)
    before = None if new else (await fetch(connection, change.org_id, change.kind, change.id)).doc
    _refuse_more(change, before, doc)
    key = (change.org_id, change.kind.name, change.id)
    try:
        if new:
            row = await connection.fetchrow(_SQL.insert_document, *key, doc, change.at, change.by)
        else:
            row = await connection.fetchrow(_SQL.update_document, *key, doc, change.at)
    except asyncpg.UniqueViolationError as error:
        raise _taken(change.kind, error) from None
    if row is None:
        raise Conflict(f"{change.kind.title} with this ID already exists", code="already_exists")
    stored = _stored(row)
    await _store_version(connection, change, stored, program_version, "created" if new else "updated", doc)
    if not new:
        await connection.execute(_SQL.delete_references, *key)
    await _store_references(connection, change.org_id, change.kind, change.id, document)
    if change.kind.refills(before, stored.doc):
        await connection.execute(_SQL.refill, change.org_id, fill_id(change.kind.name, change.id), stored.version)
    return stored


def fill_id(kind: str, document_id: str) -> str:
    """Return a document's id in `segment_fills`. The prefix keeps other kinds apart from segments."""
    return document_id if kind == "segment" else f"{kind}:{document_id}"


def _refuse_more(change: Change, before: Json | None, doc: str) -> None:
    if change.scopes is None:
        return
    lacking = sorted(change.kind.scopes(before, msgspec.json.decode(doc)) - change.scopes)
    if lacking:
        raise Forbidden(
            f"This change of {change.kind.title.lower()} {change.id} needs the scope {lacking[0]} too",
            code="scope_missing",
        )


async def delete(connection: Connection, change: Change) -> None:
    """Delete a document. Raise NotFound, or Conflict naming the documents that refer to it."""
    kind = change.kind
    async with atomic(connection):
        program_version = await next_version(connection, change.org_id)
        await fetch(connection, change.org_id, kind, change.id)
        await refuse_referred_to(connection, change.org_id, kind, change.id)
        await remove(connection, change, program_version)


async def remove(connection: Connection, change: Change, program_version: int) -> None:
    """Delete a document inside the caller's transaction. Raise Conflict if members hold balances or codes of it."""
    kind = change.kind
    before = await fetch(connection, change.org_id, kind, change.id)
    guard = _GUARDS.get(kind.name)
    if guard and await connection.fetchval(guard[0], change.org_id, change.id):
        raise Conflict(f"{kind.title} {change.id} cannot be deleted: {guard[1]}", code="in_use")
    if kind.name == "code_pool":
        await connection.execute(_SQL.delete_codes, change.org_id, change.id)
    await connection.execute(_SQL.delete_fill, change.org_id, fill_id(kind.name, change.id))
    await connection.execute(_SQL.delete_document, change.org_id, kind.name, change.id)
    await _store_version(connection, change, before, program_version, "deleted", None)


async def fetch(connection: Connection, org_id: UUID, kind: DocumentKind, id: str) -> StoredDocument:
    """Return a document. Raise NotFound."""
    row = await connection.fetchrow(_SQL.one, org_id, kind.name, id)
    if row is None:
        raise NotFound(f"{kind.title} not found", code=f"{kind.name}_not_found")
    return _stored(row)


async def ever_existed(connection: Connection, org_id: UUID, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which of these kinds and ids belong to a document that exists or was deleted."""
    kinds, ids = [kind for kind, _ in keys], [name for _, name in keys]
    rows = await connection.fetch(_SQL.ever_existed, org_id, kinds, ids)
    return {(row["kind"], row["id"]) for row in rows}


async def fetch_page(
    connection: Connection,
    org_id: UUID,
    kind: DocumentKind,
    *,
    after: int,
    filters: dict[str, str],
    size: int,
) -> list[StoredDocument]:
    """Return up to `size` documents of a kind after an ordinal, in order of creation."""
    fields = msgspec.json.encode(filters).decode()
    rows = await connection.fetch(_SQL.page, org_id, kind.name, after, fields, size)
    return [_stored(row) for row in rows]


async def fetch_versions(
    connection: Connection,
    org_id: UUID,
    kind: DocumentKind,
    id: str,
    *,
    before: int,
    size: int,
) -> list[DocumentVersion]:
    """Return a document's versions, newest first, even after its deletion. Raise NotFound."""
    rows = await connection.fetch(_SQL.versions, org_id, kind.name, id, before, size)
    versions = [
        DocumentVersion(
            version=row["version"],
            change=row["change"],
            doc=None if row["doc"] is None else msgspec.json.decode(row["doc"]),
            changed_at=row["changed_at"],
            changed_by=row["changed_by"],
            program_version=row["program_version"],
        )
        for row in rows
    ]
    if not versions and not await connection.fetch(_SQL.versions, org_id, kind.name, id, 2**62, 1):
        raise NotFound(f"{kind.title} not found", code=f"{kind.name}_not_found")
    return versions


async def lock_organisation(connection: Connection, org_id: UUID) -> None:
    """Lock the organisation's programme against other changes until the transaction ends. Raise NotFound."""
    if await connection.fetchval(_SQL.lock_organisation, org_id) is None:
        raise NotFound("Organisation not found", code="org_not_found")


async def next_version(connection: Connection, org_id: UUID) -> int:
    """Lock the organisation's programme like `lock_organisation`, and return its next version, which the change makes."""
    version = await connection.fetchval(_SQL.next_program_version, org_id)
    if version is None:
        raise NotFound("Organisation not found", code="org_not_found")
    return version


async def refer(connection: Connection, org_id: UUID, kind: DocumentKind, id: str, doc: Json) -> None:
    """Store the references of a stored document. One that this version cannot read is out of force: it has none."""
    try:
        document = msgspec.convert(doc, kind.type)
    except msgspec.ValidationError:
        return
    await _store_references(connection, org_id, kind, id, document)


async def _store_references(
    connection: Connection, org_id: UUID, kind: DocumentKind, id: str, document: Document
) -> None:
    references = references_of(kind, document)
    if references:
        names = [reference.field for reference in references]
        fields = [  # a formula may refer to several documents
            reference.field
            if reference.field not in names[:i]
            else f"{reference.field} ({reference.kind} {reference.id})"
            for i, reference in enumerate(references)
        ]
        named = ([getattr(reference, name) for reference in references] for name in ("kind", "id", "required"))
        await connection.execute(_SQL.insert_references, org_id, kind.name, id, fields, *named)


async def _store_version(
    connection: Connection, change: Change, stored: StoredDocument, program_version: int, what: str, doc: str | None
) -> None:
    key = (change.org_id, change.kind.name, change.id)
    await connection.execute(
        _SQL.insert_version, *key, stored.version, stored.ordinal, program_version, what, doc, change.at, change.by
    )
    await announce_change(connection, change.org_id)
    if change.kind.name == "campaign" and doc is not None:
        await _notify(connection, change, stored, what)


async def _notify(connection: Connection, change: Change, stored: StoredDocument, what: str) -> None:
    """Notify other systems of a campaign's change."""
    type_ = "campaign.archived" if stored.doc["status"] == "archived" else f"campaign.{what}"
    data = CampaignData(
        campaign_id=stored.id,
        name=stored.doc["name"],
        status=stored.doc["status"],
        version=stored.version,
        changed_by=change.by,
    )
    message_id = derived_id(change.org_id, f"{type_} {stored.id} {stored.ordinal} {stored.version}")
    payload = payload_of(message_id, type_, change.org_id, change.at, data)
    await enqueue_if_wanted(connection, change.org_id, message_id, type_, payload, change.at)


def _canonical(document: Document) -> str:
    return msgspec.json.encode(document).decode()


def _stored(row: asyncpg.Record) -> StoredDocument:
    return StoredDocument(**(dict(row) | {"doc": msgspec.json.decode(row["doc"])}))


def _taken(kind: DocumentKind, error: asyncpg.UniqueViolationError) -> Conflict:
    name = {"documents_sku": "SKU", "documents_key": "key"}.get(error.constraint_name or "", "ID")
    return Conflict(f"{kind.title} with this {name} already exists", code="already_exists")
