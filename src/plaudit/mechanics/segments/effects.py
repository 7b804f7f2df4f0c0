"""The effects of segments: `add_to_segment` and `remove_from_segment`."""

from collections.abc import Mapping

from msgspec import Struct

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace
from plaudit.core.effects.effect_type import EffectSettings, EffectType, Id, NamedDocument
from plaudit.core.metrics import Metric

from . import rules
from .compiled import segment_in
from .refusals import SegmentRefusal
from .state import KIND


class SegmentSettings(EffectSettings, frozen=True):
    segment_id: Id


class MembershipChange(Struct, frozen=True):
    """A segment, and whether to put the member in it or out of it."""

    segment_id: str
    member: bool


def add(settings: SegmentSettings, _: Mapping[str, Metric]) -> MembershipChange:
    return MembershipChange(settings.segment_id, member=True)


def remove(settings: SegmentSettings, _: Mapping[str, Metric]) -> MembershipChange:
    return MembershipChange(settings.segment_id, member=False)


def apply_membership(context: Context, place: EffectPlace, settings: MembershipChange) -> EffectTrace:
    """Add the member to a segment or remove them from it, whatever its criteria say."""
    segment = segment_in(context.program, settings.segment_id)
    if segment is None:
        return EffectTrace(place.index, SegmentRefusal.segment_not_found, settings.segment_id)
    rules.set_membership(context, segment, member=settings.member)
    return EffectTrace(place.index, None, {"segmentId": segment.segment_id, "member": settings.member})


_SEGMENT = NamedDocument(KIND, "segment_id")

EFFECTS = (
    EffectType(
        name="add_to_segment",
        sentence="Add the member to a segment, whatever its criteria say.",
        settings=SegmentSettings,
        references=(_SEGMENT,),
        compile=add,
        apply=apply_membership,
    ),
    EffectType(
        name="remove_from_segment",
        sentence="Remove the member from a segment, whatever its criteria say.",
        settings=SegmentSettings,
        references=(_SEGMENT,),
        compile=remove,
        apply=apply_membership,
    ),
)
