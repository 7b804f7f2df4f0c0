"""Effects in documents: their form, and the checks of their settings."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from plaudit.core.effects import notify
from plaudit.core.effects.effect_type import EffectSettings, EffectType
from plaudit.core.effects.notify import Notify
from plaudit.core.effects.registry import EFFECTS
from plaudit.errors import FieldError, PlauditError

from .base import MetricAmount, Reference
from .profile import unwritable_by_effects
from .validation import convert

EFFECTS_MAX = 50


class AudienceSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """The members in any segment of `include` (default: everyone) and in none of `exclude`."""

    include: list[str] = field(default_factory=list[str])
    exclude: list[str] = field(default_factory=list[str])

    def references(self, path: str) -> list[Reference]:
        """Return the references to segments, for an audience at a path in its document."""
        return [
            Reference(f"{path}.{side}[{i}]", "segment", segment_id)
            for side, ids in (("include", self.include), ("exclude", self.exclude))
            for i, segment_id in enumerate(ids)
        ]


class EffectSpec(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An effect: its `type`, its settings in `config`, and the `segments` to which it applies."""

    type: str
    config: dict[str, Any]
    segments: AudienceSpec | None = None

    def settings(self) -> EffectSettings:
        """Return the settings as a struct. Raise Invalid, naming each wrong field."""
        return convert(self.config, EFFECTS[self.type].settings)


def check_effects(effects: Sequence[EffectSpec]) -> list[FieldError]:
    """Return the errors in a list of effects."""
    if len(effects) > EFFECTS_MAX:
        return [FieldError("effects", f"may have at most {EFFECTS_MAX} items")]
    return [error for i, effect in enumerate(effects) for error in _errors_of(effect, f"effects[{i}]")]


def _errors_of(effect: EffectSpec, path: str) -> list[FieldError]:
    effect_type = EFFECTS.get(effect.type)
    if effect_type is None:
        return [FieldError(f"{path}.type", f"must be one of {', '.join(EFFECTS)} (got {effect.type!r})")]
    try:
        settings = effect.settings()
    except PlauditError as error:
        errors = list(error.fields)
    else:
        errors = _settings_errors(effect_type, settings) + _profile_errors(effect_type, settings)
    return [error.under(f"{path}.config") for error in errors]


def _settings_errors(effect_type: EffectType, settings: EffectSettings) -> list[FieldError]:
    return [FieldError(error.field, error.message) for error in effect_type.errors(settings)]


def _profile_errors(effect_type: EffectType, settings: EffectSettings) -> list[FieldError]:
    """Return why an effect cannot set a profile field, whatever the profile schema contains."""
    if effect_type.profile_field is None:
        return []
    name, value = effect_type.profile_field
    wrong = unwritable_by_effects(getattr(settings, name), getattr(settings, value))
    written = {"name": effect_type.written_name(name), "value": effect_type.written_name(value)}
    return [FieldError(written[error.field], error.message) for error in wrong]


def check_notification(notification: Notify | None, path: str) -> list[FieldError]:
    """Return the errors in a notification."""
    if notification is None:
        return []
    return [error.under(path) for error in _settings_errors(notify.EFFECT, notification)]


def effect_amounts(effects: Sequence[EffectSpec], under: str = "") -> list[MetricAmount]:
    """Return the fixed amounts of metrics that effects add or remove."""
    return [
        MetricAmount(f"{under}effects[{i}].config.{amount.field}", amount.metric_id, amount.amount)
        for i, effect in enumerate(effects)
        for amount in EFFECTS[effect.type].amounts(effect.settings())
    ]


def effect_references(effects: Sequence[EffectSpec]) -> list[Reference]:
    """Return the references in effects."""
    references: list[Reference] = []
    for i, effect in enumerate(effects):
        effect_type, settings = EFFECTS[effect.type], effect.settings()
        for named in effect_type.references:
            path, document_id = f"effects[{i}].type", named.document_id
            if named.field is not None:
                path = f"effects[{i}].config.{effect_type.written_name(named.field)}"
                document_id = getattr(settings, named.field)
            if document_id is not None:
                references.append(Reference(path, named.kind, str(document_id), required=named.required))
        if effect.segments is not None:
            references += effect.segments.references(f"effects[{i}].segments")
    return references
