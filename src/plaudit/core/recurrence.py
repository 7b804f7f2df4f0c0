"""Occurrences of a recurring campaign: an RFC 5545 recurrence rule, by the local calendar of a time zone.

A local time that the clocks skip is as long after the skip as it was to be after its beginning; one that comes twice is
the first of the two.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from .occurrences import Occurrences
from .periods import instant_of, local_time, zone
from .rrule import Rule, check_bounds, read_rule

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_TRUSTED = timedelta(days=366)  # for how long after an instant "no occurrence follows" is not worked out again


class Recurrence:
    """`rule` (such as `FREQ=WEEKLY;BYDAY=SA`) from `starts_at` on; each occurrence lasts for `seconds`.

    Without `seconds` an occurrence lasts until the next begins. A rule that cannot be read, which an earlier version may
    have stored, has no occurrences. What was found last is kept: most instants are in the same occurrence.
    """

    def __init__(self, rule: str, starts_at: datetime, seconds: int | None, time_zone: str) -> None:
        self._zone = zone(time_zone)
        self._lasts = None if seconds is None else timedelta(seconds=seconds)
        self._text = rule
        self._starts_at = starts_at
        self._known: tuple[datetime, datetime, datetime | None, datetime | None] = (_LATEST, _LATEST, None, None)

    def occurrence_at(self, instant: datetime) -> datetime | None:
        """Return the start of the occurrence that includes an instant, or None."""
        start, _ = self._around(instant)
        if start is None or (self._lasts is not None and instant - start >= self._lasts):
            return None
        return start

    def last_start(self, instant: datetime) -> datetime | None:
        """Return the start of the latest occurrence up to an instant, ended or not, or None."""
        return self._around(instant)[0]

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the start of the first occurrence after an instant, or None."""
        return self._around(instant)[1]

    def _around(self, instant: datetime) -> tuple[datetime | None, datetime | None]:
        """Return the last start up to an instant, and the first one after it."""
        since, until, start, following = self._known
        if not since <= instant < until:
            start, following = self._last_until(instant), self._first_after(instant)
            since = instant if start is None else start
            until = following or (instant + _TRUSTED if instant < _LATEST - _TRUSTED else _LATEST)
            self._known = (since, until, start, following)
        return start, following

    def _last_until(self, instant: datetime) -> datetime | None:
        found = _schedule(self._text, local_time(self._starts_at, self._zone).replace(tzinfo=None))
        if found is None:
            return None
        rule, occurrences = found
        last = instant if rule.until is None or rule.until.tzinfo is None else min(instant, rule.until)
        since = None
        if self._lasts is not None and instant > _EARLIEST + self._lasts + 2 * _DAY:
            since = self._local(instant - self._lasts)[0] - _DAY
        lower, upper = self._local(last)
        found_at: datetime | None = None
        local = occurrences.last_until(upper, since)
        # Where the clocks change, instants are not in the order of their local times.
        while local is not None and (found_at is None or (lower < upper and local >= lower - (upper - lower))):
            at = self._instant(local)
            if at <= last and (found_at is None or at > found_at):
                found_at = at
            local = occurrences.last_until(local - _SECOND, since)
        return found_at

    def _first_after(self, instant: datetime) -> datetime | None:
        found = _schedule(self._text, local_time(self._starts_at, self._zone).replace(tzinfo=None))
        if found is None:
            return None
        rule, occurrences = found
        lower, upper = self._local(instant)
        found_at: datetime | None = None
        local = occurrences.first_after(lower)
        while local is not None and (found_at is None or (lower < upper and local <= upper + (upper - lower))):
            at = self._instant(local)
            if at > instant and (found_at is None or at < found_at):
                found_at = at
            local = occurrences.first_after(local)
        until = rule.until
        if found_at is not None and until is not None and until.tzinfo is not None and found_at > until:
            return None
        return found_at

    def _local(self, instant: datetime) -> tuple[datetime, datetime]:
        """Return an instant's local time by the offsets of now and of a day before: the earlier and the later."""
        if not _EARLIEST + 2 * _DAY < instant < _LATEST - 2 * _DAY:
            return instant.replace(tzinfo=None), instant.replace(tzinfo=None)
        now = instant.astimezone(self._zone).replace(tzinfo=None)
        before = (instant - _DAY).astimezone(self._zone).replace(tzinfo=None) + _DAY
        return min(now, before), max(now, before)

    def _instant(self, local: datetime) -> datetime:
        return instant_of(local, self._zone)


def check_recurrence(rule: str, starts_at: datetime) -> None:
    """Raise ValueError for a rule that a document must not have: wrong, out of bounds, or without an occurrence."""
    read = read_rule(rule)
    check_bounds(read, rule)
    if Recurrence(rule, starts_at, None, "UTC").next_after(starts_at - _SECOND) is None:
        raise ValueError("an occurrence must follow within 100 years of startDate, and not after UNTIL")


# The versions of a programme have the same rules, and what bounds a rule by COUNT is worth keeping.
@lru_cache(maxsize=4_096)
def _schedule(text: str, start: datetime) -> tuple[Rule, Occurrences] | None:
    """Return the occurrences of a rule by local time; None for a rule that cannot be read or has none."""
    try:
        rule = read_rule(text)
    except ValueError:
        return None
    occurrences = Occurrences(rule, start)
    return None if occurrences.first_after(start - _SECOND) is None else (rule, occurrences)
