"""What must hold of the state of a streak, however it came about."""

from collections.abc import Iterator
from itertools import pairwise

from . import runs
from .state import StreakState


def unsound(state: StreakState) -> Iterator[str]:
    """Yield what does not hold."""
    if any(first > last for first, last in state.spans) or any(
        later[0] <= earlier[1] + 1 for earlier, later in pairwise(state.spans)
    ):
        yield f"its spans {state.spans} are not apart and in order"
    if state.current > state.longest or state.freezes < 0:
        yield f"{state.current} in a row, {state.longest} at the longest, {state.freezes} freezes"
    spared = [period for period in state.frozen if runs.counts(state.spans, period)]
    if spared:
        yield f"periods {spared} both count and are frozen"
