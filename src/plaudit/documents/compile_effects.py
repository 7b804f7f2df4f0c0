"""Compile effects for the core."""

from collections.abc import Mapping

from plaudit.core import program as core
from plaudit.core.effects.registry import EFFECTS
from plaudit.core.metrics import Metric

from .effect import AudienceSpec, EffectSpec


def audience_of(segments: AudienceSpec | None) -> core.Audience | None:
    """Return who a campaign or an effect is for; None for everybody."""
    return None if segments is None else core.Audience(frozenset(segments.include), frozenset(segments.exclude))


def compile_effect(spec: EffectSpec, metrics: Mapping[str, Metric]) -> core.Effect:
    """Return an effect, ready to be applied."""
    effect_type = EFFECTS[spec.type]
    return core.Effect(effect_type.name, effect_type.compile(spec.settings(), metrics), audience_of(spec.segments))
