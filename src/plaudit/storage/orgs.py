"""Organisations and their API keys."""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from plaudit.documents.kinds import KINDS
from plaudit.documents.metric import STANDARD
from plaudit.documents.settings import SETTINGS_ID
from plaudit.errors import Conflict, FieldError, NotFound, invalid_fields

from .documents import Change, create
from .postgres import Connection, atomic
from .queries import queries_beside

_SQL = queries_beside(__file__)

SLUG = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
SCOPES = ("actions:write", "admin:read", "admin:write", "members:read", "members:write")


class Credentials(Struct, frozen=True, rename="camel"):
    """The secrets of an organisation's servers, shown only once, when it is created."""

    org_id: UUID
    api_secret: str
    jwt_secret: str


class Org(Struct, frozen=True):
    """An organisation. `slug` is the name of its space. If `is_test`, its clock can be advanced."""

    org_id: UUID
    name: str
    slug: str | None
    is_test: bool
    created_at: datetime


class ApiKey(Struct, frozen=True, kw_only=True):
    """The organisation of a secret, and its permissions."""

    key_id: UUID
    org_id: UUID
    name: str
    scopes: frozenset[str]
    expires_at: datetime | None


class KeyRow(Struct, frozen=True):
    """A key as administrators see it."""

    key_id: UUID
    name: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None


def hash_of(secret: str) -> bytes:
    """Return the hash of a secret to store. Secrets have 256 random bits, so a plain hash cannot be reversed."""
    return hashlib.sha256(secret.encode()).digest()


async def create_org(
    connection: Connection,
    name: str,
    at: datetime,
    *,
    is_test: bool = False,
    slug: str | None = None,
    org_id: UUID | None = None,
) -> Credentials:
    """Create an organisation with the standard metrics, its settings, and an API key with all permissions.

    The clock of a test organisation (`is_test`) can be advanced. `slug` names its space, if each has its own host name.
    `org_id` is for an organisation that moves here from another server: ids derived from it stay the same.
    Raise Invalid for an invalid slug, and Conflict for a slug or an id that is taken.
    """
    if slug is not None and not re.fullmatch(SLUG, slug):
        raise invalid_fields(
            [FieldError("slug", f"must contain only lower-case letters, digits and hyphens (got {slug!r})")]
        )
    if slug is not None and await org_id_of_slug(connection, slug) is not None:
        raise Conflict(f"An organisation with the slug {slug!r} already exists", code="already_exists")
    if org_id is not None and await find_org(connection, org_id) is not None:
        raise Conflict(f"An organisation with the id {org_id} already exists", code="already_exists")
    credentials = Credentials(org_id or uuid4(), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
    async with atomic(connection):
        await connection.execute(_SQL.insert_org, credentials.org_id, name, credentials.jwt_secret, at, is_test, slug)
        await create_api_key(connection, credentials.org_id, "first", credentials.api_secret, SCOPES, at)
        for kind, document_id, title in [
            ("settings", SETTINGS_ID, name),
            *(("metric", metric, title) for metric, title in STANDARD.items()),
        ]:
            change = Change(org_id=credentials.org_id, kind=KINDS[kind], id=document_id, by="plaudit", at=at)
            await create(connection, change, {"name": title})
    return credentials


async def find_org(connection: Connection, org_id: UUID) -> Org | None:
    """Return an organisation, or None."""
    row = await connection.fetchrow(_SQL.org, org_id)
    return None if row is None else Org(*row)


async def org_id_of_slug(connection: Connection, slug: str) -> UUID | None:
    """Return the id of the organisation whose space has that name, or None."""
    return await connection.fetchval(_SQL.org_of_slug, slug)


async def fetch_orgs(connection: Connection) -> list[Org]:
    """Return all organisations, oldest first."""
    return [Org(*row) for row in await connection.fetch(_SQL.orgs)]


async def org_ids_named(connection: Connection, name: str) -> list[UUID]:
    """Return the organisation with this id, else the one with this slug, else those with this name."""
    rows = await connection.fetch(_SQL.orgs_called, name)
    return [row["org_id"] for row in rows if row["rank"] == rows[0]["rank"]]


async def advance_clock(connection: Connection, org_id: UUID, by: timedelta, at: datetime) -> None:
    """Advance an organisation's clock, at `at` by the wall clock, and notify every process."""
    await connection.execute(_SQL.move_clock, org_id, by, at)


async def create_api_key(
    connection: Connection,
    org_id: UUID,
    name: str,
    secret: str,
    scopes: tuple[str, ...],
    at: datetime,
    expires_at: datetime | None = None,
) -> KeyRow:
    """Store a key for a secret that the caller has generated."""
    key_id = uuid4()
    await connection.execute(_SQL.insert_api_key, key_id, org_id, name, hash_of(secret), list(scopes), at, expires_at)
    return KeyRow(key_id, name, frozenset(scopes), at, expires_at)


async def api_keys(connection: Connection, org_id: UUID) -> list[KeyRow]:
    """Return an organisation's valid keys, oldest first."""
    rows = await connection.fetch(_SQL.api_keys, org_id)
    return [
        KeyRow(row["key_id"], row["name"], frozenset(row["scopes"]), row["created_at"], row["expires_at"])
        for row in rows
    ]


async def end_api_key(connection: Connection, org_id: UUID, key_id: UUID, at: datetime) -> None:
    """End a key at an instant."""
    await connection.execute(_SQL.end_api_key, org_id, key_id, at)


async def find_api_key(connection: Connection, secret: str) -> ApiKey | None:
    """Return the key of a secret, or None."""
    return _key_in(await connection.fetchrow(_SQL.api_key, hash_of(secret)))


async def api_key_of_id(connection: Connection, key_id: UUID) -> ApiKey | None:
    """Return the key of an id if it is valid, or None."""
    return _key_in(await connection.fetchrow(_SQL.api_key_of_id, key_id))


def _key_in(row: asyncpg.Record | None) -> ApiKey | None:
    if row is None:
        return None
    return ApiKey(
        key_id=row["key_id"],
        org_id=row["org_id"],
        name=row["name"],
        scopes=frozenset(row["scopes"]),
        expires_at=row["expires_at"],
    )


async def jwt_secret_of(connection: Connection, org_id: UUID) -> str:
    """Return the secret that signs an organisation's member tokens. Raise NotFound."""
    secret = await connection.fetchval(_SQL.jwt_secret, org_id)
    if secret is None:
        raise NotFound("Organisation not found", code="org_not_found")
    return secret
