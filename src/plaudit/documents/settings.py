"""Settings: what an organisation has settled for all its campaigns. One document, versioned like any other."""

from collections.abc import Sequence
from zoneinfo import ZoneInfoNotFoundError

from plaudit.core.periods import zone
from plaudit.errors import FieldError

from .base import Document, DocumentKind

SETTINGS_ID = "settings"


class Settings(Document, kw_only=True):
    """`autoEnrol`: an action of somebody unknown enrols them. `timeZone` (IANA) says when a day begins."""

    auto_enrol: bool = True
    time_zone: str = "UTC"


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
