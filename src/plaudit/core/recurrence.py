"""Occurrences of a recurring campaign: an RFC 5545 recurrence rule, by the local calendar of a time zone."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dateutil.rrule import rrulestr

from .periods import zone

OCCURRENCES_MAX = 100_000  # a rule that has had as many has ended


class Recurrence:
    """`rule` (such as `FREQ=WEEKLY;BYDAY=SA`) from `starts_at` on; each occurrence lasts for `seconds`.

    Without `seconds` an occurrence lasts until the next begins. The starts are worked out once, as far as asked for.
    Raises ValueError for a rule that is none.
    """

    def __init__(self, rule: str, starts_at: datetime, seconds: int | None, time_zone: str) -> None:
        self._zone = zone(time_zone)
        self._seconds = seconds
        local = starts_at.astimezone(self._zone).replace(tzinfo=None)
        self._following: Iterator[datetime] = iter(rrulestr(rule, dtstart=local))
        self._starts: list[datetime] = []

    def occurrence_at(self, instant: datetime) -> datetime | None:
        """The start of the occurrence that an instant is in; None between occurrences."""
        self._work_out(instant)
        place = bisect_right(self._starts, instant) - 1
        if place < 0:
            return None
        start = self._starts[place]
        if self._seconds is not None and instant >= start + timedelta(seconds=self._seconds):
            return None
        return start

    def next_after(self, instant: datetime) -> datetime | None:
        """The start of the first occurrence after an instant; None when there is none."""
        self._work_out(instant)
        place = bisect_right(self._starts, instant)
        return self._starts[place] if place < len(self._starts) else None

    def _work_out(self, instant: datetime) -> None:
        """Know the starts up to the first one after an instant."""
        while (not self._starts or self._starts[-1] <= instant) and len(self._starts) < OCCURRENCES_MAX:
            following = next(self._following, None)
            if following is None:
                return
            self._starts.append(following.replace(tzinfo=self._zone).astimezone(UTC))
