"""Issues tokens: to members, for an identity provider's token (RFC 8693); to servers, for an API secret (RFC 6749)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from jwt.algorithms import RSAAlgorithm

from plaudit import clock
from plaudit.api.http.operations import Call, Operation, OperationResult
from plaudit.api.http.schemas import TEXT, object_of
from plaudit.api.http.wire import uuid_in
from plaudit.api.views.tokens import AccessToken, Jwk, JwkSet
from plaudit.errors import PlauditError, Unavailable
from plaudit.storage.orgs import find_api_key

from .callers import basic_credentials

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPES = tuple(f"urn:ietf:params:oauth:token-type:{name}" for name in ("jwt", "id_token", "access_token"))
ISSUED = "urn:ietf:params:oauth:token-type:access_token"
SERVICE_SECONDS = 3_600
JWKS_SECONDS = 300


class _OAuthError(Exception):
    def __init__(self, code: str, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = status


async def post_token(call: Call) -> OperationResult:
    """Return a token, or an error in the form of RFC 6749, 5.2."""
    headers = {"Cache-Control": "no-store"}
    try:
        form = _parameters(call)
        if form.get("grant_type") == EXCHANGE:
            data = await _exchange(call, form)
        elif form.get("grant_type") == "client_credentials":
            data = await _service_token(call, form)
        else:
            raise _OAuthError("unsupported_grant_type", f"grant_type must be {EXCHANGE} or client_credentials")
    except _OAuthError as error:
        body = {"error": error.code, "error_description": str(error)}
        return OperationResult(data=body, status=error.status, headers=headers, enveloped=False)
    return OperationResult(data=data, status=200, headers=headers, enveloped=False)


async def _exchange(call: Call, form: Mapping[str, str]) -> AccessToken:
    token = form.get("subject_token")
    if not token:
        raise _OAuthError("invalid_request", "subject_token is missing")
    if form.get("subject_token_type", TYPES[0]) not in TYPES:
        raise _OAuthError("invalid_request", f"subject_token_type must be one of {', '.join(TYPES)}")
    tokens = call.services.callers.tokens
    try:
        proof = await tokens.read(token, await _org_named(call, form))
    except Unavailable as error:  # the identity provider's keys cannot be fetched; the token may be valid
        raise _OAuthError("temporarily_unavailable", error.message, 503) from None
    except PlauditError as error:
        raise _OAuthError(
            "invalid_request" if error.code.startswith("org_") else "invalid_grant", error.message
        ) from None
    if proof.ours or proof.user_id is None:
        raise _OAuthError("invalid_grant", "subject_token must come from an identity provider, not from this server")
    seconds = (proof.expires_at - clock.now()).total_seconds()
    if seconds < 1:
        raise _OAuthError("invalid_grant", "subject_token has expired")
    access_token, expires_in = await tokens.issue(proof.org_id, proof.user_id, seconds)
    return AccessToken(
        access_token=access_token,
        issued_token_type=ISSUED,
        token_type="Bearer",  # noqa: S106
        expires_in=expires_in,
    )


async def _service_token(call: Call, form: Mapping[str, str]) -> AccessToken:
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    kind, _, basic = call.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        client_id, secret = basic_credentials(basic)
    async with call.connection() as connection:
        key = await find_api_key(connection, secret) if secret else None
    in_force = key is not None and (key.expires_at is None or key.expires_at > clock.now())
    if key is None or not in_force or client_id not in (str(key.org_id), f"key_{key.key_id}"):
        raise _OAuthError(
            "invalid_client",
            "client_id must be an API key's id or the organisation's id, and client_secret the matching secret",
            401,
        )
    scopes = frozenset(form.get("scope", "").split()) or key.scopes
    if not scopes <= key.scopes:
        raise _OAuthError("invalid_scope", f"The API key lacks the scope {min(scopes - key.scopes)}")
    access_token, expires_in = await call.services.callers.tokens.issue(
        key.org_id, str(key.key_id), SERVICE_SECONDS, scopes
    )
    scope = " ".join(sorted(scopes))
    return AccessToken(access_token=access_token, token_type="Bearer", expires_in=expires_in, scope=scope)  # noqa: S106


def _parameters(call: Call) -> dict[str, str]:
    """Return the parameters: from a form, as RFC 6749 requires, or from a JSON object."""
    try:
        if call.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
            parameters = msgspec.json.decode(call.raw, type=dict[str, str])
        else:
            pairs = parse_qsl(call.raw.decode(), keep_blank_values=True, max_num_fields=50)
            parameters = dict(pairs)
            if len(parameters) < len(pairs):
                raise _OAuthError("invalid_request", "Parameters must not be repeated")
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise _OAuthError("invalid_request", "The body must be a form or a JSON object of strings") from None
    return parameters


async def _org_named(call: Call, form: Mapping[str, str]) -> UUID | None:
    named = form.get("org")
    if named is None:
        return await call.services.callers.tokens.org_named(call.headers)
    org_id = uuid_in(named, "")
    if org_id is None:
        raise _OAuthError("invalid_request", "org must be a UUID")
    return org_id


async def get_jwks(call: Call) -> OperationResult:
    """Return the public halves of this server's keys (RFC 7517)."""
    keys: list[Jwk] = []
    for key in await call.services.callers.tokens.keys():
        jwk: dict[str, Any] = RSAAlgorithm.to_jwk(key.private.public_key(), as_dict=True)
        keys.append(Jwk(kty=jwk["kty"], n=jwk["n"], e=jwk["e"], kid=key.kid, alg="RS256", use="sig"))
    return OperationResult(
        data=JwkSet(keys=keys),
        status=200,
        headers={"Cache-Control": f"public, max-age={JWKS_SECONDS}"},
        enveloped=False,
    )


_PARAMETERS = object_of(
    {"grant_type": TEXT},
    {"subject_token": TEXT, "subject_token_type": TEXT, "org": TEXT, "client_id": TEXT, "client_secret": TEXT, "scope": TEXT},
)  # fmt: skip

OPERATIONS = [
    Operation(
        name="issueToken", method="POST", path="/api/auth/token", changes_nothing=True,
        summary="Exchange a credential for an access token",
        description="Takes an identity provider's token, or an API secret.", run=post_token, scope=None, tag="Tokens",
        body=_PARAMETERS, media="form", response=AccessToken, enveloped=False,
        error_schema={"type": "object", "properties": {"error": TEXT, "error_description": TEXT}, "required": ["error"]},
        errors=(400, 401, 413),
    ),
    Operation(
        name="getJwks", method="GET", path="/.well-known/jwks.json",
        summary="Get the public keys that verify access tokens", run=get_jwks, scope=None, tag="Tokens",
        response=JwkSet, enveloped=False,
    ),
]  # fmt: skip
