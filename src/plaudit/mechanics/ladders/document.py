"""Ladder documents: rungs that members climb by earning a metric."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field, structs

from plaudit.documents.base import Document, DocumentId, DocumentKind, MetricAmount, Name, Reference
from plaudit.documents.dialects import read_parts
from plaudit.documents.effect import EffectSpec, check_effects, effect_amounts, effect_references
from plaudit.documents.metric import Bound
from plaudit.errors import FieldError

from .state import KIND


class RungSpec(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A rung. A member needs `threshold` to reach it, and has its `perks` while on it.

    `effects` run when a member reaches the rung; with `effectsOnce`, only the first time.
    """

    rung_id: DocumentId
    name: Name
    threshold: Bound
    perks: list[Annotated[str, Meta(max_length=500)]] = field(default_factory=list[str])
    effects: list[EffectSpec] = field(default_factory=list[EffectSpec])
    effects_once: bool = True


class LadderWindow(Struct, kw_only=True, forbid_unknown_fields=True):
    """The window whose earnings count: all time, a calendar year, a membership year, or the last `days` days."""

    type: Literal["all_time", "calendar_year", "membership_year", "rolling"] = "all_time"
    days: Annotated[int, Meta(ge=1, le=1_100)] | None = None


class Ladder(Document, kw_only=True):
    """Rungs that members climb by earning a metric.

    Members move up immediately, and down only at the end of a window, after `graceDays`. `softLanding`: they move down
    by at most one rung.
    """

    status: Literal["active", "archived"] = "active"
    metric: DocumentId = "points"
    window: LadderWindow = field(default_factory=LadderWindow)
    rungs: Annotated[list[RungSpec], Meta(min_length=1, max_length=50)]
    soft_landing: bool = False
    grace_days: Annotated[int, Meta(ge=0, le=366)] = 0


def _check(ladder: Ladder) -> Sequence[FieldError]:
    wrong: list[FieldError] = []
    if (ladder.window.type == "rolling") != (ladder.window.days is not None):
        wrong.append(FieldError("window.days", "is required for a rolling window, and not allowed otherwise"))
    for i, (lower, higher) in enumerate(pairwise(ladder.rungs)):
        if higher.threshold <= lower.threshold:
            wrong.append(
                FieldError(f"rungs[{i + 1}].threshold", "must be greater than the threshold of the rung below")
            )
    if len({rung.rung_id for rung in ladder.rungs}) < len(ladder.rungs):
        wrong.append(FieldError("rungs", "must have distinct ids"))
    for i, rung in enumerate(ladder.rungs):
        wrong += [error.under(f"rungs[{i}]") for error in check_effects(rung.effects)]
    return wrong


def _references(ladder: Ladder) -> Sequence[Reference]:
    references = [Reference("metric", "metric", ladder.metric)]
    for i, rung in enumerate(ladder.rungs):
        references += [
            structs.replace(reference, field=f"rungs[{i}].{reference.field}")
            for reference in effect_references(rung.effects)
        ]
    return references


def _amounts(ladder: Ladder) -> Sequence[MetricAmount]:
    amounts = [
        MetricAmount(f"rungs[{i}].threshold", ladder.metric, rung.threshold) for i, rung in enumerate(ladder.rungs)
    ]
    for i, rung in enumerate(ladder.rungs):
        amounts += effect_amounts(rung.effects, f"rungs[{i}].")
    return amounts


def _refills(old: dict[str, Any] | None, new: dict[str, Any]) -> bool:
    return new["status"] == "active" and (old is None or _rules_of(old) != _rules_of(new))


def _rules_of(doc: dict[str, Any]) -> tuple[Any, ...]:
    """Return the fields on which members' places depend."""
    rungs = [(rung["rungId"], rung["threshold"]) for rung in doc["rungs"]]
    return rungs, *(doc[name] for name in ("status", "metric", "window", "softLanding", "graceDays"))


def _read(raw: dict[str, Any]) -> dict[str, Any]:
    """Translate the rungs' effects to their stored form."""
    return read_parts(dict(raw), "rungs")


DOCUMENT = DocumentKind(
    name=KIND,
    title="Ladder",
    collection="ladders",
    id_field="ladderId",
    id_prefix="lad_",
    type=Ladder,
    filters=("status", "metric"),
    check=_check,
    references=_references,
    amounts=_amounts,
    refills=_refills,
    read=_read,
)
