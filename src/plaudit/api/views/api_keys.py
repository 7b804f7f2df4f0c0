"""Response types of the operations on API keys."""

from msgspec import UNSET, UnsetType

from .base import Time, View, page_of


class ApiKey(View):
    """An API key, without its secret."""

    key_id: str
    name: str
    scopes: list[str]
    created_at: Time
    expires_at: Time | None


class CurrentApiKey(ApiKey):
    """The API key that made the call, and its organisation."""

    org_id: str
    org_name: str
    slug: str | None
    is_test: bool


class ApiKeyWithSecret(ApiKey, kw_only=True):
    """An API key with its secret, which no other response contains. `replaces` is the id of the rotated key."""

    api_secret: str
    replaces: str | UnsetType = UNSET
    old_secret_ends_at: Time | UnsetType = UNSET


ApiKeyList = page_of(ApiKey, "api_keys", [("count", int)], paged=False)
