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


# What profiles are like until an organisation says otherwise: any other field is taken as well.
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
        return await documents.versions(connection, call.org_id, SCHEMA, PROFILE_SCHEMA_ID, before=before, size=size)
    except NotFound:
        return []


async def get_schema(call: Call) -> ProfileSchemaVersion:
    """The schema in force, or the version asked for."""
    wanted = call.query.get("version")
    async with call.connection() as connection:
        before = NEWEST
        while found := await _versions(connection, call, before, 100):
            for document_version in found:
                schema = msgspec.convert(document_version.doc, ProfileSchema)
                if wanted in (None, schema.label):
                    active = before == NEWEST and document_version is found[0]
                    return _schema_view(
                        call, schema, time_text(document_version.changed_at), document_version.changed_by, active=active
                    )
            before = found[-1].program_version
    if wanted not in (None, _FIRST.label) or before != NEWEST:
        raise NotFound("Profile schema not found", code="profile_schema_not_found")
    return _schema_view(call, _FIRST, None, "plaudit", active=True)


async def put_schema(call: Call) -> ProfileSchemaVersion:
    """Another version of the schema. Profiles that there are stay as they are; what is written fits from now on."""
    given: Any = writable(call.body, await _as_shown(call), _READ_ONLY)
    if isinstance(given, dict) and "schema" in given and len(cast("Json", given)) > 1:
        unknown = sorted(cast("Json", given).keys() - {"schema"})
        raise invalid_fields([FieldError(name, "is not a known field") for name in unknown])
    fields = given["schema"] if isinstance(given, dict) and "schema" in given else given  # pyright: ignore[reportUnknownVariableType]
    change = Change(
        org_id=call.org_id, kind=SCHEMA, id=PROFILE_SCHEMA_ID, by=call.caller_name, at=clock.now(), scopes=call.scopes
    )
    raw: Any = fields | {"name": SCHEMA.title} if isinstance(fields, dict) else fields  # pyright: ignore[reportUnknownVariableType]
    async with call.connection() as connection:
        schema = validate(SCHEMA, raw)
        assert isinstance(schema, ProfileSchema)
        async with atomic(connection):
            before = await _versions(connection, call, NEWEST, 1)
            if before:
                old = msgspec.convert(before[0].doc, ProfileSchema)
                if structs.replace(schema, label=old.label) == old:
                    return _schema_view(call, old, time_text(before[0].changed_at), before[0].changed_by, active=True)
                label = next_label(old, schema)
                stored = await documents.update(connection, change, raw | {"label": label})
            else:
                stored = await documents.create(connection, change, raw | {"label": "v1.0.0"})
    await call.services.programmes.refresh(call.org_id)
    schema = msgspec.convert(stored.doc, ProfileSchema)
    return _schema_view(call, schema, time_text(stored.updated_at), call.caller_name, active=True)


_READ_ONLY = ("orgId", "version", "isActive", "createdAt", "createdBy")


async def _as_shown(call: Call) -> Json:
    """The schema in force as it is returned."""
    return to_builtins(await get_schema(structs.replace(call, query={})))


async def history(call: Call) -> Page:
    """All versions, the newest first."""
    page = call.page(tuple[int], (NEWEST,))
    async with call.connection() as connection:
        found = await _versions(connection, call, *page.start, page.limit)
    found, cursor = page.cut(found, lambda document_version: (document_version.program_version,))
    shown = [
        _schema_view(
            call, msgspec.convert(document_version.doc, ProfileSchema), time_text(document_version.changed_at), document_version.changed_by,
            active=page.start == (NEWEST,) and document_version is found[0],
        )
        for document_version in found
    ]  # fmt: skip
    return ProfileSchemaVersionList.of(shown, cursor=cursor)


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
