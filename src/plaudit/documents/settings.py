"""The settings of an organisation: one document, with versions like any other."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from plaudit import bounds
from plaudit.errors import FieldError

from .base import Document, DocumentId, DocumentKind

SETTINGS_ID = "settings"
ORIGIN = r"^(\*|https?://[A-Za-z0-9.\-\[\]:]+)$"


Bonus = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class WelcomeBonus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bonus that members get on enrolment. The defaults are those of the documented API."""

    points: Bonus = 100
    coins: Bonus = 50
    xp: Bonus = 0


class IdentityProvider(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An issuer of JWTs that identify members. They must be for one of `audiences`, and match the issuer's published keys.

    `userClaim`: the claim with the user id. `userPrefix`: a prefix for its user ids that keeps providers apart. `direct`:
    accept its JWTs on member calls; otherwise clients must exchange them first.
    """

    provider_id: DocumentId
    issuer: Annotated[str, Meta(min_length=1, max_length=500)]
    audiences: Annotated[list[Annotated[str, Meta(min_length=1, max_length=500)]], Meta(min_length=1, max_length=20)]
    jwks_url: Annotated[str, Meta(pattern=r"^https?://[^\s@]+$", max_length=1_000)]
    algorithms: Annotated[list[Literal["RS256", "ES256", "EdDSA"]], Meta(min_length=1)] = field(
        default_factory=lambda: ["RS256"]
    )
    user_claim: Annotated[str, Meta(min_length=1, max_length=200)] = "sub"
    user_prefix: Annotated[str, Meta(max_length=64)] = ""
    direct: bool = False


class Cors(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The origins whose pages can call the member API; `*` for any."""

    origins: Annotated[list[Annotated[str, Meta(pattern=ORIGIN)]], Meta(max_length=100)] = field(
        default_factory=list[str]
    )


class Push(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of Web Push, which enable it. `contact`: an address for the push services (RFC 8292)."""

    contact: Annotated[str, Meta(pattern=r"^(mailto:[^@\s]+@[^@\s]+|https://[^\s/@]+[^\s@]*)$", max_length=300)]


class Settings(Document, kw_only=True):
    """The organisation's settings.

    `autoEnrol`: an action by an unknown user enrols them. `timeZone`: the IANA zone that decides when a day begins.
    `limits`: the tier of rate limits. `welcomeBonus`: the default bonus on enrolment. `sharedSecretTokens`: accept
    member tokens signed with the organisation's secret (HS256).
    """

    auto_enrol: bool = True
    time_zone: str = "UTC"
    locale: Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    limits: Literal["standard", "premium", "unlimited"] = "unlimited"
    welcome_bonus: WelcomeBonus = WelcomeBonus()
    identity_providers: Annotated[list[IdentityProvider], Meta(max_length=20)] = field(
        default_factory=list[IdentityProvider]
    )
    shared_secret_tokens: bool = True
    cors: Cors = field(default_factory=Cors)
    push: Push | None = None


def _check(settings: Settings) -> Sequence[FieldError]:
    wrong: list[FieldError] = []
    message = bounds.wrong_zone(settings.time_zone)
    if message is not None:
        wrong.append(FieldError("timeZone", message))
    providers = settings.identity_providers
    for i, provider in enumerate(providers):
        message = bounds.wrong_address(provider.jwks_url, ("http", "https"))
        if message is not None:
            wrong.append(FieldError(f"identityProviders[{i}].jwksUrl", message))
    for name, values in (
        ("providerId", [provider.provider_id for provider in providers]),
        ("issuer", [provider.issuer for provider in providers]),
    ):
        wrong += [
            FieldError(f"identityProviders[{i}].{name}", "must be unique among identity providers")
            for i, value in enumerate(values)
            if value in values[:i]
        ]
    return wrong


def _scopes(before: dict[str, Any] | None, after: dict[str, Any]) -> frozenset[str]:
    """Require permission for members' data if a change affects who can issue tokens: it allows acting as any member."""
    old = before or {}
    same = all(old.get(name) == after.get(name) for name in ("identityProviders", "sharedSecretTokens"))
    return frozenset() if same else frozenset({"members:read", "members:write"})


KIND = DocumentKind(
    name="settings",
    title="Settings",
    collection="",  # only one exists, and it has operations of its own
    id_field="settingsId",
    id_prefix="",
    type=Settings,
    check=_check,
    scopes=_scopes,
)
