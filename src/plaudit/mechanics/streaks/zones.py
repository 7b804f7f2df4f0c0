"""The calendars of a streak: the time zone that its days go by, while the member stays and when they travel."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

from msgspec import structs

from plaudit.core.context import Context
from plaudit.core.periods import zone

from .state import StreakState

ZONE_CHANGE_INTERVAL = timedelta(days=7)
OLD_ZONE_GRACE = timedelta(days=2)


def zoned(context: Context, state: StreakState) -> StreakState:
    """The state in the member's present time zone, as far as it may be taken over yet."""
    wanted = _wanted_zone(context)
    if wanted == state.zone or (state.zone_since is not None and context.now < state.zone_since + ZONE_CHANGE_INTERVAL):
        return state
    if not state.zone:
        return structs.replace(state, zone=wanted)
    return structs.replace(state, zone=wanted, previous_zone=state.zone, zone_since=context.now)


def _wanted_zone(context: Context) -> str:
    """Return the zone that the profile names, if it is one; else the organisation's."""
    named = context.member.attributes.get("timezone")
    return str(named) if named and _is_zone(str(named)) else context.program.settings.time_zone


def _is_zone(name: str) -> bool:
    try:
        zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def zones(context: Context, state: StreakState, now: datetime) -> list[str]:
    """The zones whose calendar may be used: the present one, for a while the one before it, and the profile's."""
    if state.zone_since is None:
        return [state.zone]
    recent = bool(state.previous_zone) and now < state.zone_since + OLD_ZONE_GRACE
    return list(dict.fromkeys([state.zone, *([state.previous_zone] if recent else []), _wanted_zone(context)]))
