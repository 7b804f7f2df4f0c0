"""The invariants of a member's state on a ladder."""

from collections.abc import Iterator

from .state import LadderState


def unsound(state: LadderState) -> Iterator[str]:
    """Yield a sentence for each violated invariant."""
    if list(state.reached) != sorted({*state.reached}):
        yield f"the rungs reached {state.reached} are not in order"
    if state.override is None and state.override_until is not None:
        yield f"no rung is set by hand, but an override ends at {state.override_until}"
