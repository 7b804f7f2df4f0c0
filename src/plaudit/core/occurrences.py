"""Find occurrences of a recurrence rule, as local times: the last one up to a time, and the first one after it.

A search does not start at the beginning of the rule. It goes from the given time month by month; a month without an
occurrence costs one comparison. It stops after `MONTHS_MAX` months, so every search ends.

    month ── BYMONTH, interval ──► days of it ── BYDAY, BYMONTHDAY … ──► units of a day ──► offsets within a unit

A unit is the whole day or, for an hourly or minutely rule, an hour or a minute. Times have no time zone.
"""

from bisect import bisect_right
from calendar import isleap, monthrange
from collections.abc import Sequence
from datetime import MAXYEAR, MINYEAR, date, datetime, timedelta
from functools import lru_cache

from msgspec import structs

from .rrule import Frequency, Rule

MONTHS_MAX = 1_200  # 100 years: a rule without an occurrence in that time counts as ended
_DAY_SECONDS = 86_400
_SECOND = timedelta(seconds=1)
_EARLIEST, _LATEST = datetime.min, datetime.max  # noqa: DTZ901 (local times)
_UNIT_SECONDS = {Frequency.HOURLY: 3_600, Frequency.MINUTELY: 60}
_MONDAY = date(1, 1, 1).toordinal()


class Occurrences:
    """The occurrences of a rule from `start` on. `start` is an occurrence only if it matches the rule."""

    def __init__(self, rule: Rule, start: datetime) -> None:
        self.start = start.replace(microsecond=0, tzinfo=None)
        self._day0 = self.start.toordinal()
        self._rule = rule = _completed(rule, self.start)
        self._unit = _UNIT_SECONDS.get(rule.frequency, _DAY_SECONDS)
        hours = rule.by_hour if self._unit == _DAY_SECONDS else (0,)
        minutes = rule.by_minute if self._unit > 60 else (0,)
        self._offsets = tuple(h * 3_600 + m * 60 + s for h in hours for m in minutes for s in rule.by_second)
        if rule.by_position and self._unit < _DAY_SECONDS:
            self._offsets = _at_positions(self._offsets, rule.by_position)
        self._by_period = bool(rule.by_position) and self._unit == _DAY_SECONDS
        self._period: tuple[int, dict[int, list[int]]] = (-1, {})
        self._end: datetime | None = None
        if rule.until is not None and rule.until.tzinfo is None:
            self._end = rule.until
        if rule.count is not None:
            self._end = min(self._end or _LATEST, self._last_of(rule.count))

    def last_until(self, time: datetime, since: datetime | None = None) -> datetime | None:
        """Return the last occurrence up to a time but not before `since`, or None."""
        since = self.start if since is None else max(since, self.start)
        if self._end is not None:
            time = min(time, self._end)
        year, month = time.year, time.month
        for _ in range(MONTHS_MAX):
            if (year, month) < (since.year, since.month):
                return None
            for ordinal in reversed(self._days_of(year, month)):
                if ordinal <= time.toordinal():
                    second = self._last_on(ordinal, _second_of(time) if ordinal == time.toordinal() else _DAY_SECONDS)
                    if second is not None:
                        occurrence = _time_at(ordinal, second)
                        return occurrence if occurrence >= since else None
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)
            if year < MINYEAR:
                return None
        return None

    def first_after(self, time: datetime) -> datetime | None:
        """Return the first occurrence after a time, or None."""
        if time < self.start:
            time = max(self.start, _EARLIEST + _SECOND) - _SECOND
        year, month = time.year, time.month
        for _ in range(MONTHS_MAX):
            for ordinal in self._days_of(year, month):
                if ordinal >= time.toordinal():
                    second = self._first_on(ordinal, _second_of(time) if ordinal == time.toordinal() else -1)
                    if second is not None:
                        occurrence = _time_at(ordinal, second)
                        return occurrence if self._end is None or occurrence <= self._end else None
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
            if year > MAXYEAR or (self._end is not None and (year, month) > (self._end.year, self._end.month)):
                return None
        return None

    def _last_of(self, count: int) -> datetime:
        """Return the last of the first `count` occurrences, or the time at which the search stops."""
        year, month = self.start.year, self.start.month
        for _ in range(MONTHS_MAX):
            for ordinal in self._days_of(year, month):
                seconds = self._seconds_on(ordinal) if ordinal == self._day0 or self._by_period else None
                if seconds is not None:
                    seconds = [second for second in seconds if _time_at(ordinal, second) >= self.start]
                number = len(self._units_of(ordinal)) * len(self._offsets) if seconds is None else len(seconds)
                if number >= count:
                    return _time_at(ordinal, (self._seconds_on(ordinal) if seconds is None else seconds)[count - 1])
                count -= number
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
            if year > MAXYEAR:
                return _LATEST
        return _time_at(date(year, month, 1).toordinal(), 0)

    def _days_of(self, year: int, month: int) -> Sequence[int]:
        """Return the ordinals of the days of a month that can have occurrences."""
        rule = self._rule
        if rule.frequency is Frequency.YEARLY and (year - self.start.year) % rule.interval:
            return ()
        months = year * 12 + month - self.start.year * 12 - self.start.month
        if rule.frequency is Frequency.MONTHLY and months % rule.interval:
            return ()
        if rule.by_month and month not in rule.by_month:
            return ()
        first = date(year, month, 1).toordinal()
        days = range(max(first, self._day0), first + monthrange(year, month)[1])
        if rule.frequency is Frequency.DAILY:
            days = range(days.start + (self._day0 - days.start) % rule.interval, days.stop, rule.interval)
        elif rule.frequency is Frequency.WEEKLY and rule.interval > 1:
            week0 = self._week_of(self._day0)
            return [day for day in days if not (self._week_of(day) - week0) % rule.interval and self._has_day(day)]
        if not self._filters_days:
            return days
        return [day for day in days if self._has_day(day)]

    @property
    def _filters_days(self) -> bool:
        rule = self._rule
        return bool(rule.by_weekday or rule.by_nth_weekday or rule.by_month_day or rule.by_year_day or rule.by_week)

    def _week_of(self, ordinal: int) -> int:
        return (ordinal - _MONDAY - self._rule.week_start) // 7

    def _has_day(self, ordinal: int) -> bool:
        """Return whether a day matches the parts that select days. (Months and intervals are checked before.)"""
        rule = self._rule
        weekday = (ordinal - _MONDAY) % 7
        if (rule.by_weekday or rule.by_nth_weekday) and weekday not in rule.by_weekday:
            if not rule.by_nth_weekday:
                return False
            if not self._is_nth(date.fromordinal(ordinal), weekday):
                return False
        if not (rule.by_month_day or rule.by_year_day or rule.by_week):
            return True
        day = date.fromordinal(ordinal)
        if rule.by_month_day:
            length = monthrange(day.year, day.month)[1]
            if day.day not in rule.by_month_day and day.day - length - 1 not in rule.by_month_day:
                return False
        if rule.by_year_day:
            first, last = date(day.year, 1, 1).toordinal(), date(day.year, 12, 31).toordinal()
            if ordinal - first + 1 not in rule.by_year_day and ordinal - last - 1 not in rule.by_year_day:
                return False
        return not rule.by_week or self._is_in_week(ordinal, day.year)

    def _is_nth(self, day: date, weekday: int) -> bool:
        """Return whether a day is the n-th of its weekday in its month, or in its year for a yearly rule without BYMONTH."""
        rule = self._rule
        if rule.frequency is Frequency.YEARLY and not rule.by_month:
            first, last = date(day.year, 1, 1), date(day.year, 12, 31)
        else:
            first, last = day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])
        before, after = (day - first).days // 7, (last - day).days // 7
        return any(day_of == weekday and n in (before + 1, -after - 1) for n, day_of in rule.by_nth_weekday)

    def _is_in_week(self, ordinal: int, year: int) -> bool:
        start = self._rule.week_start
        for number in (year + 1, year, year - 1):
            first = _first_week(number, start)
            if ordinal >= first:
                weeks = (_first_week(number + 1, start) - first) // 7
                week = (ordinal - first) // 7 + 1
                return week in self._rule.by_week or week - weeks - 1 in self._rule.by_week
        return False

    def _units_of(self, ordinal: int) -> Sequence[int]:
        """Return the seconds of a day at which the units with occurrences begin."""
        unit, rule = self._unit, self._rule
        if unit == _DAY_SECONDS:
            return (0,)
        number = _DAY_SECONDS // unit
        since_start = ordinal * number - self._day0 * number - _second_of(self.start) // unit
        units = range(-since_start % rule.interval, number, rule.interval)
        if unit == 60 and (rule.by_hour or rule.by_minute):
            return [
                item * 60
                for item in units
                if (not rule.by_hour or item // 60 in rule.by_hour)
                and (not rule.by_minute or item % 60 in rule.by_minute)
            ]
        if rule.by_hour:
            return [item * unit for item in units if item in rule.by_hour]
        return range(units.start * unit, number * unit, rule.interval * unit)

    def _seconds_on(self, ordinal: int) -> Sequence[int]:
        """Return all occurrences of a day, as seconds."""
        if self._by_period:
            return self._positions_on(ordinal)
        return [unit + offset for unit in self._units_of(ordinal) for offset in self._offsets]

    def _last_on(self, ordinal: int, second: int) -> int | None:
        if self._by_period:
            seconds = self._positions_on(ordinal)
            index = bisect_right(seconds, second)
            return seconds[index - 1] if index else None
        for unit in reversed(self._units_of(ordinal)):
            index = bisect_right(self._offsets, second - unit)
            if index:
                return unit + self._offsets[index - 1]
        return None

    def _first_on(self, ordinal: int, second: int) -> int | None:
        """Return the first occurrence of a day after a second of it, and not before the rule's start."""
        if ordinal == self._day0:
            second = max(second, _second_of(self.start) - 1)
        if self._by_period:
            seconds = self._positions_on(ordinal)
            index = bisect_right(seconds, second)
            return seconds[index] if index < len(seconds) else None
        for unit in self._units_of(ordinal):
            index = bisect_right(self._offsets, second - unit)
            if index < len(self._offsets):
                return unit + self._offsets[index]
        return None

    def _positions_on(self, ordinal: int) -> Sequence[int]:
        """Return a day's occurrences that BYSETPOS selects from those of its period (year, month, week or day)."""
        rule, day = self._rule, date.fromordinal(ordinal)
        match rule.frequency:
            case Frequency.YEARLY:
                period = day.year
            case Frequency.MONTHLY:
                period = day.year * 12 + day.month
            case Frequency.WEEKLY:
                period = self._week_of(ordinal)
            case _:
                period = ordinal
        if self._period[0] != period:  # the days of a period come one after another
            self._period = (period, self._chosen(self._days_of_period(day)))
        return self._period[1].get(ordinal, ())

    def _chosen(self, days: Sequence[int]) -> dict[int, list[int]]:
        """Return the times that BYSETPOS selects from all times of these days, by day."""
        times = len(self._offsets)
        total = len(days) * times
        chosen: dict[int, list[int]] = {}
        for index in sorted({number - 1 if number > 0 else total + number for number in self._rule.by_position}):
            if 0 <= index < total:
                chosen.setdefault(days[index // times], []).append(self._offsets[index % times])
        return chosen

    def _days_of_period(self, day: date) -> Sequence[int]:
        """Return the days that match the rule in the period of a day, including days before the rule's start."""
        match self._rule.frequency:
            case Frequency.YEARLY:
                first, length = date(day.year, 1, 1).toordinal(), 365 + isleap(day.year)
            case Frequency.MONTHLY:
                first, length = day.replace(day=1).toordinal(), monthrange(day.year, day.month)[1]
            case Frequency.WEEKLY:
                first, length = self._week_of(day.toordinal()) * 7 + _MONDAY + self._rule.week_start, 7
            case _:
                first, length = day.toordinal(), 1
        days = range(max(first, 1), min(first + length, date.max.toordinal() + 1))
        return [number for number in days if self._chooses(number)]

    def _chooses(self, ordinal: int) -> bool:
        months = self._rule.by_month
        return (not months or date.fromordinal(ordinal).month in months) and self._has_day(ordinal)


def _completed(rule: Rule, start: datetime) -> Rule:
    """Return the rule with the parts that come from its start: the time, and the day unless the rule selects days."""
    changes: dict[str, tuple[int, ...]] = {}
    if not (rule.by_week or rule.by_year_day or rule.by_month_day or rule.by_weekday or rule.by_nth_weekday):
        match rule.frequency:
            case Frequency.YEARLY:
                changes["by_month"] = rule.by_month or (start.month,)
                changes["by_month_day"] = (start.day,)
            case Frequency.MONTHLY:
                changes["by_month_day"] = (start.day,)
            case Frequency.WEEKLY:
                changes["by_weekday"] = (start.weekday(),)
            case _:
                pass
    if rule.frequency < Frequency.HOURLY:
        changes["by_hour"] = rule.by_hour or (start.hour,)
    if rule.frequency < Frequency.MINUTELY:
        changes["by_minute"] = rule.by_minute or (start.minute,)
    changes["by_second"] = rule.by_second or (start.second,)
    return structs.replace(rule, **changes)


def _at_positions(offsets: Sequence[int], positions: Sequence[int]) -> tuple[int, ...]:
    indexes = {position - 1 if position > 0 else len(offsets) + position for position in positions}
    return tuple(offsets[index] for index in sorted(indexes) if 0 <= index < len(offsets))


@lru_cache(maxsize=1_024)
def _first_week(year: int, week_start: int) -> int:
    """Return the ordinal of the first day of week 1: the first week with at least four days in the year."""
    first = date(max(year, MINYEAR), 1, 1).toordinal() if year <= MAXYEAR else date.max.toordinal() + 1
    days_in = (first - _MONDAY - week_start) % 7
    return first - days_in if days_in <= 3 else first + 7 - days_in


def _second_of(time: datetime) -> int:
    return time.hour * 3_600 + time.minute * 60 + time.second


def _time_at(ordinal: int, second: int) -> datetime:
    return datetime.combine(date.fromordinal(ordinal), datetime.min.time()) + timedelta(seconds=second)
