"""The caller of a request: a server, with its API secret or a service token; or a member, with a token."""

import base64
import binascii
import time
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from plaudit import clock
from plaudit.core.ids import member_id_of
from plaudit.errors import Forbidden, Invalid, PlauditError, Unauthenticated
from plaudit.storage.orgs import ApiKey, api_key_of_id, find_api_key
from plaudit.storage.postgres import Pool

from .tokens import TokenService, VerifiedToken

# Also how long a revoked key, or a token whose provider was removed, can still be accepted.
CACHED_SECONDS = 5.0
CACHED_MAX = 20_000
ANY_SCOPE = "any"  # of operations that accept any API secret, without the organisation's header


class Caller(Struct, frozen=True, kw_only=True):
    """The caller of a request and their organisation. A member has a `user_id`; a server has a `key_id` and `scopes`.

    `expires_at` is when the key or the token expires, whichever is first; None if never.
    """

    org_id: UUID
    name: str
    scopes: frozenset[str] = frozenset()
    key_id: UUID | None = None
    user_id: str | None = None
    expires_at: datetime | None = None

    @property
    def member_id(self) -> UUID | None:
        """The member's id. It is stored instead of the user id, because it means nothing outside of Plaudit."""
        return None if self.user_id is None else member_id_of(self.org_id, self.user_id)

    def require(self, scope: str, why: str) -> None:
        """Raise Forbidden if the caller lacks a scope. `why` is the subject of the error's sentence."""
        if scope not in self.scopes:
            raise Forbidden(f"{why} needs the scope {scope}", code="scope_missing")


class CallerCache:
    """Authenticates callers, and caches API keys and verified tokens for a few seconds."""

    def __init__(self, pool: Pool, tokens: TokenService) -> None:
        self._pool = pool
        self.tokens = tokens
        self._keys: dict[str | UUID, tuple[ApiKey, float]] = {}
        self._proofs: dict[tuple[str, UUID | None], tuple[VerifiedToken, float]] = {}

    async def authenticate(
        self, headers: Mapping[str, str], *, scope: str | None, member: bool, anonymous: bool = False
    ) -> Caller:
        """Return the caller of a request. A server needs `scope`; members may call if `member`.

        Raise Unauthenticated or Forbidden, and Invalid if the request names no organisation.
        """
        kind, _, credentials = headers.get("authorization", "").partition(" ")
        secret = credentials.strip()
        if anonymous and not kind:
            return Caller(org_id=await self._org_named(headers), name="anybody")
        basic = kind.lower() == "basic" and scope == "actions:write"  # how Segment's libraries send their write key
        if basic:
            secret = basic_credentials(secret)[0]
        if (kind.lower() != "bearer" and not basic) or not secret:
            expected = "'Bearer <token of a member>'" if scope is None else "'Bearer <API secret>'"
            raise Unauthenticated(f"Authorization must be {expected}")
        if secret.count(".") == 2:  # a JWT has two dots, an API secret has none
            return await self._caller_of_token(headers, secret, scope, member=member)
        key = await self._key(secret)
        if key is None:
            raise Unauthenticated("Unknown API secret")
        knows_org = basic or scope == ANY_SCOPE  # then the secret identifies it
        if not (knows_org and _names_no_org(headers)) and await self._org_named(headers) != key.org_id:
            raise Forbidden("The API secret belongs to another organisation")
        if not anonymous:
            _check_scope("API secret", scope, key.scopes)
        return _server_of(key, key.scopes, key.expires_at)

    async def identify(self, headers: Mapping[str, str]) -> Caller | None:
        """Return the caller without checking rights; an anonymous one if only an organisation is named; or None."""
        kind, _, credentials = headers.get("authorization", "").partition(" ")
        secret = credentials.strip()
        try:
            if kind.lower() == "bearer" and secret.count(".") == 2:
                proof = await self._proof(secret, await self.tokens.org_named(headers))
                if proof.user_id is not None:
                    return Caller(org_id=proof.org_id, name="member", user_id=proof.user_id)
                return Caller(org_id=proof.org_id, name="key", key_id=proof.key_id)
            key = await self._key(secret) if secret else None
            if key is not None:
                return _server_of(key, key.scopes, key.expires_at)
        except PlauditError:
            pass
        org_id = await self.tokens.org_named(headers)
        return None if org_id is None else Caller(org_id=org_id, name="anybody")

    def forget(self, key_id: UUID) -> None:
        """Remove a key that has changed from the cache."""
        self._keys = {name: key for name, key in self._keys.items() if key[0].key_id != key_id}

    async def _caller_of_token(
        self, headers: Mapping[str, str], token: str, scope: str | None, *, member: bool
    ) -> Caller:
        proof = await self._proof(token, await self.tokens.org_named(headers))
        if proof.user_id is not None:
            if not member:
                raise Forbidden("A member's token cannot call this endpoint; use an API secret", code="servers_only")
            if not proof.direct:
                raise Unauthenticated(
                    "Tokens of this provider must first be exchanged at /api/auth/token", code="token_invalid"
                )
            return Caller(org_id=proof.org_id, name="member", user_id=proof.user_id, expires_at=proof.expires_at)
        key = await self._key_of(proof)
        scopes = proof.scopes & key.scopes
        _check_scope("service token", scope, scopes)
        ends_at = proof.expires_at if key.expires_at is None else min(proof.expires_at, key.expires_at)
        return _server_of(key, scopes, ends_at)

    async def _proof(self, token: str, org_id: UUID | None) -> VerifiedToken:
        cached = self._proofs.get((token, org_id))
        if cached is not None and cached[1] > time.monotonic() and cached[0].expires_at > clock.now():
            return cached[0]
        proof = await self.tokens.read(token, org_id)
        if len(self._proofs) >= CACHED_MAX:
            self._proofs.clear()
        self._proofs[token, org_id] = (proof, time.monotonic() + CACHED_SECONDS)
        return proof

    async def _key_of(self, proof: VerifiedToken) -> ApiKey:
        """Return the API key for which a service token was issued. Without it, the token is rejected."""
        assert proof.key_id is not None
        cached = self._keys.get(proof.key_id)
        if cached is None or cached[1] <= time.monotonic():
            async with self._pool.acquire() as connection:
                key = await api_key_of_id(connection, proof.key_id)
            if key is None:
                raise Unauthenticated(
                    "The API key behind this service token was revoked or has expired", code="token_invalid"
                )
            cached = self._keys[proof.key_id] = (key, time.monotonic() + CACHED_SECONDS)
        key = cached[0]
        if key.expires_at is not None and key.expires_at <= clock.now():
            raise Unauthenticated("The key of the service token has expired", code="token_invalid")
        return key

    async def _key(self, secret: str) -> ApiKey | None:
        cached = self._keys.get(secret)
        if cached is None or cached[1] <= time.monotonic():
            async with self._pool.acquire() as connection:
                key = await find_api_key(connection, secret)
            if key is None:
                return None
            if len(self._keys) >= CACHED_MAX:
                self._keys.clear()
            cached = self._keys[secret] = (key, time.monotonic() + CACHED_SECONDS)
        key = cached[0]
        return None if key.expires_at is not None and key.expires_at <= clock.now() else key

    async def _org_named(self, headers: Mapping[str, str]) -> UUID:
        org_id = await self.tokens.org_named(headers)
        if org_id is None:
            raise Invalid("The header X-Monterosa-Org-ID is missing", code="org_missing")
        return org_id


def _check_scope(what: str, scope: str | None, scopes: frozenset[str]) -> None:
    if scope is None:
        raise Forbidden("This endpoint needs a member's token", code="members_only")
    if scope not in scopes and scope != ANY_SCOPE:
        raise Forbidden(f"The {what} lacks the scope {scope}", code="scope_missing")


def _server_of(key: ApiKey, scopes: frozenset[str], expires_at: datetime | None) -> Caller:
    return Caller(org_id=key.org_id, name=f"key:{key.name}", scopes=scopes, key_id=key.key_id, expires_at=expires_at)


def basic_credentials(encoded: str) -> tuple[str, str]:
    """Return the user name and the password of HTTP Basic; empty strings if they cannot be decoded."""
    try:
        name, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


def _names_no_org(headers: Mapping[str, str]) -> bool:
    return "x-monterosa-org-id" not in headers and "x-org-id" not in headers
