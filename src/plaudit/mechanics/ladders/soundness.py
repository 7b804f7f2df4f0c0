"""What must hold of a member's place on a ladder, however it came about."""

from collections.abc import Iterator

from .state import LadderState


def unsound(state: LadderState) -> Iterator[str]:
    """Yield what does not hold."""
    if list(state.reached) != sorted({*state.reached}):
        yield f"the rungs reached {state.reached} are not in order"
    if state.override is None and state.override_until is not None:
        yield f"no rung is given by hand, and it ends at {state.override_until}"
