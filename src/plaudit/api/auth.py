"""Who is calling: API secrets, organisations, scopes."""

import base64
import binascii
import time
from collections.abc import Mapping
from uuid import UUID

from plaudit import clock
from plaudit.errors import Forbidden, Invalid, Unauthenticated
from plaudit.storage.orgs import ApiKey, find_api_key
from plaudit.storage.postgres import Pool

# A key that is revoked goes on opening doors for this long at most.
KEY_CACHED_SECONDS = 5.0
KEYS_CACHED_MAX = 10_000


class Keys:
    """The API keys that this process has met lately."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[str, tuple[ApiKey, float]] = {}

    async def authenticate(self, headers: Mapping[str, str], scope: str) -> ApiKey:
        """The key of a request that may do what `scope` names, in the organisation that it names."""
        kind, _, secret = headers.get("authorization", "").partition(" ")
        basic = kind.lower() == "basic" and scope == "actions:write"  # as Segment's libraries send their write key
        if basic:
            secret = _user_name(secret)
        if (kind.lower() != "bearer" and not basic) or not secret.strip():
            raise Unauthenticated("Authorization must be 'Bearer <API secret>'")
        key = await self._key(secret.strip())
        if key is None or (key.expires_at is not None and key.expires_at <= clock.now()):
            raise Unauthenticated("The API secret is not known")
        if not (basic and _names_no_org(headers)) and _org_named(headers) != key.org_id:
            raise Forbidden("The API secret belongs to another organisation")
        if scope not in key.scopes:
            raise Forbidden(f"The API secret lacks the scope {scope}", code="scope_missing")
        return key

    def forget(self, key_id: UUID) -> None:
        """Look anew at a key that has been changed."""
        self._known = {secret: found for secret, found in self._known.items() if found[0].key_id != key_id}

    async def _key(self, secret: str) -> ApiKey | None:
        found = self._known.get(secret)
        if found is not None and found[1] > time.monotonic():
            return found[0]
        async with self._pool.acquire() as connection:
            key = await find_api_key(connection, secret)
        if key is None:
            return None
        if len(self._known) >= KEYS_CACHED_MAX:
            self._known.clear()
        self._known[secret] = (key, time.monotonic() + KEY_CACHED_SECONDS)
        return key


def _user_name(encoded: str) -> str:
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _names_no_org(headers: Mapping[str, str]) -> bool:
    return "x-monterosa-org-id" not in headers and "x-org-id" not in headers


def _org_named(headers: Mapping[str, str]) -> UUID:
    named = headers.get("x-monterosa-org-id") or headers.get("x-org-id")
    if not named:
        raise Invalid("The header X-Monterosa-Org-ID is missing", code="org_missing")
    try:
        return UUID(named)
    except ValueError:
        raise Invalid("The header X-Monterosa-Org-ID must be a UUID", code="org_invalid") from None
