"""The time zones by which a streak's days are counted, and what happens when the member's zone changes."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

from msgspec import structs

from plaudit.core.context import Context
from plaudit.core.periods import zone

from .state import StreakState

ZONE_CHANGE_INTERVAL = timedelta(days=7)
OLD_ZONE_GRACE = timedelta(days=2)


def zoned(context: Context, state: StreakState) -> StreakState:
    """Return the state in the member's current time zone, unless it changed less than seven days ago."""
    target = _profile_zone(context)
    if target == state.zone or (state.zone_since is not None and context.now < state.zone_since + ZONE_CHANGE_INTERVAL):
        return state
    if not state.zone:
        return structs.replace(state, zone=target)
    return structs.replace(state, zone=target, previous_zone=state.zone, zone_since=context.now)


def _profile_zone(context: Context) -> str:
    """Return the profile's time zone if it exists, or the organisation's."""
    name = context.member.attributes.get("timezone")
    return str(name) if name and _is_zone(str(name)) else context.program.settings.time_zone


def _is_zone(name: str) -> bool:
    try:
        zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def zones(context: Context, state: StreakState, now: datetime) -> list[str]:
    """Return the zones whose calendars apply: the current one, the previous one for two days, and the profile's."""
    if state.zone_since is None:
        return [state.zone]
    recent = bool(state.previous_zone) and now < state.zone_since + OLD_ZONE_GRACE
    return list(dict.fromkeys([state.zone, *([state.previous_zone] if recent else []), _profile_zone(context)]))
