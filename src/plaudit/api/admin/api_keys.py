"""API keys: create them with scopes, rotate them with an overlap, and revoke them. The secret is shown once."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct, structs

from plaudit import clock
from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import optional_time, time_text, uuid_in
from plaudit.api.identity.callers import ANY_SCOPE, Caller
from plaudit.api.views.api_keys import ApiKey, ApiKeyList, ApiKeyWithSecret, CurrentApiKey
from plaudit.api.views.base import Acknowledgement, Page
from plaudit.errors import Conflict, FieldError, Forbidden, NotFound, invalid_fields
from plaudit.storage import orgs
from plaudit.storage.orgs import SCOPES, KeyRow
from plaudit.storage.postgres import Connection

PREFIX = "key_"
OVERLAP_SECONDS = 24 * 3_600
KEYS_MAX = 100

Scope = Literal["actions:write", "admin:read", "admin:write", "members:read", "members:write"]


class NewApiKey(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`scopes` are the key's permissions. It is invalid from `expiresAt` on."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=len(SCOPES))]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class ApiKeyRotation(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How long the old secret stays valid."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=30 * 86_400)] = OVERLAP_SECONDS


def _key_view(row: KeyRow, view_type: type[ApiKey] = ApiKey, **others: Any) -> Any:
    """Return a key as clients see it. `others` are further fields of `view_type`."""
    fields: dict[str, Any] = {
        "key_id": f"{PREFIX}{row.key_id}",
        "name": row.name,
        "scopes": sorted(row.scopes),
        "created_at": time_text(row.created_at),
        "expires_at": optional_time(row.expires_at),
    }
    return view_type(**fields | others)


async def list_keys(call: Call) -> Page:
    """Return the keys without their secrets, which are not stored."""
    async with call.connection() as connection:
        rows = await orgs.api_keys(connection, call.org_id)
    return ApiKeyList.of([_key_view(row) for row in rows], count=len(rows))


async def get_current_key(call: Call) -> CurrentApiKey:
    """Return the key that makes the call, and its organisation."""
    assert call.caller is not None
    async with call.connection() as connection:
        key = next(
            api_key for api_key in await orgs.api_keys(connection, call.org_id) if api_key.key_id == call.caller.key_id
        )
        org = await orgs.find_org(connection, call.org_id)
    assert org is not None
    return _key_view(
        key,
        CurrentApiKey,
        scopes=sorted(call.scopes),
        org_id=str(call.org_id),
        org_name=org.name,
        slug=org.slug,
        is_test=org.is_test,
    )


async def create_key(call: Call) -> ApiKeyWithSecret:
    """Create a key. Only this response shows its secret."""
    body: NewApiKey = call.body
    assert call.caller is not None
    _check_rights(call.caller, body.scopes, body.expires_at)
    if body.expires_at is not None and body.expires_at <= clock.now():
        raise invalid_fields([FieldError("expiresAt", "must be in the future")])
    async with call.connection() as connection:
        if len(await orgs.api_keys(connection, call.org_id)) >= KEYS_MAX:
            raise Conflict(
                f"The organisation may have at most {KEYS_MAX} API keys; revoke one first", code="too_many_keys"
            )
        return await _create(connection, call.org_id, body.name, tuple(body.scopes), body.expires_at)


def _check_rights(caller: Caller, scopes: Iterable[str], expires_at: datetime | None) -> None:
    """Raise Forbidden if a new secret would have more scopes than the caller, or expire later."""
    beyond = sorted(set(scopes) - caller.scopes)
    if beyond:
        raise Forbidden(f"A key can grant only scopes that it has itself (missing: {beyond[0]})", code="scope_missing")
    if caller.expires_at is not None and (expires_at is None or expires_at > caller.expires_at):
        expected = f"must be {time_text(caller.expires_at)} at the latest, when the calling key or token expires"
        wrong = FieldError("expiresAt", f"{expected} (got {optional_time(expires_at)})")
        raise Forbidden(f"expiresAt {wrong.message}", code="key_outlives_caller", fields=[wrong])


async def _create(
    connection: Connection, org_id: UUID, name: str, scopes: tuple[str, ...], expires_at: datetime | None
) -> ApiKeyWithSecret:
    secret = secrets.token_urlsafe(32)
    row = await orgs.create_api_key(connection, org_id, name, secret, scopes, clock.now(), expires_at)
    return _key_view(row, ApiKeyWithSecret, api_secret=secret)


async def rotate_key(call: Call) -> ApiKeyWithSecret:
    """Create another secret with the same scopes and expiry. The old one expires after the overlap."""
    body: ApiKeyRotation = call.body
    row = await _fetch(call)
    assert call.caller is not None
    _check_rights(call.caller, row.scopes, row.expires_at)
    ends_at = clock.now() + timedelta(seconds=body.overlap_seconds)
    async with call.connection() as connection:
        key = await _create(connection, call.org_id, row.name, tuple(sorted(row.scopes)), row.expires_at)
        await orgs.end_api_key(connection, call.org_id, row.key_id, ends_at)
    call.services.callers.forget(row.key_id)
    return structs.replace(key, replaces=f"{PREFIX}{row.key_id}", old_secret_ends_at=time_text(ends_at))


async def delete_key(call: Call) -> Acknowledgement:
    """Revoke a key. Other processes may accept it for a few more seconds."""
    row = await _fetch(call)
    assert call.caller is not None
    if row.key_id == call.caller.key_id:
        raise Conflict("A key cannot revoke itself: use another one", code="own_key")
    async with call.connection() as connection:
        await orgs.end_api_key(connection, call.org_id, row.key_id, clock.now())
    call.services.callers.forget(row.key_id)
    return Acknowledgement(message="API key revoked successfully")


async def _fetch(call: Call) -> KeyRow:
    key_id = uuid_in(call.path["keyId"], PREFIX)
    async with call.connection() as connection:
        for row in await orgs.api_keys(connection, call.org_id):
            if row.key_id == key_id:
                return row
    raise NotFound("API key not found", code="api_key_not_found")


OPERATIONS = [
    Operation(
        name="listApiKeys", method="GET", path="/v1/api-keys", summary="List API keys", run=list_keys,
        scope="admin:read", tag="API keys", response=ApiKeyList,
        errors=(400,),
    ),
    Operation(
        name="getCurrentApiKey", method="GET", path="/v1/api-keys/current",
        summary="Get the API key that makes the call", run=get_current_key, scope=ANY_SCOPE, tag="API keys",
        response=CurrentApiKey,
    ),
    Operation(
        name="createApiKey", method="POST", path="/v1/api-keys", summary="Create an API key",
        description="The secret is shown only in this response.", run=create_key,
        scope="admin:write", tag="API keys", body=NewApiKey, response=ApiKeyWithSecret, status=201, shown_once="keyId",
        errors=(400, 409, 413),
    ),
    Operation(
        name="rotateApiKey", method="POST", path="/v1/api-keys/{keyId}/rotate", summary="Rotate an API key",
        description="The secret is shown only in this response. The old one stays valid for an overlap.",
        run=rotate_key, scope="admin:write", tag="API keys", body=ApiKeyRotation, response=ApiKeyWithSecret, status=201,
        shown_once="keyId", errors=(400, 404, 413),
    ),
    Operation(
        name="revokeApiKey", method="DELETE", path="/v1/api-keys/{keyId}", summary="Revoke an API key", run=delete_key,
        scope="admin:write", tag="API keys", response=Acknowledgement, errors=(400, 404, 409),
    ),
]  # fmt: skip
