"""Tokens: verify members' and service tokens, and issue them. The key is chosen before the signature is checked.

    alg HS256               the organisation's own secret, if its settings allow it
    kid of this server      RS256 with that key, this server as issuer, the organisation among the audiences
    iss of a provider       one of its published keys; its settings say which algorithms and audiences are accepted

Nothing else in a token's header counts: `jku`, `jwk` and `x5u` are ignored, and `none` is no algorithm.
"""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import jwt
from msgspec import Struct

from plaudit import bounds, clock
from plaudit.documents.lenient import id_text
from plaudit.documents.settings import IdentityProvider
from plaudit.documents.settings import Settings as OrgSettings
from plaudit.errors import Invalid, NotFound, Unauthenticated
from plaudit.settings import Settings
from plaudit.storage import orgs
from plaudit.storage.postgres import Pool
from plaudit.storage.programmes import Programmes
from plaudit.storage.signing_keys import TOKEN_SECONDS_MAX, SigningKey, signing_keys

from .jwks import JwksCache

LEEWAY_SECONDS = 60
KEYS_SECONDS = 30.0  # the longest time until this process knows a key that another one has created
TOKEN_BYTES_MAX = 8_192


class VerifiedToken(Struct, frozen=True, kw_only=True):
    """A verified token. A service token has no `user_id`, but `scopes` and a `key_id`. `ours`: issued by this server.

    `direct`: accepted by the member API without an exchange.
    """

    org_id: UUID
    user_id: str | None
    expires_at: datetime
    ours: bool = False
    direct: bool = True
    scopes: frozenset[str] = frozenset()
    key_id: UUID | None = None


class TokenService:
    """Verifies tokens, and issues tokens that are signed by this server."""

    def __init__(self, pool: Pool, programmes: Programmes, jwks: JwksCache, settings: Settings) -> None:
        self._pool = pool
        self._programmes = programmes
        self._jwks = jwks
        self._settings = settings
        self._ours: list[SigningKey] = []
        self._fetched_at = -KEYS_SECONDS
        self._slugs: dict[str, UUID] = {}

    async def org_named(self, headers: Mapping[str, str]) -> UUID | None:
        """Return the organisation that a request names, in its header or by the host name of a space, or None."""
        header = headers.get("x-monterosa-org-id") or headers.get("x-org-id")
        if header:
            try:
                return UUID(header)
            except ValueError:
                raise Invalid("The header X-Monterosa-Org-ID must be a UUID", code="org_invalid") from None
        domain = self._settings.spaces_domain
        host = headers.get("host", "").partition(":")[0].lower()
        if not domain or not host.endswith(f".{domain}"):
            return None
        slug = host.removesuffix(f".{domain}")
        if slug not in self._slugs:
            async with self._pool.acquire() as connection:
                org_id = await orgs.org_id_of_slug(connection, slug)
            if org_id is None:
                raise NotFound("No organisation uses this host name", code="org_not_found")
            self._slugs[slug] = org_id
        return self._slugs[slug]

    async def read(self, token: str, named: UUID | None) -> VerifiedToken:
        """Verify a token and return its claims. Raise Unauthenticated, and Invalid if no organisation is named."""
        try:
            if len(token) > TOKEN_BYTES_MAX:
                raise jwt.InvalidTokenError(f"it is longer than {TOKEN_BYTES_MAX:,} bytes")
            header, unverified = _unverified(token)
            org_id = _org_of(unverified, named)
            if header.get("alg") == "HS256":
                return await self._read_shared_secret(token, unverified, org_id)
            own = {signing_key.kid: signing_key for signing_key in await self.keys()}.get(str(header.get("kid")))
            if own is not None:
                return await self._read_own(token, own, org_id)
            return await self._read_provider(token, header, unverified, org_id)
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"Token rejected: {_reason(error)}", code="token_invalid") from None

    async def _read_shared_secret(self, token: str, unverified: Mapping[str, Any], org_id: UUID) -> VerifiedToken:
        if not (await self._settings_of(org_id)).shared_secret_tokens:
            raise jwt.InvalidAlgorithmError("this organisation does not accept tokens signed with its shared secret")
        async with self._pool.acquire() as connection:
            secret = await orgs.jwt_secret_of(connection, org_id)
        claims = _verified_claims(token, secret, ["HS256"], audience=str(org_id) if "aud" in unverified else None)
        return VerifiedToken(org_id=org_id, user_id=_user_id(claims, "sub"), expires_at=_expiry(claims))

    async def _read_own(self, token: str, key: SigningKey, org_id: UUID) -> VerifiedToken:
        issuer = await self.issuer(org_id)
        claims = _verified_claims(token, key.private.public_key(), ["RS256"], audience=str(org_id), issuer=issuer)
        if claims.get("org") != str(org_id):
            raise jwt.InvalidTokenError("it belongs to another organisation")
        service = "scope" in claims
        return VerifiedToken(
            org_id=org_id,
            user_id=None if service else _user_id(claims, "sub"),
            expires_at=_expiry(claims),
            ours=True,
            scopes=frozenset(str(claims["scope"]).split()) if service else frozenset(),
            key_id=UUID(str(claims["sub"])) if service else None,
        )

    async def _read_provider(
        self, token: str, header: Mapping[str, Any], unverified: Mapping[str, Any], org_id: UUID
    ) -> VerifiedToken:
        provider = await self._provider(org_id, unverified.get("iss"))
        kid = header.get("kid")
        if header.get("alg") not in provider.algorithms:
            raise jwt.InvalidAlgorithmError("its algorithm is not allowed for this identity provider")
        if not isinstance(kid, str):
            raise jwt.InvalidTokenError("its header has no key id (kid)")
        key = await self._jwks.key(provider.jwks_url, kid)
        if key is None:
            raise jwt.InvalidTokenError("its key is not among the identity provider's published keys")
        claims = _verified_claims(token, key, provider.algorithms, audience=provider.audiences, issuer=provider.issuer)
        user_id = provider.user_prefix + _user_id(claims, provider.user_claim)
        return VerifiedToken(org_id=org_id, user_id=user_id, expires_at=_expiry(claims), direct=provider.direct)

    async def _provider(self, org_id: UUID, issuer: Any) -> IdentityProvider:
        for identity_provider in (await self._settings_of(org_id)).identity_providers:
            if identity_provider.issuer == issuer:
                return identity_provider
        raise jwt.InvalidIssuerError("its issuer is not configured")

    async def _settings_of(self, org_id: UUID) -> OrgSettings:
        try:
            return (await self._programmes.current(org_id)).settings
        except NotFound:
            raise jwt.InvalidTokenError("its organisation is unknown") from None

    async def keys(self) -> list[SigningKey]:
        """Return this server's keys. The first one signs."""
        if time.monotonic() - self._fetched_at > KEYS_SECONDS:
            async with self._pool.acquire() as connection:
                self._ours = await signing_keys(connection, clock.now())
            self._fetched_at = time.monotonic()
        return self._ours

    async def issuer(self, org_id: UUID) -> str:
        """Return this server's issuer name for an organisation: the URL of its space."""
        if not self._settings.spaces_domain:
            return self._settings.space_url()
        async with self._pool.acquire() as connection:
            org = await orgs.find_org(connection, org_id)
        return self._settings.space_url(None if org is None else org.slug)

    async def issue(
        self, org_id: UUID, subject: str, seconds: float, scopes: frozenset[str] | None = None
    ) -> tuple[str, int]:
        """Return a new token, and its lifetime in seconds. `scopes` are for service tokens."""
        lifetime_seconds = int(min(seconds, TOKEN_SECONDS_MAX))
        now = clock.now()
        claims: dict[str, Any] = {
            "iss": await self.issuer(org_id),
            "sub": subject,
            "aud": [str(org_id)],
            "org": str(org_id),
            "iat": now,
            "exp": now + timedelta(seconds=lifetime_seconds),
            "jti": clock.new_uuid7().hex,
        }
        if scopes is not None:
            claims["scope"] = " ".join(sorted(scopes))
        key = (await self.keys())[0]
        return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid}), lifetime_seconds


def _verified_claims(
    token: str, key: Any, algorithms: list[Any], *, audience: str | list[str] | None, issuer: str | None = None
) -> dict[str, Any]:
    return jwt.decode(
        token,
        key,
        algorithms=algorithms,
        audience=audience,
        issuer=issuer,
        leeway=LEEWAY_SECONDS,
        options={"require": ["exp", "sub"] if issuer is None else ["exp", "iss", "aud"]},
    )


def _unverified(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the header and the claims without checking the signature. Anyone can have written them."""
    try:
        header = jwt.get_unverified_header(token)
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError):
        raise jwt.DecodeError("it is not well formed") from None
    for name in ("exp", "iat", "nbf"):
        timestamp = claims.get(name)
        if timestamp is not None and (
            isinstance(timestamp, bool) or not isinstance(timestamp, int | float) or not _is_time(timestamp)
        ):
            raise jwt.InvalidTokenError(f"its claim {name} must be a time in seconds since 1970")
    return header, claims


def _is_time(seconds: float) -> bool:
    return 0 <= seconds < bounds.LATEST.timestamp()


def _org_of(unverified: Mapping[str, Any], named: UUID | None) -> UUID:
    """Return the organisation that the token or the request names. Raise if they name different ones."""
    try:
        claimed = UUID(str(unverified["org"])) if "org" in unverified else None
    except ValueError:
        claimed = None  # the provider uses the claim for something else
    if claimed is None and named is None:
        raise Invalid("The header X-Monterosa-Org-ID is missing", code="org_missing")
    if None not in (claimed, named) and claimed != named:
        raise jwt.InvalidTokenError("it belongs to another organisation")
    org_id = claimed or named
    assert org_id is not None
    return org_id


def _user_id(claims: Mapping[str, Any], name: str) -> str:
    user_id: object = id_text(claims.get(name))
    if not isinstance(user_id, str) or bounds.wrong_id(user_id) is not None:
        raise jwt.InvalidTokenError(f"its claim {name!r} is not a valid user id (1 to 256 printable characters)")
    return user_id


def _expiry(claims: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(float(cast("float", claims["exp"])), clock.now().tzinfo)


_REASONS: tuple[tuple[type[jwt.InvalidTokenError], str], ...] = (
    (jwt.ExpiredSignatureError, "it has expired"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidSignatureError, "its signature is wrong"),
    (jwt.InvalidAudienceError, "its audience does not match"),
    (jwt.MissingRequiredClaimError, ""),
)


def _reason(error: jwt.PyJWTError) -> str:
    for kind, sentence in _REASONS:
        if isinstance(error, kind) and sentence:
            return sentence
    return str(error)
