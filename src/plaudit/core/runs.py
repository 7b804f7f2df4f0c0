"""Runs of turns: which days (weeks, months) count, kept as spans of consecutive ones, and how long a run is.

A turn that is bridged (frozen, repaired, paused, absent) keeps a run together and does not make it longer.
"""

from collections.abc import Callable
from itertools import pairwise

Span = tuple[int, int]  # the first and the last turn, both included
Spans = tuple[Span, ...]  # in order, apart from each other by at least one turn
Bridged = Callable[[int], bool]


def has(spans: Spans, turn: int) -> bool:
    """Whether a turn counts. Mostly it is asked of the last ones."""
    if spans and turn >= spans[-1][0]:
        return turn <= spans[-1][1]
    return any(first <= turn <= last for first, last in reversed(spans))


def add(spans: Spans, turn: int) -> Spans:
    """The spans with one more turn."""
    if has(spans, turn):
        return spans
    if not spans:
        return ((turn, turn),)
    joined: list[Span] = []
    for first, last in sorted([*spans, (turn, turn)]):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def last_run(spans: Spans, bridged: Bridged) -> tuple[int, int]:
    """The run that ends with the last turn that counts: its first turn, and how many of its turns count."""
    if not spans:
        return 0, 0
    start, length = spans[-1][0], spans[-1][1] - spans[-1][0] + 1
    for earlier, later in zip(reversed(spans[:-1]), reversed(spans[1:]), strict=True):
        if not all(map(bridged, range(earlier[1] + 1, later[0]))):
            break
        start, length = earlier[0], length + earlier[1] - earlier[0] + 1
    return start, length


def longest_run(spans: Spans, bridged: Bridged) -> int:
    """The length of the longest run."""
    longest = length = 0
    if len(spans) == 1:
        return spans[0][1] - spans[0][0] + 1
    for earlier, later in pairwise([(0, 0), *spans]):
        together = earlier != (0, 0) and all(map(bridged, range(earlier[1] + 1, later[0])))
        length = (length if together else 0) + later[1] - later[0] + 1
        longest = max(longest, length)
    return longest


def next_missing(spans: Spans, bridged: Bridged) -> int:
    """The first turn after the last that counts that must count if the run is to go on."""
    turn = spans[-1][1] + 1
    while bridged(turn):
        turn += 1
    return turn
