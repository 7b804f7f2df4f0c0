"""The CRUD operations of documents. All kinds share this implementation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from plaudit import clock
from plaudit.api.http.operations import ANY_LIMIT, CURSOR, PAGING, Call, Operation, Parameter
from plaudit.api.http.paging import page_size, paged, read_cursor
from plaudit.api.http.read_only import writable
from plaudit.api.http.wire import Json, time_text
from plaudit.api.views.base import Acknowledgement, Page, View, to_builtins
from plaudit.api.views.documents import TYPES, DocumentVersion, DocumentVersionList
from plaudit.documents.base import DocumentId, DocumentKind
from plaudit.documents.kinds import KINDS
from plaudit.errors import FieldError, invalid_fields
from plaudit.storage import documents
from plaudit.storage.documents import Change, StoredDocument

from .documented import DOCUMENTED

_SOFT = "A soft delete: the field gets `status: deleted`."
_REFERRED_TO = "Fails with 409 if another document refers to it; the error names which."
_CAMPAIGN_LEAVES_BEHIND = """Only the document is deleted: members' progress, transactions, coupons and explanations stay.
To stop a campaign, archive it instead."""
MAX_ORDINAL = 2**62
EVERYTHING = 2**31
NO_FIELDS: Mapping[str, Any] = {}


def crud(kind: DocumentKind) -> list[Operation]:
    """Return the operations of a kind: list, create, get, update and delete documents, and list their versions."""
    collection = f"/v1/{kind.collection}"
    single = f"{collection}/{{{kind.id_field}}}"
    types = TYPES[kind.name]
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
            errors=(400,), scope="admin:read", response=types.page, query=(*filters, *paging),
            tag=tag,
        ),
        Operation(
            name=f"create{noun}", method="POST", path=collection, summary=f"Create a {title}", run=make_create(kind),
            scope="admin:write", body=types.new, status=201, errors=(400, 409, 413),
            response=(documented.created_type if documented else None) or types.view, **common,
        ),
        Operation(
            name=f"get{noun}", method="GET", path=single, summary=f"Get a {title}", run=getter(kind),
            errors=(400, 404), scope="admin:read", response=types.view, **common,
        ),
        Operation(
            name=f"update{noun}", method="PUT", path=single, summary=f"Update a {title}",
            description="Only the fields in the body change; the others keep their values.", run=updater(kind),
            scope="admin:write", body=types.update, response=types.view, errors=(400, 404, 409, 413), **common,
        ),
        Operation(
            name=f"delete{noun}", method="DELETE", path=single, summary=f"Delete a {title}",
            description=_on_deletion(kind),
            run=deleter(kind), scope="admin:write", response=Acknowledgement, errors=(400, 404, 409),
            tag=tag,
        ),
        Operation(
            name=f"list{noun}Versions", method="GET", path=f"{single}/versions",
            summary=f"List the versions of a {title}", run=version_lister(kind), scope="admin:read",
            response=DocumentVersionList, query=PAGING, errors=(400, 404), tag=tag,
        ),
    ]  # fmt: skip


def _on_deletion(kind: DocumentKind) -> str:
    if kind.name == "custom_field":
        return _SOFT
    return f"{_REFERRED_TO}\n\n{_CAMPAIGN_LEAVES_BEHIND}" if kind.name == "campaign" else _REFERRED_TO


def _is_unpaged(kind: DocumentKind) -> bool:
    documented = DOCUMENTED.get(kind.name)
    return documented is not None and documented.unpaged


Run = Callable[[Call], Any]

_NAMED = {f"{kind.name}Id": kind.name for kind in KINDS.values()} | {"metric": "metric"}


def _filter(kind: DocumentKind, name: str) -> Parameter:
    """Return the query parameter that filters a list by this field."""
    filtered = next(field for field in msgspec.structs.fields(kind.type) if field.encode_name == name)
    (schema,), _ = msgspec.json.schema_components([filtered.type])
    values = {"enum": schema["enum"]} if "enum" in schema else {"type": "string"}
    return Parameter(name, f"Filter by {name}", values, names=_NAMED.get(name))


def document_view(
    call: Call, kind: DocumentKind, stored: StoredDocument, others: Mapping[str, Any] = NO_FIELDS
) -> View:
    """Return a document as the caller may see it. `others` are further fields of its view."""
    types = TYPES[kind.name]
    view = {types.names[name]: value for name, value in _visible(call, kind, stored.doc).items() if name in types.names}
    view |= {
        "org_id": str(call.org_id),
        types.id_name: stored.id,
        "version": stored.version,
        "created_at": time_text(stored.created_at),
        "updated_at": time_text(stored.updated_at),
        "created_by": stored.created_by,
        **others,
    }
    return types.view(**view)


async def document_views(call: Call, kind: DocumentKind, stored_documents: Sequence[StoredDocument]) -> list[View]:
    """Return documents with fields that are not stored in them: counts, and why a document is out of force."""
    if not stored_documents:
        return []
    ids = [stored.id for stored in stored_documents]
    others: dict[str, dict[str, Any]] = {name: {} for name in ids}
    programme = await call.services.programmes.current_unless_stopped(call.org_id)
    if programme is not None and (out := programme.out_of_force):
        for name in ids:
            if (kind.name, name) in out:
                others[name]["out_of_force"] = out[kind.name, name]
    documented = DOCUMENTED.get(kind.name)
    if documented is not None and documented.counts is not None:
        async with call.connection() as connection:
            counts = await documented.counts(connection, call.org_id, ids)
        others = {name: {**others[name], **counts[name]} for name in ids}
    return [document_view(call, kind, stored, others[stored.id]) for stored in stored_documents]


async def _view_of(call: Call, kind: DocumentKind, stored: StoredDocument) -> View:
    (view,) = await document_views(call, kind, [stored])
    return view


def hidden_from(call: Call, kind: DocumentKind) -> frozenset[str]:
    """Return the fields of a kind that the caller may not see."""
    return frozenset() if "members:read" in call.scopes else kind.personal


def _visible(call: Call, kind: DocumentKind, doc: Json) -> Json:
    hidden = hidden_from(call, kind)
    return {name: value for name, value in kind.write(doc).items() if name not in hidden}


def change_of(call: Call, kind: DocumentKind, document_id: str) -> Change:
    """Return the change record of a document: who changes it, and when."""
    return Change(
        org_id=call.org_id, kind=kind, id=document_id, by=call.caller_name, at=clock.now(), scopes=call.scopes
    )


def new_id_of(kind: DocumentKind, body: Any) -> tuple[str, Any]:
    """Return the id of a new document, and the body without it. The client can choose the id; otherwise it is generated."""
    if not isinstance(body, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    fields: dict[str, Any] = dict(body)  # pyright: ignore[reportUnknownArgumentType]
    document_id = fields.pop(kind.id_field, None)
    if document_id is None and kind.id_from is not None:
        document_id = fields.get(kind.id_from)
    if document_id is None:
        return f"{kind.id_prefix}{clock.new_uuid7()}", fields
    try:
        return msgspec.convert(document_id, DocumentId), fields
    except msgspec.ValidationError:
        expected = "must be 1 to 64 letters, digits, dots, hyphens or underscores"
        raise invalid_fields([FieldError(kind.id_field, expected)]) from None


def make_list(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Page:
        paged_by = "limit" in call.query or "cursor" in call.query
        size = page_size(call.query) if paged_by or not _is_unpaged(kind) else EVERYTHING
        (after,) = read_cursor(call.query, tuple[int], (0,))
        filters = {name: call.query[name] for name in kind.filters if name in call.query}
        return await list_documents(call, kind, after=after, filters=filters, size=size)

    return run


async def list_documents(call: Call, kind: DocumentKind, *, after: int, filters: Mapping[str, str], size: int) -> Page:
    """Return a page of the documents of a kind."""
    async with call.connection() as connection:
        rows = await documents.fetch_page(
            connection, call.org_id, kind, after=after, filters=dict(filters), size=size + 1
        )
    page, cursor = paged(rows, size, lambda document: (document.ordinal,))
    views = await document_views(call, kind, page)
    return TYPES[kind.name].page.of(views, count=len(views), cursor=cursor)


def make_create(kind: DocumentKind) -> Run:
    async def run(call: Call) -> View:
        document_id, body = new_id_of(kind, call.body)
        async with call.connection() as connection:
            stored = await documents.create(connection, change_of(call, kind, document_id), body)
        await call.services.programmes.refresh(call.org_id)
        view = await _view_of(call, kind, stored)
        documented = DOCUMENTED.get(kind.name)
        return documented.created(view) if documented else view

    return run


def getter(kind: DocumentKind) -> Run:
    async def run(call: Call) -> View:
        async with call.connection() as connection:
            stored = await documents.fetch(connection, call.org_id, kind, call.path[kind.id_field])
        return await _view_of(call, kind, stored)

    return run


def updater(kind: DocumentKind) -> Run:
    async def run(call: Call) -> View:
        return await update_document(call, kind, call.path[kind.id_field], call.body)

    return run


async def update_document(call: Call, kind: DocumentKind, document_id: str, body: Any) -> View:
    """Update a document and return it. It is in force in this process immediately. Unchanged read-only fields are ignored."""
    read_only = read_only_fields(kind)
    if isinstance(body, dict) and body.keys() & read_only:
        async with call.connection() as connection:
            old = await documents.fetch(connection, call.org_id, kind, document_id)
        view, documented = await _view_of(call, kind, old), DOCUMENTED.get(kind.name)
        body = writable(body, to_builtins(view if documented is None else documented.complete(view)), read_only)
    async with call.connection() as connection:
        stored = await documents.update(connection, change_of(call, kind, document_id), body)
    await call.services.programmes.refresh(call.org_id)
    return await _view_of(call, kind, stored)


def read_only_fields(kind: DocumentKind) -> frozenset[str]:
    """Return the fields in the responses of a kind that clients cannot write."""
    types = TYPES[kind.name]
    return frozenset(types.view.__struct_encode_fields__) - types.names.keys()


def deleter(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Acknowledgement:
        if kind.deleted is not None:
            await update_document(call, kind, call.path[kind.id_field], kind.deleted)
        else:
            await delete_document(call, kind, call.path[kind.id_field])
        return Acknowledgement(message=f"{kind.title} deleted successfully")

    return run


async def delete_document(call: Call, kind: DocumentKind, document_id: str) -> None:
    """Delete a document. This process stops using it immediately."""
    async with call.connection() as connection:
        await documents.delete(connection, change_of(call, kind, document_id))
    await call.services.programmes.refresh(call.org_id)


def version_lister(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Page:
        page = call.page(tuple[int], (MAX_ORDINAL,))
        document_id = call.path[kind.id_field]
        async with call.connection() as connection:
            rows = await documents.fetch_versions(
                connection, call.org_id, kind, document_id, before=page.start[0], size=page.limit
            )
        rows, cursor = page.cut(rows, lambda document_version: (document_version.program_version,))
        versions = [
            DocumentVersion(
                version=document_version.version,
                program_version=document_version.program_version,
                change=document_version.change,
                changed_at=time_text(document_version.changed_at),
                changed_by=document_version.changed_by,
                document=None if document_version.doc is None else _visible(call, kind, document_version.doc),
            )
            for document_version in rows
        ]
        return DocumentVersionList.of(versions, cursor=cursor)

    return run
