"""The views of segments in the admin API and in the member API."""

from plaudit.core.member import Member
from plaudit.core.program import Program
from plaudit.view import Time, View

from .compiled import segments_in
from .state import groups_in, segments_of


class SegmentMember(View):
    """A member of a segment."""

    user_id: str
    since: Time


class SegmentFilling(View):
    """The progress of filling a segment: members evaluated, and memberships changed."""

    percent: int
    looked_at: int
    changed: int
    finished_at: Time | None


class SegmentMembership(View):
    """A member whose membership was set manually."""

    segment_id: str
    user_id: str


class SegmentPreview(View):
    """How many of the evaluated members would be in a segment, and some of them."""

    looked_at: int
    count: int
    sample: list[str]


class MemberSegment(View):
    """One of the member's segments."""

    segment_id: str
    name: str


def member_segments(program: Program, member: Member) -> list[MemberSegment]:
    """Return the segments that a member is in."""
    segments = segments_in(program)
    inside = sorted(groups_in(segments_of(member)) & segments.keys())
    return [MemberSegment(segment_id=segment_id, name=segments[segment_id].name) for segment_id in inside]
