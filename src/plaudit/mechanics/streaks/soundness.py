"""The invariants of a streak's state."""

from collections.abc import Iterator
from itertools import pairwise

from . import runs
from .state import StreakState


def unsound(state: StreakState) -> Iterator[str]:
    """Yield a sentence for each violated invariant."""
    if any(first > last for first, last in state.spans) or any(
        later[0] <= earlier[1] + 1 for earlier, later in pairwise(state.spans)
    ):
        yield f"its spans {state.spans} are not separate and in order"
    if state.current > state.longest or state.freezes < 0:
        yield f"current {state.current}, longest {state.longest}, freezes {state.freezes}"
    both = [period for period in state.frozen if runs.counts(state.spans, period)]
    if both:
        yield f"periods {both} both count and are frozen"
