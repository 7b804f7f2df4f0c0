"""The profile schema: each change creates a version, and earlier versions stay readable."""

from typing import Any, cast

import msgspec
from msgspec import structs

from plaudit import clock
from plaudit.api.http.operations import PAGING, Call, Operation, Parameter
from plaudit.api.http.read_only import writable
from plaudit.api.http.schemas import TEXT
from plaudit.api.http.wire import Json, time_text
from plaudit.api.views.base import Page, to_builtins
from plaudit.api.views.documents import TYPES
from plaudit.api.views.profile_schema import ProfileSchemaVersion, ProfileSchemaVersionList, SchemaFields
from plaudit.documents.kinds import KINDS
from plaudit.documents.profile_schema import PROFILE_SCHEMA_ID, ProfileField, ProfileSchema, next_label
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.storage import documents
from plaudit.storage.documents import Change, validate
from plaudit.storage.postgres import Connection, atomic

SCHEMA = KINDS["profile_schema"]
NEWEST = 2**62


# The schema of an organisation that has not set one. Other fields are also accepted.
_FIRST = ProfileSchema(
    name="Profile schema",
    fields=[
        ProfileField(name="email", unique=True),
        ProfileField(name="phone", unique=True),
        *(ProfileField(name=name) for name in ("firstName", "lastName", "displayName")),
        ProfileField(name="dateOfBirth", type="date"),
        *(ProfileField(name=name) for name in ("country", "city", "timezone", "language")),
        ProfileField(name="tags", type="array"),
        ProfileField(name="preferences", type="object"),
        ProfileField(name="customFields", type="object"),
    ],
)


def _schema_view(call: Call, schema: ProfileSchema, at: str | None, by: str, *, active: bool) -> ProfileSchemaVersion:
    fields = [msgspec.to_builtins(field) | {"type": field.type, "required": field.required} for field in schema.fields]
    return ProfileSchemaVersion(
        org_id=str(call.org_id),
        version=schema.label,
        is_active=active,
        schema=SchemaFields(fields=fields),
        created_at=at,
        created_by=by,
    )


async def _versions(connection: Connection, call: Call, before: int, size: int) -> list[documents.DocumentVersion]:
    try:
        return await documents.fetch_versions(
            connection, call.org_id, SCHEMA, PROFILE_SCHEMA_ID, before=before, size=size
        )
    except NotFound:
        return []


async def get_schema(call: Call) -> ProfileSchemaVersion:
    """Return the current schema, or the requested version."""
    version = call.query.get("version")
    async with call.connection() as connection:
        before = NEWEST
        while rows := await _versions(connection, call, before, 100):
            for document_version in rows:
                schema = msgspec.convert(document_version.doc, ProfileSchema)
                if version in (None, schema.label):
                    active = before == NEWEST and document_version is rows[0]
                    return _schema_view(
                        call, schema, time_text(document_version.changed_at), document_version.changed_by, active=active
                    )
            before = rows[-1].program_version
    if version not in (None, _FIRST.label) or before != NEWEST:
        raise NotFound("Profile schema not found", code="profile_schema_not_found")
    return _schema_view(call, _FIRST, None, "plaudit", active=True)


async def put_schema(call: Call) -> ProfileSchemaVersion:
    """Publish a new version of the schema. Existing profiles stay; later changes must match the new version."""
    body: Any = writable(call.body, await _current_view(call), _READ_ONLY)
    if isinstance(body, dict) and "schema" in body and len(cast("Json", body)) > 1:
        unknown = sorted(cast("Json", body).keys() - {"schema"})
        raise invalid_fields([FieldError(name, "is not a known field") for name in unknown])
    fields = body["schema"] if isinstance(body, dict) and "schema" in body else body  # pyright: ignore[reportUnknownVariableType]
    change = Change(
        org_id=call.org_id, kind=SCHEMA, id=PROFILE_SCHEMA_ID, by=call.caller_name, at=clock.now(), scopes=call.scopes
    )
    raw: Any = fields | {"name": SCHEMA.title} if isinstance(fields, dict) else fields  # pyright: ignore[reportUnknownVariableType]
    async with call.connection() as connection:
        schema = validate(SCHEMA, raw)
        assert isinstance(schema, ProfileSchema)
        async with atomic(connection):
            previous = await _versions(connection, call, NEWEST, 1)
            if previous:
                old = msgspec.convert(previous[0].doc, ProfileSchema)
                if structs.replace(schema, label=old.label) == old:
                    return _schema_view(
                        call, old, time_text(previous[0].changed_at), previous[0].changed_by, active=True
                    )
                label = next_label(old, schema)
                stored = await documents.update(connection, change, raw | {"label": label})
            else:
                stored = await documents.create(connection, change, raw | {"label": "v1.0.0"})
    await call.services.programmes.refresh(call.org_id)
    schema = msgspec.convert(stored.doc, ProfileSchema)
    return _schema_view(call, schema, time_text(stored.updated_at), call.caller_name, active=True)


_READ_ONLY = ("orgId", "version", "isActive", "createdAt", "createdBy")


async def _current_view(call: Call) -> Json:
    """Return the current schema as clients see it."""
    return to_builtins(await get_schema(structs.replace(call, query={})))


async def history(call: Call) -> Page:
    """Return all versions, newest first."""
    page = call.page(tuple[int], (NEWEST,))
    async with call.connection() as connection:
        rows = await _versions(connection, call, *page.start, page.limit)
    rows, cursor = page.cut(rows, lambda document_version: (document_version.program_version,))
    views = [
        _schema_view(
            call, msgspec.convert(document_version.doc, ProfileSchema), time_text(document_version.changed_at), document_version.changed_by,
            active=page.start == (NEWEST,) and document_version is rows[0],
        )
        for document_version in rows
    ]  # fmt: skip
    return ProfileSchemaVersionList.of(views, cursor=cursor)


_VERSION = Parameter("version", "Schema version such as v1.0.0 (default: the active one)", TEXT)

OPERATIONS = [
    Operation(
        name="getProfileSchema", method="GET", path="/v1/profiles/schema", summary="Get the profile schema",
        run=get_schema, scope="admin:read", tag="Profile schema", response=ProfileSchemaVersion, query=(_VERSION,), errors=(400, 404),
    ),
    Operation(
        name="updateProfileSchema", method="PUT", path="/v1/profiles/schema",
        summary="Publish a new version of the profile schema", run=put_schema, scope="admin:write", tag="Profile schema",
        body=TYPES[SCHEMA.name].update, response=ProfileSchemaVersion, errors=(400, 413),
    ),
    Operation(
        name="listProfileSchemaVersions", method="GET", path="/v1/profiles/schema/history",
        summary="List the versions of the profile schema", run=history, scope="admin:read", tag="Profile schema",
        response=ProfileSchemaVersionList, query=PAGING, errors=(400,),
    ),
]  # fmt: skip
