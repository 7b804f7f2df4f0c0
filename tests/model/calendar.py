"""Days, weeks, months and years by the clocks of a time zone. A day begins at its first instant."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo


@cache
def zone_of(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@cache
def day_of(at: datetime, zone: str) -> date:
    return at.astimezone(zone_of(zone)).date()


@cache
def midnight(day: date, zone: str) -> datetime:
    """The first instant of a local day; where the clocks skip midnight, that is the instant of the skip."""
    guess = datetime.combine(day, time(), zone_of(zone)).astimezone(UTC)
    while day_of(guess, zone) >= day:
        guess -= timedelta(minutes=30)
    while day_of(guess, zone) < day:
        guess += timedelta(minutes=30)
    return guess


def days_on(day: date, days: int) -> date:
    return day + timedelta(days=days)


def same_time(at: datetime, days: int, zone: str) -> datetime:
    """The instant at which the clocks show the same time so many days on."""
    local = at.astimezone(zone_of(zone))
    return datetime.combine(days_on(local.date(), days), local.time(), zone_of(zone)).astimezone(UTC) if days else at


def first_of_period(day: date, period: str) -> date:
    match period:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
        case "year":
            return date(day.year, 1, 1)
    raise ValueError(period)


def first_of_next_period(day: date, period: str) -> date:
    following = first_of_period(day, period)
    while first_of_period(following, period) == first_of_period(day, period):
        following += timedelta(days=1)
    return following


def period_of(at: datetime, period: str, zone: str) -> str:
    """A name for the period that an instant is in; an hour that comes twice in autumn is two."""
    if period == "hour":
        return at.astimezone(zone_of(zone)).strftime("%Y-%m-%d %H %z")
    return f"{period} of {first_of_period(day_of(at, zone), period)}"


def same_day_of(year: int, day: date) -> date:
    """The anniversary of a day in a year: of 29 February, the 28th where there is no other."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
