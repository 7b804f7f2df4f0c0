"""The reasons why a change of a membership is refused."""

from enum import StrEnum


class SegmentRefusal(StrEnum):
    """The refusals of segments. If a member is not in an audience, the core refuses with `not_in_segment`."""

    segment_not_found = "segment_not_found"


MEANINGS: dict[str, str] = {
    SegmentRefusal.segment_not_found: "The segment does not exist.",
}

FORMER: dict[str, str] = {
    "segment_missing": SegmentRefusal.segment_not_found,
}
