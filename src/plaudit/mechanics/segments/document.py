"""Segments: groups of members, listed or by criteria."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from plaudit.core.conditions import ConditionError
from plaudit.core.operators import OPERATORS, OperatorError
from plaudit.documents.as_meant import ListedId
from plaudit.documents.base import Document, DocumentKind, MemberField, Reference
from plaudit.documents.conditions import check_conditions
from plaudit.documents.listening import TriggerKey
from plaudit.errors import FieldError
from plaudit.mechanics.base import CriterionInWords

from .state import KIND

CRITERIA_MAX = 50


class TallySpec(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The events to count: trigger, conditions, and `withinDays` local days including today (default: all time)."""

    trigger: TriggerKey
    conditions: list[Any] | dict[str, Any] | None = None
    field: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    within_days: Annotated[int, Meta(ge=1, le=3_660)] | None = None


class CriterionSpec(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Compare a member `field`, or a number from their events: `count`, `sum` of a field, `daysSince` the last."""

    operator: str
    value: Any = None
    field: MemberField | None = None
    count: TallySpec | None = None
    sum: TallySpec | None = None
    days_since: TallySpec | None = None

    def tally(self) -> tuple[str, TallySpec] | None:
        """Return the events that it counts, or None."""
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
            wrong += _wrong_with(criterion, f"{side}[{i}]")
    return wrong


def _wrong_with(criterion: CriterionSpec, at: str) -> list[FieldError]:
    given = [criterion.field, criterion.count, criterion.sum, criterion.days_since]
    if given.count(None) != len(given) - 1:
        return [FieldError(at, "must have exactly one of field, count, sum and daysSince")]
    operator = OPERATORS.get(criterion.operator)
    if operator is None:
        return [FieldError(f"{at}.operator", f"must be one of {', '.join(OPERATORS)} (got {criterion.operator!r})")]
    try:
        operator.compile(criterion.value)
    except (OperatorError, ConditionError) as error:
        return [FieldError(f"{at}.value", f"{error} (for {operator.name})")]
    found = criterion.tally()
    if found is None:
        return []
    name, spec = found
    wrong = check_conditions(spec.conditions, f"{at}.{_outside(name)}.conditions")
    if (name == "sum") != (spec.field is not None):
        wrong.append(FieldError(f"{at}.{_outside(name)}.field", "is required for a sum, and not allowed otherwise"))
    if name == "days_since" and spec.within_days is not None:
        wrong.append(FieldError(f"{at}.daysSince.withinDays", "is only allowed for count and sum"))
    return wrong


def _outside(name: str) -> str:
    return "daysSince" if name == "days_since" else name


def _references(segment: Segment) -> Sequence[Reference]:
    return [
        Reference(f"{side}[{i}].{_outside(found[0])}.trigger", "trigger", found[1].trigger, required=False)
        for side, criteria in (("include", segment.include), ("exclude", segment.exclude))
        for i, criterion in enumerate(criteria)
        if (found := criterion.tally()) is not None
    ]


def in_words(criterion: CriterionSpec) -> CriterionInWords:
    """Return a criterion in words."""
    what = criterion.field or ""
    counted = criterion.tally()
    if counted is not None:
        name, tally = counted
        of = f"{name.replace('_', ' ')} of {tally.trigger}" + (f" ({tally.field})" if tally.field else "")
        what = of if tally.within_days is None else f"{of} within {tally.within_days} days"
    return CriterionInWords(what, criterion.operator, criterion.value)


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
