"""Runs of periods: which days (weeks, months) count, kept as spans of consecutive ones, and how long a run is.

A period that is bridged (frozen, repaired, paused, absent) keeps a run together and does not make it longer. What is
bridged is spans as well, so a pause of centuries costs no more than one of a day.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

Span = tuple[int, int]  # the first and the last period, both included
Spans = tuple[Span, ...]  # in order, apart from each other by at least one period
Bridged = Spans  # the periods that need not count


def counts(spans: Spans, period: int) -> bool:
    """Whether a period counts. Most calls are for the latest periods."""
    if spans and period >= spans[-1][0]:
        return period <= spans[-1][1]
    return any(first <= period <= last for first, last in reversed(spans))


def add_period(spans: Spans, period: int) -> Spans:
    """Return the spans with one more period."""
    if counts(spans, period):
        return spans
    if not spans:
        return ((period, period),)
    return joined([*spans, (period, period)])


def joined(spans: Iterable[Span]) -> Spans:
    """Return spans that may overlap as spans that are in order and apart."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)


def is_bridged(bridged: Bridged, first: int, last: int) -> bool:
    """Return whether all periods from the first to the last are bridged; also if there are none."""
    return first > last or _end_of(bridged, first) >= last


def _end_of(bridged: Bridged, period: int) -> int:
    """Return the last period of the span that a period is in; the period before it where it is in none."""
    place = bisect_right(bridged, period, key=_first_of) - 1
    return max(bridged[place][1], period - 1) if place >= 0 else period - 1


def _first_of(span: Span) -> int:
    return span[0]


def last_run(spans: Spans, bridged: Bridged) -> tuple[int, int]:
    """The run that ends with the last period that counts: its first period, and how many of its periods count."""
    if not spans:
        return 0, 0
    start, length = spans[-1][0], spans[-1][1] - spans[-1][0] + 1
    for earlier, later in zip(reversed(spans[:-1]), reversed(spans[1:]), strict=True):
        if not is_bridged(bridged, earlier[1] + 1, later[0] - 1):
            break
        start, length = earlier[0], length + earlier[1] - earlier[0] + 1
    return start, length


def all_runs(spans: Spans, bridged: Bridged) -> list[tuple[int, int, int]]:
    """All runs in order: the first and the last period of each that count, and how many count."""
    found: list[tuple[int, int, int]] = []
    for first, last in spans:
        length = last - first + 1
        if found and is_bridged(bridged, found[-1][1] + 1, first - 1):
            start, _, before = found.pop()
            found.append((start, last, before + length))
        else:
            found.append((first, last, length))
    return found


def longest_run(spans: Spans, bridged: Bridged) -> int:
    """The length of the longest run."""
    longest = length = 0
    if len(spans) == 1:
        return spans[0][1] - spans[0][0] + 1
    for earlier, later in pairwise([(0, 0), *spans]):
        together = earlier != (0, 0) and is_bridged(bridged, earlier[1] + 1, later[0] - 1)
        length = (length if together else 0) + later[1] - later[0] + 1
        longest = max(longest, length)
    return longest


def next_missing(spans: Spans, bridged: Bridged) -> int:
    """The first period after the last that counts that must count if the run is to go on."""
    return following(spans[-1][1], bridged)


def following(period: int, bridged: Bridged) -> int:
    """The first period after one that is not bridged."""
    return _end_of(bridged, period + 1) + 1
