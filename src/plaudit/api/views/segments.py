"""What the operations on segments return."""

from .base import Time, View, page_of


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


SegmentMemberList = page_of(SegmentMember, "members", [("count", int), ("filling", SegmentFilling)])
