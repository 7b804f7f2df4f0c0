"""A member's segment states, stored by the segment's id."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from plaudit.core.cause import Cause
from plaudit.core.member import Member, StateList, states_of

KIND: Final = "segment"  # the kind of the states and the documents; causes are `segment.<id>`


class SegmentState(Struct, frozen=True, array_like=True):
    """Whether a member is in a segment, and since when.

    `tallies` are the counts of events by the criterion's key and by local day. `manual` is the membership set by hand, if
    any. `due_at` is when the passing of time alone can change the membership.
    """

    member: bool = False
    since: datetime | None = None
    tallies: dict[str, dict[int, int]] = {}
    manual: bool | None = None
    due_at: datetime | None = None


NOT_IN = SegmentState()
_NONE: Mapping[str, SegmentState] = {}


def segments_of(member: Member) -> Mapping[str, SegmentState]:
    """Return a member's segment states by the segments' ids, including segments that the member is not in."""
    return member.states.get(KIND, _NONE)


def state_in(member: Member, segment_id: str) -> SegmentState:
    """Return a member's state in a segment."""
    return member.states.get(KIND, _NONE).get(segment_id, NOT_IN)


def keep(member: Member, segment_id: str, state: SegmentState) -> None:
    """Set a member's state in a segment."""
    states_of(member, KIND)[segment_id] = state


def groups_in(states: Mapping[str, SegmentState]) -> frozenset[str]:
    """Return the ids of the segments that a member is in."""
    return frozenset([segment_id for segment_id, state in states.items() if state.member])


def cause_of(segment_id: str) -> Cause:
    """Return the cause that stands for a segment."""
    return Cause(KIND, segment_id)


def _is_in(state: SegmentState) -> bool:
    return state.member


def _since(state: SegmentState) -> datetime | None:
    return state.since


LISTS = (StateList("segment_members", KIND, _is_in, _since),)
