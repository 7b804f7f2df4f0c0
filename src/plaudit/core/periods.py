"""Calendar arithmetic in a time zone: which period an instant is in."""

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo


class Period(StrEnum):
    """A calendar period; weeks are ISO 8601 weeks, which begin on Monday."""

    hour = "hour"
    day = "day"
    week = "week"
    month = "month"
    year = "year"


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name. Raises ZoneInfoNotFoundError or ValueError for a name that is none."""
    return ZoneInfo(name)


def period_key(instant: datetime, period: Period, time_zone: str) -> str:
    """The name of the period that `instant` falls in, by the local calendar: `2026-11-20`, `2026-W47`, `2026-11` …

    An hour's key carries its offset from UTC, so that the hour repeated in autumn is two hours.
    """
    local = instant.astimezone(zone(time_zone))
    match period:
        case Period.hour:
            return local.strftime("%Y-%m-%dT%H%z")
        case Period.day:
            return local.strftime("%Y-%m-%d")
        case Period.week:
            year, week, _ = local.isocalendar()
            return f"{year:04d}-W{week:02d}"
        case Period.month:
            return local.strftime("%Y-%m")
        case Period.year:
            return local.strftime("%Y")
