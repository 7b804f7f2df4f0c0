"""Segment documents: groups of members, listed or defined by criteria."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from plaudit.core.conditions import ConditionError
from plaudit.core.operators import OPERATORS, OperatorError
from plaudit.documents.base import Document, DocumentKind, MemberField, Reference
from plaudit.documents.conditions import check_conditions
from plaudit.documents.lenient import ListedId
from plaudit.documents.listening import TriggerKey
from plaudit.errors import FieldError
from plaudit.mechanics.base import CriterionInWords

from .state import KIND

CRITERIA_MAX = 50


class TallySpec(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The events to count: a trigger, conditions, and `withinDays` local days, including today (default: all time)."""

    trigger: TriggerKey
    conditions: list[Any] | dict[str, Any] | None = None
    field: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    within_days: Annotated[int, Meta(ge=1, le=3_660)] | None = None


class CriterionSpec(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A comparison of a member's `field`, or of a number from their events: `count`, `sum` or `daysSince` the last."""

    operator: str
    value: Any = None
    field: MemberField | None = None
    count: TallySpec | None = None
    sum: TallySpec | None = None
    days_since: TallySpec | None = None

    def tally(self) -> tuple[str, TallySpec] | None:
        """Return the criterion's tally and which number it is, or None if it compares a field."""
        for name in ("count", "sum", "days_since"):
            spec: TallySpec | None = getattr(self, name)
            if spec is not None:
                return name, spec
        return None


class Segment(Document, kw_only=True):
    """A group of members.

    `static`: a list (`userIds`) plus members added by hand. `dynamic`: members who meet all criteria in `include` and
    none in `exclude`. `url`: for information only.
    """

    type: Literal["static", "dynamic"] = "dynamic"
    status: Literal["active", "archived"] = "active"
    user_ids: Annotated[list[ListedId], Meta(max_length=100_000)] = field(default_factory=list[str])
    include: Annotated[list[CriterionSpec], Meta(max_length=CRITERIA_MAX)] = field(default_factory=list[CriterionSpec])
    exclude: Annotated[list[CriterionSpec], Meta(max_length=CRITERIA_MAX)] = field(default_factory=list[CriterionSpec])
    url: Annotated[str, Meta(max_length=2_000)] | None = None


def _check(segment: Segment) -> Sequence[FieldError]:
    wrong: list[FieldError] = []
    if segment.type == "static" and (segment.include or segment.exclude):
        wrong.append(FieldError("include", "is only allowed in a dynamic segment"))
    if segment.type == "dynamic" and segment.user_ids:
        wrong.append(FieldError("userIds", "is only allowed in a static segment"))
    if segment.type == "dynamic" and not segment.include and not segment.exclude:
        wrong.append(FieldError("include", "must not be empty"))
    for side, criteria in (("include", segment.include), ("exclude", segment.exclude)):
        for i, criterion in enumerate(criteria):
            wrong += _criterion_errors(criterion, f"{side}[{i}]")
    return wrong


def _criterion_errors(criterion: CriterionSpec, path: str) -> list[FieldError]:
    operands = [criterion.field, criterion.count, criterion.sum, criterion.days_since]
    if operands.count(None) != len(operands) - 1:
        return [FieldError(path, "must have exactly one of field, count, sum and daysSince")]
    operator = OPERATORS.get(criterion.operator)
    if operator is None:
        return [FieldError(f"{path}.operator", f"must be one of {', '.join(OPERATORS)} (got {criterion.operator!r})")]
    try:
        operator.compile(criterion.value)
    except (OperatorError, ConditionError) as error:
        return [FieldError(f"{path}.value", f"{error} (for {operator.name})")]
    named_tally = criterion.tally()
    if named_tally is None:
        return []
    name, tally = named_tally
    wrong = check_conditions(tally.conditions, f"{path}.{_field_name(name)}.conditions")
    if (name == "sum") != (tally.field is not None):
        wrong.append(
            FieldError(f"{path}.{_field_name(name)}.field", "is required for a sum, and not allowed otherwise")
        )
    if name == "days_since" and tally.within_days is not None:
        wrong.append(FieldError(f"{path}.daysSince.withinDays", "is only allowed for count and sum"))
    return wrong


def _field_name(name: str) -> str:
    return "daysSince" if name == "days_since" else name


def _references(segment: Segment) -> Sequence[Reference]:
    return [
        Reference(
            f"{side}[{i}].{_field_name(named_tally[0])}.trigger", "trigger", named_tally[1].trigger, required=False
        )
        for side, criteria in (("include", segment.include), ("exclude", segment.exclude))
        for i, criterion in enumerate(criteria)
        if (named_tally := criterion.tally()) is not None
    ]


def in_words(criterion: CriterionSpec) -> CriterionInWords:
    """Return a criterion in words."""
    subject = criterion.field or ""
    named_tally = criterion.tally()
    if named_tally is not None:
        name, tally = named_tally
        subject = f"{name.replace('_', ' ')} of {tally.trigger}" + (f" ({tally.field})" if tally.field else "")
        if tally.within_days is not None:
            subject += f" within {tally.within_days} days"
    return CriterionInWords(subject, criterion.operator, criterion.value)


DOCUMENT = DocumentKind(
    name=KIND,
    title="Segment",
    collection="segments",
    id_field="segmentId",
    id_prefix="seg_",
    type=Segment,
    filters=("type", "status"),
    personal=frozenset({"userIds"}),
    check=_check,
    references=_references,
)
