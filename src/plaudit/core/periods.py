"""Calendar arithmetic in a time zone: which period an instant is in, and where periods begin and end.

Periods are counted by the local calendar, so a day may have 23 or 25 hours. A day begins at its first instant; where
the clocks skip midnight, that is the instant of the skip.
"""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

_MONDAY = date(1, 1, 1).toordinal()  # the first day of the calendar was a Monday
_DAY = timedelta(days=1)


class Period(StrEnum):
    """A calendar period; weeks are ISO 8601 weeks, which begin on Monday."""

    hour = "hour"
    day = "day"
    week = "week"
    month = "month"
    quarter = "quarter"
    year = "year"


class Cadence(StrEnum):
    """How often a streak is counted."""

    daily = "daily"
    weekly = "weekly"
    monthly = "monthly"


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name. Raises ZoneInfoNotFoundError or ValueError for a name that is none."""
    return ZoneInfo(name)


# An event's time is asked for by several mechanics, and days are few: remembered, both cost next to nothing.
@lru_cache(maxsize=16_384)
def local_day(instant: datetime, time_zone: str) -> date:
    """The day that an instant is in."""
    return instant.astimezone(zone(time_zone)).date()


@lru_cache(maxsize=16_384)
def first_instant(day: date, time_zone: str) -> datetime:
    """The instant, in UTC, at which a local day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=zone(time_zone)).astimezone(UTC)


def first_day(day: date, period: Period) -> date:
    """The first day of the period that a day is in. Not for hours."""
    match period:
        case Period.week:
            return day - timedelta(days=day.weekday())
        case Period.month:
            return day.replace(day=1)
        case Period.quarter:
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case Period.year:
            return day.replace(month=1, day=1)
        case _:
            return day


def next_first_day(day: date, period: Period) -> date:
    """The first day of the period after the one that a day is in. Not for hours."""
    match period:
        case Period.week:
            return first_day(day, period) + timedelta(days=7)
        case Period.month | Period.quarter | Period.year:
            months = {Period.month: 1, Period.quarter: 3, Period.year: 12}[period]
            return add_months(first_day(day, period), months)
        case _:
            return day + _DAY


def add_months(day: date, months: int) -> date:
    """The same day some months on, or the last of that month where it has no such day (29 February, the 31st)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    following = date(year + month // 11, (month + 1) % 12 + 1, 1)
    return date(year, month + 1, min(day.day, (following - _DAY).day))


def next_period_at(instant: datetime, period: Period, time_zone: str) -> datetime:
    """The instant, in UTC, at which the next period begins."""
    if period is Period.hour:
        return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return first_instant(next_first_day(local_day(instant, time_zone), period), time_zone)


def period_key(instant: datetime, period: Period, time_zone: str) -> str:
    """The name of the period that `instant` falls in, by the local calendar: `2026-11-20`, `2026-W47`, `2026-Q4` …

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
        case Period.quarter:
            return f"{local.year:04d}-Q{(local.month + 2) // 3}"
        case Period.year:
            return local.strftime("%Y")


def turn_of(day: date, cadence: Cadence) -> int:
    """The number of the day, week or month that a day is in: consecutive ones have consecutive numbers."""
    match cadence:
        case Cadence.daily:
            return day.toordinal()
        case Cadence.weekly:
            return (day.toordinal() - _MONDAY) // 7
        case Cadence.monthly:
            return day.year * 12 + day.month - 1


def first_day_of_turn(turn: int, cadence: Cadence) -> date:
    """The first day of the day, week or month of that number (see `turn_of`)."""
    match cadence:
        case Cadence.daily:
            return date.fromordinal(turn)
        case Cadence.weekly:
            return date.fromordinal(turn * 7 + _MONDAY)
        case Cadence.monthly:
            return date(turn // 12, turn % 12 + 1, 1)
