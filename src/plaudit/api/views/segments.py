"""What the operations on segments return."""

from .base import Time, View, page_of


class SegmentMember(View):
    """A member of a segment."""

    user_id: str
    since: Time


class SegmentFilling(View):
    """How far the filling of a segment is: how many members were evaluated, and of how many membership changed."""

    percent: int
    looked_at: int
    changed: int
    finished_at: Time | None


class SegmentMembership(View):
    """A member whose membership of a segment was set."""

    segment_id: str
    user_id: str


class SegmentPreview(View):
    """How many of the members evaluated would be in a segment, and some of them."""

    looked_at: int
    count: int
    sample: list[str]


SegmentMemberList = page_of(SegmentMember, "members", [("count", int), ("filling", SegmentFilling)])
