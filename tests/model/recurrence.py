"""When a recurring campaign comes round (guide: Challenges, "Again"), by dateutil's rules: another RFC 5545 than ours."""

from datetime import UTC, datetime, timedelta
from functools import cache

from dateutil.rrule import rrulestr

from .amounts import Json
from .calendar import zone_of


def occurrence(campaign: Json, at: datetime, zone: str) -> datetime | None:
    """The start of the occurrence that an instant is in; None between occurrences."""
    rule = campaign["recurrence"]
    begun = [instant for instant in starts(rule["rule"], campaign["startDate"], zone) if instant <= at]
    if not begun:
        return None
    seconds = rule.get("durationSeconds")
    return None if seconds is not None and at >= begun[-1] + timedelta(seconds=seconds) else begun[-1]


@cache
def starts(rule: str, start: str, zone: str) -> list[datetime]:
    """All starts within two years, as instants: the rule is by the local clock."""
    local = datetime.fromisoformat(start).astimezone(zone_of(zone)).replace(tzinfo=None)
    found = rrulestr(rule, dtstart=local).between(local, local + timedelta(days=731), inc=True)
    return sorted(instant.replace(tzinfo=zone_of(zone)).astimezone(UTC) for instant in found)
