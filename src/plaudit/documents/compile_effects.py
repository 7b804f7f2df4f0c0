"""Compiles effects and audiences."""

from collections.abc import Mapping

from plaudit.core import program as core
from plaudit.core.effects.registry import EFFECTS
from plaudit.core.metrics import Metric

from .effect import AudienceSpec, EffectSpec


def audience_of(segments: AudienceSpec | None) -> core.Audience | None:
    """Return the audience of a campaign or an effect, or None if it is for all members."""
    return None if segments is None else core.Audience(frozenset(segments.include), frozenset(segments.exclude))


def compile_effect(spec: EffectSpec, metrics: Mapping[str, Metric]) -> core.Effect:
    """Return a compiled effect."""
    effect_type = EFFECTS[spec.type]
    return core.Effect(effect_type.name, effect_type.compile(spec.settings(), metrics), audience_of(spec.segments))
