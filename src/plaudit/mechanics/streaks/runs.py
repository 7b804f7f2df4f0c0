"""Runs of periods: the days (or weeks, or months) that count, as spans of consecutive periods, and the lengths of runs.

A bridged period (frozen, repaired, or in a pause or an absence) continues a run but does not make it longer. Bridged
periods are spans too, so a pause of centuries costs no more than a pause of a day.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

Span = tuple[int, int]  # the first and the last period, inclusive
Spans = tuple[Span, ...]  # in order, with at least one period between them
Bridged = Spans  # the periods that need not count to continue a run


def counts(spans: Spans, period: int) -> bool:
    """Return whether a period counts."""
    if spans and period >= spans[-1][0]:  # most calls are for the latest periods
        return period <= spans[-1][1]
    return any(first <= period <= last for first, last in reversed(spans))


def add_period(spans: Spans, period: int) -> Spans:
    """Return the spans with a period added."""
    if counts(spans, period):
        return spans
    if not spans:
        return ((period, period),)
    return joined([*spans, (period, period)])


def joined(spans: Iterable[Span]) -> Spans:
    """Return the spans in order, with those that overlap or touch merged."""
    merged: list[Span] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def is_bridged(bridged: Bridged, first: int, last: int) -> bool:
    """Return whether all periods from the first to the last are bridged. If `first` is after `last`, they are."""
    return first > last or _end_of(bridged, first) >= last


def _end_of(bridged: Bridged, period: int) -> int:
    """Return the last period of the span that contains a period, or the period before it if no span does."""
    index = bisect_right(bridged, period, key=_first_of) - 1
    return max(bridged[index][1], period - 1) if index >= 0 else period - 1


def _first_of(span: Span) -> int:
    return span[0]


def last_run(spans: Spans, bridged: Bridged) -> tuple[int, int]:
    """Return the latest run: its first period, and how many of its periods count."""
    if not spans:
        return 0, 0
    start, length = spans[-1][0], spans[-1][1] - spans[-1][0] + 1
    for earlier, later in zip(reversed(spans[:-1]), reversed(spans[1:]), strict=True):
        if not is_bridged(bridged, earlier[1] + 1, later[0] - 1):
            break
        start, length = earlier[0], length + earlier[1] - earlier[0] + 1
    return start, length


def all_runs(spans: Spans, bridged: Bridged) -> list[tuple[int, int, int]]:
    """Return all runs in order, each as its first period, its last period, and how many of its periods count."""
    runs: list[tuple[int, int, int]] = []
    for first, last in spans:
        length = last - first + 1
        if runs and is_bridged(bridged, runs[-1][1] + 1, first - 1):
            start, _, before = runs.pop()
            runs.append((start, last, before + length))
        else:
            runs.append((first, last, length))
    return runs


def longest_run(spans: Spans, bridged: Bridged) -> int:
    """Return the length of the longest run."""
    longest = length = 0
    if len(spans) == 1:
        return spans[0][1] - spans[0][0] + 1
    for earlier, later in pairwise([(0, 0), *spans]):
        continues = earlier != (0, 0) and is_bridged(bridged, earlier[1] + 1, later[0] - 1)
        length = (length if continues else 0) + later[1] - later[0] + 1
        longest = max(longest, length)
    return longest


def next_missing(spans: Spans, bridged: Bridged) -> int:
    """Return the next period that must count for the latest run to continue."""
    return following(spans[-1][1], bridged)


def following(period: int, bridged: Bridged) -> int:
    """Return the first period after `period` that is not bridged."""
    return _end_of(bridged, period + 1) + 1
