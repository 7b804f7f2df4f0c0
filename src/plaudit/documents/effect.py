"""Effects as documents write them: the type and its settings, checked field by field."""

import math
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field, structs

from plaudit import bounds
from plaudit.core import identities
from plaudit.core.effect_settings import AddMetric, AddPoints, EffectSettings, Emit, Notify, SetAttribute
from plaudit.core.effects import EFFECTS
from plaudit.core.expressions import Expression, ExpressionError, Template
from plaudit.core.metrics import AMOUNT_MAX
from plaudit.core.triggers import NEVER_FIRED, is_reserved
from plaudit.errors import FieldError, PlauditError

from .base import MetricAmount, Reference
from .field_types import TIME_ZONE
from .profile import COMPUTED, CUSTOM
from .validation import convert

EFFECTS_MAX = 50


class AudienceSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """Whom it is for: members in any of the segments of `include` (everybody, when empty), in none of `exclude`."""

    include: list[str] = field(default_factory=list[str])
    exclude: list[str] = field(default_factory=list[str])

    def references(self, at: str) -> list[Reference]:
        """The segments that it names."""
        return [
            Reference(f"{at}.{side}[{i}]", "segment", segment_id)
            for side, ids in (("include", self.include), ("exclude", self.exclude))
            for i, segment_id in enumerate(ids)
        ]


class EffectSpec(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One effect: `type` is a row of the table of effects, `config` its settings, `segments` whom it is for."""

    type: str
    config: dict[str, Any]
    segments: AudienceSpec | None = None

    def settings(self) -> EffectSettings:
        """The settings as a struct. Raises Invalid."""
        return convert(self.config, EFFECTS[self.type].settings)


def check_effects(effects: Sequence[EffectSpec]) -> list[FieldError]:
    """What is wrong with a list of effects."""
    if len(effects) > EFFECTS_MAX:
        return [FieldError("effects", f"may have at most {EFFECTS_MAX} items")]
    return [error for i, effect in enumerate(effects) for error in _wrong_with(effect, f"effects[{i}]")]


def _wrong_with(effect: EffectSpec, at: str) -> list[FieldError]:
    if effect.type not in EFFECTS:
        return [FieldError(f"{at}.type", f"must be one of {', '.join(EFFECTS)} (got {effect.type!r})")]
    try:
        settings = effect.settings()
    except PlauditError as error:
        return [one.under(f"{at}.config") for one in error.fields]
    wrong = _wrong_settings(settings, f"{at}.config")
    amount = getattr(settings, "amount", None)
    if isinstance(amount, str):
        wrong += _not_compiling(Expression, amount, f"{at}.config.amount")
    elif amount is not None and not (math.isfinite(amount) and 0 < abs(amount) <= AMOUNT_MAX):
        wrong.append(FieldError(f"{at}.config.amount", f"must be a number other than 0 (got {amount})"))
    return wrong


def _wrong_settings(settings: EffectSettings, at: str) -> list[FieldError]:
    match settings:
        case Notify():
            return check_notification(settings, at)
        case Emit() if is_reserved(settings.trigger) and settings.trigger != NEVER_FIRED:
            why = f"is reserved for the engine's own triggers (got {settings.trigger!r})"
            return [FieldError(f"{at}.trigger", why)]
        case SetAttribute():
            return [one.under(at) for one in _wrong_attribute(settings)]
        case _:
            return []


def _wrong_attribute(settings: SetAttribute) -> list[FieldError]:
    """What is wrong with a field of profiles that is set by an effect, whatever the profile schema says."""
    name = settings.name
    if name in COMPUTED or name in ("userId", CUSTOM):
        return [FieldError("name", f"is kept by the books and cannot be written (got {name!r})")]
    if name in identities.KINDS:
        return [FieldError("name", f"is a name that members are found by, which no effect can set (got {name!r})")]
    if name == TIME_ZONE and settings.value is not None:
        why = bounds.wrong_zone(settings.value)
        return [] if why is None else [FieldError("value", why)]
    return []


def check_notification(note: Notify | None, at: str) -> list[FieldError]:
    """What is wrong with a notification."""
    if note is None:
        return []
    wrong: list[FieldError] = []
    if (note.message is None) == (note.template_id is None):
        wrong.append(FieldError(f"{at}.message", "or templateId must be there, and not both"))
    for name in ("title", "message"):
        text = getattr(note, name)
        if text is not None:
            wrong += _not_compiling(Template, text, f"{at}.{name}")
    return wrong


def _not_compiling(compiled: type[Template | Expression], text: str, at: str) -> list[FieldError]:
    try:
        compiled(text)
    except ExpressionError as error:
        return [FieldError(at, f"is not a valid formula: {error}")]
    return []


def effect_amounts(effects: Sequence[EffectSpec], at: str = "") -> list[MetricAmount]:
    """Return the amounts of metrics that effects give or take; what a formula says is known only when it is evaluated."""
    found: list[MetricAmount] = []
    for i, effect in enumerate(effects):
        settings = effect.settings()
        if isinstance(settings, AddPoints | AddMetric) and not isinstance(settings.amount, str):
            metric = settings.metric if isinstance(settings, AddMetric) else "points"
            found.append(MetricAmount(f"{at}effects[{i}].config.amount", metric, settings.amount))
    return found


def effect_references(effects: Sequence[EffectSpec]) -> list[Reference]:
    """The documents that effects name."""
    found: list[Reference] = []
    for i, effect in enumerate(effects):
        settings = effect.settings()
        outside = {one.name: one.encode_name for one in structs.fields(settings)}
        for name, kind in EFFECTS[effect.type].references:
            if getattr(settings, name) is not None:
                found.append(Reference(f"effects[{i}].config.{outside[name]}", kind, str(getattr(settings, name))))
        if effect.segments is not None:
            found += effect.segments.references(f"effects[{i}].segments")
        if effect.type == "add_points":
            found.append(Reference(f"effects[{i}].type", "metric", "points"))
        if effect.type == "emit":
            key = str(getattr(settings, "trigger", ""))
            found.append(Reference(f"effects[{i}].config.trigger", "trigger", key, required=False))
    return found
