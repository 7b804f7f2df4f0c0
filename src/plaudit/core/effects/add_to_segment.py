"""The effect `add_to_segment`."""

from collections.abc import Mapping

from plaudit.core.metrics import Metric

from .effect_type import EffectType
from .membership import REFERENCES, MembershipChange, SegmentSettings, apply_membership


def compile_settings(settings: SegmentSettings, _: Mapping[str, Metric]) -> MembershipChange:
    return MembershipChange(settings.segment_id, member=True)


EFFECT = EffectType(
    name="add_to_segment",
    sentence="Add the member to a segment, whatever its criteria say.",
    settings=SegmentSettings,
    references=REFERENCES,
    compile=compile_settings,
    apply=apply_membership,
)
