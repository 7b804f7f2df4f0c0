"""Settings of an organisation. One document, versioned like any other."""

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
    """The default bonus on enrolment, with the reference's numbers."""

    points: Bonus = 100
    coins: Bonus = 50
    xp: Bonus = 0


class IdentityProvider(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An issuer of JWTs that identify members, for one of `audiences`, verified by its published keys.

    `userClaim`: the claim with the user id; `userPrefix` is put before it to keep two providers apart. `direct`: accept
    its JWTs on member calls; otherwise exchange them first.
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
    """Origins whose pages may call the member API; `*` for any."""

    origins: Annotated[list[Annotated[str, Meta(pattern=ORIGIN)]], Meta(max_length=100)] = field(
        default_factory=list[str]
    )


class Push(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Enables Web Push; `contact` is for the push services (RFC 8292)."""

    contact: Annotated[str, Meta(pattern=r"^(mailto:[^@\s]+@[^@\s]+|https://[^\s/@]+[^\s@]*)$", max_length=300)]


class Settings(Document, kw_only=True):
    """Settings of the organisation.

    `autoEnrol`: an action by an unknown user enrols them. `timeZone`: IANA zone that decides when a day begins.
    `limits`: rate limit tier. `welcomeBonus`: default bonus on enrolment. `sharedSecretTokens`: accept member tokens
    signed with the organisation's secret (HS256).
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
    for name, item in (
        ("providerId", [provider.provider_id for provider in providers]),
        ("issuer", [provider.issuer for provider in providers]),
    ):
        wrong += [
            FieldError(f"identityProviders[{i}].{name}", "must be unique among identity providers")
            for i, document_id in enumerate(item)
            if document_id in item[:i]
        ]
    return wrong


def _scopes(before: dict[str, Any] | None, after: dict[str, Any]) -> frozenset[str]:
    """Require what members may do of an author who changes who vouches for them: it lets them speak as any member."""
    was = before or {}
    same = all(was.get(name) == after.get(name) for name in ("identityProviders", "sharedSecretTokens"))
    return frozenset() if same else frozenset({"members:read", "members:write"})


KIND = DocumentKind(
    name="settings",
    title="Settings",
    collection="",  # there is one: it has a call of its own
    id_field="settingsId",
    id_prefix="",
    type=Settings,
    check=_check,
    scopes=_scopes,
)
