"""Response types for tokens and keys, with the names of RFC 6749, RFC 8693 and RFC 7517."""

from typing import Literal

from msgspec import UNSET, UnsetType

from .base import View


class AccessToken(View, rename="lower", kw_only=True):
    """An access token, and its validity in seconds. `scope` is for servers."""

    access_token: str
    issued_token_type: str | UnsetType = UNSET
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str | UnsetType = UNSET


class Jwk(View):
    """A public RSA key that verifies access tokens (RFC 7517)."""

    kty: str
    n: str
    e: str
    kid: str
    alg: str
    use: str


class JwkSet(View):
    """The public keys that verify access tokens."""

    keys: list[Jwk]
