"""The CRUD operations of a kind of document: one implementation for all kinds."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from plaudit import clock
from plaudit.api.http.operations import ANY_LIMIT, CURSOR, PAGING, Call, Operation, Parameter
from plaudit.api.http.paging import page_size, paged, read_cursor
from plaudit.api.http.read_only import writable
from plaudit.api.http.schemas import document_schema, list_schema, message_schema, versions_schema
from plaudit.api.http.wire import Json, time_text
from plaudit.documents.base import DocumentId, DocumentKind
from plaudit.documents.kinds import KINDS
from plaudit.errors import FieldError, invalid_fields
from plaudit.storage import documents
from plaudit.storage.documents import Change, StoredDocument

from .documented import DOCUMENTED

_SOFT = "A soft delete: the field gets `status: deleted`."
_REFERRED_TO = "Fails with 409 if another document refers to it; the error names which."
MAX_ORDINAL = 2**62
EVERYTHING = 2**31


def crud(kind: DocumentKind) -> list[Operation]:
    """The operations of a kind: list, create, one, change, delete, and its versions."""
    collection = f"/v1/{kind.collection}"
    single = f"{collection}/{{{kind.id_field}}}"
    shown = document_schema(kind)
    documented = DOCUMENTED.get(kind.name)
    tag = "Profile schema" if kind.name == "custom_field" else kind.title + "s"
    common: dict[str, Any] = {"tag": tag, "enveloped": documented is None or not documented.bare}
    paging = (ANY_LIMIT, CURSOR) if _is_unpaged(kind) else PAGING
    filters = tuple(_filter(kind, name) for name in kind.filters)
    noun = "".join(word.capitalize() for word in kind.title.split())
    title = kind.title.lower()
    return [
        Operation(
            name=f"list{noun}s", method="GET", path=collection, summary=f"List {title}s", run=make_list(kind),
            errors=(400,), scope="admin:read", answer=list_schema(kind, shown), query=(*filters, *paging),
            tag=tag,
        ),
        Operation(
            name=f"create{noun}", method="POST", path=collection, summary=f"Create a {title}", run=make_create(kind),
            scope="admin:write", body=kind.type, status=201, errors=(400, 409, 413),
            answer=documented.created_schema(shown) if documented else shown, **common,
        ),
        Operation(
            name=f"get{noun}", method="GET", path=single, summary=f"Get a {title}", run=getter(kind),
            errors=(400, 404), scope="admin:read", answer=shown, **common,
        ),
        Operation(
            name=f"update{noun}", method="PUT", path=single, summary=f"Update a {title}",
            description="Only the fields in the body change; the others keep their values.", run=updater(kind),
            scope="admin:write", body={"type": "object"}, answer=shown, errors=(400, 404, 409, 413), **common,
        ),
        Operation(
            name=f"delete{noun}", method="DELETE", path=single, summary=f"Delete a {title}",
            description=_SOFT if kind.name == "custom_field" else _REFERRED_TO,
            run=deleter(kind), scope="admin:write", answer=message_schema(), errors=(400, 404, 409),
            tag=tag,
        ),
        Operation(
            name=f"list{noun}Versions", method="GET", path=f"{single}/versions",
            summary=f"List the versions of a {title}", run=version_lister(kind), scope="admin:read",
            answer=versions_schema(), query=PAGING, errors=(400, 404), tag=tag,
        ),
    ]  # fmt: skip


def _is_unpaged(kind: DocumentKind) -> bool:
    documented = DOCUMENTED.get(kind.name)
    return documented is not None and documented.unpaged


Run = Callable[[Call], Any]

_NAMED = {f"{kind.name}Id": kind.name for kind in KINDS.values()} | {"metric": "metric"}


def _filter(kind: DocumentKind, name: str) -> Parameter:
    """A field that a list can be filtered by, with the values that it can have."""
    own = next(field for field in msgspec.structs.fields(kind.type) if field.encode_name == name)
    (schema,), _ = msgspec.json.schema_components([own.type])
    values = {"enum": schema["enum"]} if "enum" in schema else {"type": "string"}
    return Parameter(name, f"Only those with this {name}.", values, names=_NAMED.get(name))


def document_view(call: Call, kind: DocumentKind, stored: StoredDocument) -> Json:
    """Return a document as the caller may see it."""
    return {
        "orgId": str(call.org_id),
        kind.id_field: stored.id,
        **_visible(call, kind, stored.doc),
        "version": stored.version,
        "createdAt": time_text(stored.created_at),
        "updatedAt": time_text(stored.updated_at),
        "createdBy": stored.created_by,
    }


async def add_counts(call: Call, kind: DocumentKind, shown: list[Json]) -> list[Json]:
    """Documents together with what is not theirs to keep: numbers of codes of a pool, why one is out of force."""
    if not shown:
        return shown
    ids = [str(row[kind.id_field]) for row in shown]
    programme = await call.services.programmes.current_unless_stopped(call.org_id)
    if programme is not None and (out := programme.out_of_force):
        reasons = {name: {"outOfForce": out[kind.name, name]} for name in ids if (kind.name, name) in out}
        shown = [row | reasons.get(str(row[kind.id_field]), {}) for row in shown]
    documented = DOCUMENTED.get(kind.name)
    if documented is None or documented.counts is None:
        return shown
    async with call.services.pool.acquire() as connection:
        counts = await documented.counts(connection, call.org_id, ids)
    return [row | counts[str(row[kind.id_field])] for row in shown]


def hidden_from(call: Call, kind: DocumentKind) -> frozenset[str]:
    """Return the fields of a kind that the caller may not see."""
    return frozenset() if "members:read" in call.scopes else kind.personal


def _visible(call: Call, kind: DocumentKind, doc: Json) -> Json:
    hidden = hidden_from(call, kind)
    return {name: value for name, value in kind.write(doc).items() if name not in hidden}


def change_of(call: Call, kind: DocumentKind, document_id: str) -> Change:
    """Who changes what, when."""
    return Change(
        org_id=call.org_id, kind=kind, id=document_id, by=call.caller_name, at=clock.now(), scopes=call.scopes
    )


def new_id_of(kind: DocumentKind, body: Any) -> tuple[str, Any]:
    """The id of a new document, and the body without it: the client's own, the field that is the id, or a new one."""
    if not isinstance(body, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    given: dict[str, Any] = dict(body)  # pyright: ignore[reportUnknownArgumentType]
    named = given.pop(kind.id_field, None)
    if named is None and kind.id_from is not None:
        named = given.get(kind.id_from)
    if named is None:
        return f"{kind.id_prefix}{clock.new_uuid7()}", given
    try:
        return msgspec.convert(named, DocumentId), given
    except msgspec.ValidationError:
        wanted = "must be 1 to 64 letters, digits, dots, hyphens or underscores"
        raise invalid_fields([FieldError(kind.id_field, wanted)]) from None


def make_list(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Json:
        paged_by = "limit" in call.query or "cursor" in call.query
        size = page_size(call.query) if paged_by or not _is_unpaged(kind) else EVERYTHING
        (after,) = read_cursor(call.query, tuple[int], (0,))
        filters = {name: call.query[name] for name in kind.filters if name in call.query}
        return await list_documents(call, kind, after=after, filters=filters, size=size)

    return run


async def list_documents(call: Call, kind: DocumentKind, *, after: int, filters: Mapping[str, str], size: int) -> Json:
    """A page of a kind, as `data` of an answer."""
    async with call.services.pool.acquire() as connection:
        found = await documents.fetch_page(
            connection, call.org_id, kind, after=after, filters=dict(filters), size=size + 1
        )
    page, cursor = paged(found, size, lambda document: (document.ordinal,))
    shown = await add_counts(call, kind, [document_view(call, kind, document) for document in page])
    return {kind.list_name: shown, "count": len(shown), "cursor": cursor}


def make_create(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Any:
        document_id, body = new_id_of(kind, call.body)
        async with call.services.pool.acquire() as connection:
            stored = await documents.create(connection, change_of(call, kind, document_id), body)
        await call.services.programmes.refresh(call.org_id)
        (shown,) = await add_counts(call, kind, [document_view(call, kind, stored)])
        documented = DOCUMENTED.get(kind.name)
        return documented.created(shown) if documented else shown

    return run


def getter(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Json:
        async with call.services.pool.acquire() as connection:
            stored = await documents.fetch(connection, call.org_id, kind, call.path[kind.id_field])
        (shown,) = await add_counts(call, kind, [document_view(call, kind, stored)])
        return shown

    return run


def updater(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Json:
        return await update_document(call, kind, call.path[kind.id_field], call.body)

    return run


async def update_document(call: Call, kind: DocumentKind, document_id: str, body: Any) -> Json:
    """Change a document, in force here at once, and show it. What cannot be changed may be sent as it was shown."""
    read_only = read_only_fields(kind)
    if isinstance(body, dict) and body.keys() & read_only:
        async with call.services.pool.acquire() as connection:
            before = await documents.fetch(connection, call.org_id, kind, document_id)
        (shown,) = await add_counts(call, kind, [document_view(call, kind, before)])
        body = writable(body, _created_as(kind, shown), read_only)
    async with call.services.pool.acquire() as connection:
        stored = await documents.update(connection, change_of(call, kind, document_id), body)
    await call.services.programmes.refresh(call.org_id)
    (shown,) = await add_counts(call, kind, [document_view(call, kind, stored)])
    return shown


def read_only_fields(kind: DocumentKind) -> frozenset[str]:
    """Return the fields that documents of a kind are shown with, and that their authors do not write."""
    documented = DOCUMENTED.get(kind.name)
    own = {field.encode_name for field in msgspec.structs.fields(kind.type)}
    around = {"orgId", kind.id_field, "version", "createdAt", "updatedAt", "createdBy", "outOfForce"}
    return frozenset(around | set(documented.shown_only if documented else ())) - own


def _created_as(kind: DocumentKind, shown: Json) -> Json:
    """A document with what it is also shown with when it has just been made."""
    documented = DOCUMENTED.get(kind.name)
    return shown if documented is None else shown | documented.also(shown)


def deleter(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Json:
        if kind.deleted is not None:
            await update_document(call, kind, call.path[kind.id_field], kind.deleted)
        else:
            await delete_document(call, kind, call.path[kind.id_field])
        return {"message": f"{kind.title} deleted successfully"}

    return run


async def delete_document(call: Call, kind: DocumentKind, document_id: str) -> None:
    """Delete a document, in force here at once."""
    async with call.services.pool.acquire() as connection:
        await documents.delete(connection, change_of(call, kind, document_id))
    await call.services.programmes.refresh(call.org_id)


def version_lister(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Json:
        size = page_size(call.query)
        (before,) = read_cursor(call.query, tuple[int], (MAX_ORDINAL,))
        document_id = call.path[kind.id_field]
        async with call.services.pool.acquire() as connection:
            found = await documents.versions(connection, call.org_id, kind, document_id, before=before, size=size + 1)
        page, cursor = paged(found, size, lambda document_version: (document_version.program_version,))
        shown = [
            {
                "version": document_version.version,
                "programVersion": document_version.program_version,
                "change": document_version.change,
                "changedAt": time_text(document_version.changed_at),
                "changedBy": document_version.changed_by,
                "document": None if document_version.doc is None else _visible(call, kind, document_version.doc),
            }
            for document_version in page
        ]
        return {"versions": shown, "cursor": cursor}

    return run
