"""Settings: what an organisation has settled for all its campaigns. One document, versioned like any other."""

from collections.abc import Sequence
from typing import Annotated, Literal
from zoneinfo import ZoneInfoNotFoundError

from msgspec import Meta, Struct

from plaudit.core.periods import zone
from plaudit.errors import FieldError

from .base import Document, DocumentKind

SETTINGS_ID = "settings"


Bonus = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class WelcomeBonus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a member gets for enrolling; the documents' own numbers."""

    points: Bonus = 100
    coins: Bonus = 50
    xp: Bonus = 0


class Settings(Document, kw_only=True):
    """`autoEnrol`: an action of somebody unknown enrols them. `timeZone` (IANA) says when a day begins.

    `limits` is the tier of rate limits. `welcomeBonus` is what enrolling brings unless the call says otherwise.
    """

    auto_enrol: bool = True
    time_zone: str = "UTC"
    locale: Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    limits: Literal["standard", "premium", "unlimited"] = "unlimited"
    welcome_bonus: WelcomeBonus = WelcomeBonus()


def _check(settings: Settings) -> Sequence[FieldError]:
    try:
        zone(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [FieldError("timeZone", f"must be an IANA time zone (got {settings.time_zone!r})")]
    return ()


KIND = DocumentKind(
    name="settings",
    title="Settings",
    collection="",  # there is one: it has a call of its own
    id_field="settingsId",
    id_prefix="",
    type=Settings,
    check=_check,
)
