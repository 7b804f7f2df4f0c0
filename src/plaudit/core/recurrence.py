"""Occurrences of a recurring campaign: an RFC 5545 recurrence rule, by the local calendar of a time zone.

If the clocks skip a local time, the occurrence is later by the length of the skip. If a local time happens twice, the
occurrence is at the first of the two.
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
_TRUSTED = timedelta(days=366)  # how long the result "no occurrence follows" is cached


class Recurrence:
    """The occurrences of a `rule` (such as `FREQ=WEEKLY;BYDAY=SA`) from `starts_at` on, each lasting for `seconds`.

    Without `seconds`, an occurrence lasts until the next one begins. An invalid rule, which an earlier version can have
    stored, has no occurrences. The last result is cached, because most instants are in the same occurrence.
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
        schedule = _schedule(self._text, local_time(self._starts_at, self._zone).replace(tzinfo=None))
        if schedule is None:
            return None
        rule, occurrences = schedule
        last = instant if rule.until is None or rule.until.tzinfo is None else min(instant, rule.until)
        since = None
        if self._lasts is not None and instant > _EARLIEST + self._lasts + 2 * _DAY:
            since = self._local(instant - self._lasts)[0] - _DAY
        lower, upper = self._local(last)
        latest: datetime | None = None
        local = occurrences.last_until(upper, since)
        # When the clocks change, a later local time can be an earlier instant, so look further back.
        while local is not None and (latest is None or (lower < upper and local >= lower - (upper - lower))):
            at = self._instant(local)
            if at <= last and (latest is None or at > latest):
                latest = at
            local = occurrences.last_until(local - _SECOND, since)
        return latest

    def _first_after(self, instant: datetime) -> datetime | None:
        schedule = _schedule(self._text, local_time(self._starts_at, self._zone).replace(tzinfo=None))
        if schedule is None:
            return None
        rule, occurrences = schedule
        lower, upper = self._local(instant)
        earliest: datetime | None = None
        local = occurrences.first_after(lower)
        while local is not None and (earliest is None or (lower < upper and local <= upper + (upper - lower))):
            at = self._instant(local)
            if at > instant and (earliest is None or at < earliest):
                earliest = at
            local = occurrences.first_after(local)
        until = rule.until
        if earliest is not None and until is not None and until.tzinfo is not None and earliest > until:
            return None
        return earliest

    def _local(self, instant: datetime) -> tuple[datetime, datetime]:
        """Return an instant's local time by the current UTC offset and by that of a day before, the earlier one first."""
        if not _EARLIEST + 2 * _DAY < instant < _LATEST - 2 * _DAY:
            return instant.replace(tzinfo=None), instant.replace(tzinfo=None)
        now = instant.astimezone(self._zone).replace(tzinfo=None)
        before = (instant - _DAY).astimezone(self._zone).replace(tzinfo=None) + _DAY
        return min(now, before), max(now, before)

    def _instant(self, local: datetime) -> datetime:
        return instant_of(local, self._zone)


def check_recurrence(rule: str, starts_at: datetime) -> None:
    """Raise ValueError for a rule that is invalid, out of bounds, or without an occurrence."""
    check_bounds(read_rule(rule), rule)
    if Recurrence(rule, starts_at, None, "UTC").next_after(starts_at - _SECOND) is None:
        raise ValueError("an occurrence must follow within 100 years of startDate, and not after UNTIL")


# Cached, because all versions of a programme use the same rules, and a rule's end by COUNT is costly to compute.
@lru_cache(maxsize=4_096)
def _schedule(text: str, start: datetime) -> tuple[Rule, Occurrences] | None:
    """Return a rule and its occurrences in local time, or None if the rule is invalid or has no occurrence."""
    try:
        rule = read_rule(text)
    except ValueError:
        return None
    occurrences = Occurrences(rule, start)
    return None if occurrences.first_after(start - _SECOND) is None else (rule, occurrences)
