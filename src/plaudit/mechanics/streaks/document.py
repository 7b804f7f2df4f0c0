"""Streak documents: what counts for a streak, and what protects a missed period."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field, structs

from plaudit.core.periods import Cadence
from plaudit.documents.base import Document, DocumentId, DocumentKind, MetricAmount, Reference
from plaudit.documents.conditions import check_conditions
from plaudit.documents.dialects import read_campaign, read_parts
from plaudit.documents.effect import EffectSpec, check_effects, effect_amounts, effect_references
from plaudit.documents.listening import TRIGGERS_MAX, TriggerSpec
from plaudit.errors import FieldError

from .state import KIND

Count = Annotated[int, Meta(ge=0, le=1_000)]


class PriceSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """A price: an amount of a metric."""

    metric: DocumentId = "points"
    amount: Annotated[int, Meta(ge=1, le=10**9)] | Annotated[float, Meta(gt=0, le=10**9)]


class Freezes(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Freezes, each of which protects one missed period.

    `maximum`: how many a member can hold. `atStart`: how many a member starts with. `automatic`: a missed period uses
    a freeze automatically; otherwise the member picks the day in advance. `price`: the price of one freeze.
    """

    maximum: Count = 2
    at_start: Count = 0
    automatic: bool = True
    price: PriceSpec | None = None


class Repair(Struct, kw_only=True, forbid_unknown_fields=True):
    """How a broken streak can be repaired: within `days`, for `price`."""

    days: Annotated[int, Meta(ge=1, le=366)]
    price: PriceSpec | None = None


class Pause(Struct, kw_only=True, forbid_unknown_fields=True):
    """A pause from `start` to `end` (local days, inclusive), during which no member misses a period."""

    start: date
    end: date


class MilestoneSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """Effects when a run reaches `length`, once per run."""

    length: Annotated[int, Meta(ge=1, le=100_000)]
    effects: list[EffectSpec] = field(default_factory=list[EffectSpec])


class Streak(Document, kw_only=True):
    """How many days, weeks or months in a row a member is active, in their own time zone.

    A period counts when it has `threshold` actions that match a trigger. A check-in, by the effect `check_in` or the
    API, counts as an action. The time zone is the member's `timezone`, or else the organisation's. `graceHours`: extra
    time after a period to make up for a miss.
    """

    status: Literal["draft", "active", "paused", "archived"] = "active"
    cadence: Cadence = Cadence.daily
    triggers: list[TriggerSpec] = field(default_factory=list[TriggerSpec])
    threshold: Annotated[int, Meta(ge=1, le=1_000)] = 1
    grace_hours: Annotated[int, Meta(ge=0, le=24)] = 0
    freezes: Freezes | None = None
    repair: Repair | None = None
    pauses: Annotated[list[Pause], Meta(max_length=100)] = field(default_factory=list[Pause])
    milestones: Annotated[list[MilestoneSpec], Meta(max_length=100)] = field(default_factory=list[MilestoneSpec])


class StreakPart(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The streak of a campaign of type `Streak`. The campaign's `triggers` extend it."""

    cadence: Cadence = Cadence.daily
    threshold: Annotated[int, Meta(ge=1, le=1_000)] = 1
    grace_hours: Annotated[int, Meta(ge=0, le=24)] = 0
    freezes: Freezes | None = None
    repair: Repair | None = None
    pauses: Annotated[list[Pause], Meta(max_length=100)] = field(default_factory=list[Pause])
    milestones: Annotated[list[MilestoneSpec], Meta(max_length=100)] = field(default_factory=list[MilestoneSpec])


def check_terms(terms: Streak | StreakPart) -> list[FieldError]:
    """Return the errors in a streak's terms, which documents and parts of campaigns have in common."""
    wrong: list[FieldError] = []
    for i, milestone in enumerate(terms.milestones):
        wrong += [error.under(f"milestones[{i}]") for error in check_effects(milestone.effects)]
    for i, pause in enumerate(terms.pauses):
        if pause.end < pause.start or (pause.end - pause.start).days > 3_660:
            wrong.append(FieldError(f"pauses[{i}].end", "must be on or after start, and at most ten years after it"))
    if terms.freezes is not None and terms.freezes.at_start > terms.freezes.maximum:
        wrong.append(FieldError("freezes.atStart", "must be at most maximum"))
    return wrong


def terms_references(terms: Streak | StreakPart, under: str = "") -> list[Reference]:
    """Return the references in a streak's terms."""
    references: list[Reference] = []
    for i, milestone in enumerate(terms.milestones):
        references += [
            structs.replace(reference, field=f"{under}milestones[{i}].{reference.field}")
            for reference in effect_references(milestone.effects)
        ]
    for name, priced in (("freezes", terms.freezes), ("repair", terms.repair)):
        if priced is not None and priced.price is not None:
            references.append(Reference(f"{under}{name}.price.metric", "metric", priced.price.metric))
    return references


def terms_amounts(terms: Streak | StreakPart, under: str = "") -> list[MetricAmount]:
    """Return the metric amounts in a streak's terms: the prices, and the effects of milestones."""
    amounts = [
        MetricAmount(f"{under}{name}.price.amount", priced.price.metric, priced.price.amount)
        for name, priced in (("freezes", terms.freezes), ("repair", terms.repair))
        if priced is not None and priced.price is not None
    ]
    for i, milestone in enumerate(terms.milestones):
        amounts += effect_amounts(milestone.effects, f"{under}milestones[{i}].")
    return amounts


def _check(streak: Streak) -> Sequence[FieldError]:
    wrong: list[FieldError] = []
    if len(streak.triggers) > TRIGGERS_MAX:
        wrong.append(FieldError("triggers", f"may have at most {TRIGGERS_MAX} items"))
    for i, trigger in enumerate(streak.triggers):
        wrong += check_conditions(trigger.conditions, f"triggers[{i}].conditions")
    return wrong + check_terms(streak)


def _references(streak: Streak) -> Sequence[Reference]:
    triggers = [
        Reference(f"triggers[{i}].type", "trigger", trigger.type, required=False)
        for i, trigger in enumerate(streak.triggers)
    ]
    return triggers + terms_references(streak)


def _read(raw: dict[str, Any]) -> dict[str, Any]:
    """Translate the triggers and the milestones' effects to their stored form."""
    return read_parts(read_campaign(raw), "milestones")


DOCUMENT = DocumentKind(
    name=KIND,
    title="Streak",
    collection="streaks",
    id_field="streakId",
    id_prefix="str_",
    type=Streak,
    filters=("status", "cadence"),
    fixed=("cadence",),  # members' periods are numbered by it
    check=_check,
    references=_references,
    amounts=terms_amounts,
    read=_read,
)
