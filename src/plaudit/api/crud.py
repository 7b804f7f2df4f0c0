"""The CRUD operations of a kind of document: one implementation for all kinds."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from plaudit import clock
from plaudit.documents.base import DocumentId, DocumentKind
from plaudit.errors import FieldError, invalid_fields
from plaudit.storage import documents
from plaudit.storage.documents import Change, Stored

from .documented import DOCUMENTED
from .operations import PAGING, Call, Operation, Parameter
from .outside import Json, time_text
from .paging import page_size, paged, read_cursor
from .schemas import document_schema, list_schema, message_schema, versions_schema

MAX_ORDINAL = 2**62


def crud(kind: DocumentKind) -> list[Operation]:
    """The operations of a kind: list, create, one, change, delete, and its versions."""
    collection = f"/v1/{kind.collection}"
    single = f"{collection}/{{{kind.id_field}}}"
    shown = document_schema(kind)
    documented = DOCUMENTED.get(kind.name)
    common: dict[str, Any] = {"tag": kind.title + "s", "enveloped": documented is None or not documented.bare}
    filters = tuple(Parameter(name, f"Only those with this {name}.", {"type": "string"}) for name in kind.filters)
    return [
        Operation(
            method="GET", path=collection, summary=f"List {kind.title.lower()}s", run=lister(kind), errors=(400,),
            scope="admin:read", answer=list_schema(kind, shown), query=(*filters, *PAGING), tag=common["tag"],
        ),
        Operation(
            method="POST", path=collection, summary=f"Create a {kind.title.lower()}", run=creator(kind),
            scope="admin:write", body=kind.type, status=201, errors=(400, 409, 413),
            answer=documented.created_schema(shown) if documented else shown, **common,
        ),
        Operation(
            method="GET", path=single, summary=f"One {kind.title.lower()}", run=getter(kind), errors=(400, 404),
            scope="admin:read", answer=shown, **common,
        ),
        Operation(
            method="PUT", path=single, summary=f"Change a {kind.title.lower()}: the fields given, no others",
            run=updater(kind), scope="admin:write", body={"type": "object"}, answer=shown,
            errors=(400, 404, 409, 413), **common,
        ),
        Operation(
            method="DELETE", path=single, summary=f"Delete a {kind.title.lower()}", run=deleter(kind),
            scope="admin:write", answer=message_schema(), errors=(400, 404, 409), tag=common["tag"],
        ),
        Operation(
            method="GET", path=f"{single}/versions", summary=f"The versions of a {kind.title.lower()}",
            run=version_lister(kind), scope="admin:read", answer=versions_schema(), query=PAGING,
            errors=(400, 404), tag=common["tag"],
        ),
    ]  # fmt: skip


Run = Callable[[Call], Any]


def shown_document(kind: DocumentKind, org_id: UUID, stored: Stored) -> Json:
    """A document as it looks outside."""
    return {
        "orgId": str(org_id),
        kind.id_field: stored.id,
        **kind.write(stored.doc),
        "version": stored.version,
        "createdAt": time_text(stored.created_at),
        "updatedAt": time_text(stored.updated_at),
        "createdBy": stored.created_by,
    }


async def with_counts(call: Call, kind: DocumentKind, shown: list[Json]) -> list[Json]:
    """Documents together with what is not theirs to keep, such as the numbers of codes of a pool."""
    documented = DOCUMENTED.get(kind.name)
    if documented is None or documented.counts is None or not shown:
        return shown
    ids = [str(one[kind.id_field]) for one in shown]
    async with call.services.pool.acquire() as connection:
        counts = await documented.counts(connection, call.org_id, ids)
    return [one | counts[str(one[kind.id_field])] for one in shown]


def change_of(call: Call, kind: DocumentKind, document_id: str) -> Change:
    """Who changes what, when."""
    return Change(org_id=call.org_id, kind=kind, id=document_id, by=call.by, at=clock.now())


def new_id_of(kind: DocumentKind, body: Any) -> tuple[str, Any]:
    """The id of a new document, and the body without it: the client's own, the field that is the id, or a new one."""
    if not isinstance(body, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    given: dict[str, Any] = dict(body)  # pyright: ignore[reportUnknownArgumentType]
    named = given.pop(kind.id_field, None)
    if named is None and kind.id_from is not None:
        named = given.get(kind.id_from)
    if named is None:
        return f"{kind.id_prefix}{clock.new_id()}", given
    try:
        return msgspec.convert(named, DocumentId), given
    except msgspec.ValidationError:
        wanted = "must be 1 to 64 letters, digits, dots, hyphens or underscores"
        raise invalid_fields([FieldError(kind.id_field, wanted)]) from None


def lister(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Json:
        size = page_size(call.query)
        (after,) = read_cursor(call.query, tuple[int], (0,))
        filters = {name: call.query[name] for name in kind.filters if name in call.query}
        return await listed(call, kind, after=after, filters=filters, size=size)

    return run


async def listed(call: Call, kind: DocumentKind, *, after: int, filters: Mapping[str, str], size: int) -> Json:
    """A page of a kind, as `data` of an answer."""
    async with call.services.pool.acquire() as connection:
        found = await documents.page(connection, call.org_id, kind, after=after, filters=dict(filters), size=size + 1)
    page, cursor = paged(found, size, lambda one: (one.ordinal,))
    shown = await with_counts(call, kind, [shown_document(kind, call.org_id, one) for one in page])
    return {kind.list_name: shown, "count": len(shown), "cursor": cursor}


def creator(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Any:
        document_id, body = new_id_of(kind, call.body)
        async with call.services.pool.acquire() as connection:
            stored = await documents.create(connection, change_of(call, kind, document_id), body)
        await call.services.programs.refresh(call.org_id)
        (shown,) = await with_counts(call, kind, [shown_document(kind, call.org_id, stored)])
        documented = DOCUMENTED.get(kind.name)
        return documented.created(shown) if documented else shown

    return run


def getter(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Json:
        async with call.services.pool.acquire() as connection:
            stored = await documents.one(connection, call.org_id, kind, call.path[kind.id_field])
        (shown,) = await with_counts(call, kind, [shown_document(kind, call.org_id, stored)])
        return shown

    return run


def updater(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Json:
        return await updated(call, kind, call.path[kind.id_field], call.body)

    return run


async def updated(call: Call, kind: DocumentKind, document_id: str, body: Any) -> Json:
    """Change a document, in force here at once, and show it."""
    async with call.services.pool.acquire() as connection:
        stored = await documents.update(connection, change_of(call, kind, document_id), body)
    await call.services.programs.refresh(call.org_id)
    (shown,) = await with_counts(call, kind, [shown_document(kind, call.org_id, stored)])
    return shown


def deleter(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Json:
        if kind.deleted is not None:
            await updated(call, kind, call.path[kind.id_field], kind.deleted)
        else:
            await deleted(call, kind, call.path[kind.id_field])
        return {"message": f"{kind.title} deleted successfully"}

    return run


async def deleted(call: Call, kind: DocumentKind, document_id: str) -> None:
    """Delete a document, in force here at once."""
    async with call.services.pool.acquire() as connection:
        await documents.delete(connection, change_of(call, kind, document_id))
    await call.services.programs.refresh(call.org_id)


def version_lister(kind: DocumentKind) -> Run:
    async def run(call: Call) -> Json:
        size = page_size(call.query)
        (before,) = read_cursor(call.query, tuple[int], (MAX_ORDINAL,))
        document_id = call.path[kind.id_field]
        async with call.services.pool.acquire() as connection:
            found = await documents.versions(connection, call.org_id, kind, document_id, before=before, size=size + 1)
        page, cursor = paged(found, size, lambda one: (one.program_version,))
        shown = [
            {
                "version": one.version,
                "programVersion": one.program_version,
                "change": one.change,
                "changedAt": time_text(one.changed_at),
                "changedBy": one.changed_by,
                "document": None if one.doc is None else kind.write(one.doc),
            }
            for one in page
        ]
        return {"versions": shown, "cursor": cursor}

    return run
