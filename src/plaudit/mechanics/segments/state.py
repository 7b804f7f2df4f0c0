"""What is kept of a member and a segment: by the segment's id."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from plaudit.core.cause import Cause
from plaudit.core.member import Member, StateList, states_of

KIND: Final = "segment"  # of the states and the documents; causes are `segment.<id>`


class SegmentState(Struct, frozen=True, array_like=True):
    """Whether a member is in a segment, since when, and what its criteria have tallied: by criterion, by local day.

    `manual` is set for who was put in or out by hand; `due_at` is when time alone may change it.
    """

    member: bool = False
    since: datetime | None = None
    tallies: dict[str, dict[int, int]] = {}
    manual: bool | None = None
    due_at: datetime | None = None


NOT_IN = SegmentState()
_NONE: Mapping[str, SegmentState] = {}


def segments_of(member: Member) -> Mapping[str, SegmentState]:
    """Return what is kept of a member, also of segments that they are not in."""
    return member.states.get(KIND, _NONE)


def state_in(member: Member, segment_id: str) -> SegmentState:
    """Return what is kept of a member and a segment."""
    return member.states.get(KIND, _NONE).get(segment_id, NOT_IN)


def keep(member: Member, segment_id: str, state: SegmentState) -> None:
    """Store a member's state in a segment."""
    states_of(member, KIND)[segment_id] = state


def groups_in(states: Mapping[str, SegmentState]) -> frozenset[str]:
    """Return the ids of the segments that a member is in."""
    return frozenset([segment_id for segment_id, state in states.items() if state.member])


def cause_of(segment_id: str) -> Cause:
    """Return a segment as a cause."""
    return Cause(KIND, segment_id)


def _is_in(state: SegmentState) -> bool:
    return state.member


def _since(state: SegmentState) -> datetime | None:
    return state.since


LISTS = (StateList("segment_members", KIND, _is_in, _since),)
