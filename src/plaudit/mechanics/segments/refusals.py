"""Why a change of a membership is refused."""

from enum import StrEnum


class SegmentRefusal(StrEnum):
    """The refusals of segments. (That something is for others is the core's: `not_in_segment`.)"""

    segment_not_found = "segment_not_found"


MEANINGS: dict[str, str] = {
    SegmentRefusal.segment_not_found: "The segment does not exist.",
}

FORMER: dict[str, str] = {
    "segment_missing": SegmentRefusal.segment_not_found,
}
