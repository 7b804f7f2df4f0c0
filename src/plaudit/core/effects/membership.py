"""Membership of a segment by hand: what `add_to_segment` and `remove_from_segment` have in common."""

from msgspec import Struct

from plaudit.core import segments
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, Refusal

from .effect_type import EffectSettings, Id, NamedDocument


class SegmentSettings(EffectSettings, frozen=True):
    segment_id: Id


REFERENCES = (NamedDocument("segment", "segment_id"),)


class MembershipChange(Struct, frozen=True):
    """A segment, and whether the member is to be in it."""

    segment_id: str
    member: bool


def apply_membership(context: Context, place: EffectPlace, settings: MembershipChange) -> EffectTrace:
    """Put the member in a segment or out of it, whatever its criteria say."""
    segment = context.program.segments.get(settings.segment_id)
    if segment is None:
        return EffectTrace(place.index, Refusal.segment_not_found, settings.segment_id)
    segments.set_membership(context, segment, member=settings.member)
    return EffectTrace(place.index, None, {"segmentId": segment.segment_id, "member": settings.member})
