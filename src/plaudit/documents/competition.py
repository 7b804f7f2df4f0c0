"""Competitions: contests by entries, with a draw, or by a ranking, with prizes for its places."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field, structs

from plaudit.errors import FieldError

from .base import Document, DocumentId, DocumentKind, Instant, Reference
from .campaign import TriggerKey
from .conditions import check_conditions
from .dialects import read_competition
from .effect import AudienceSpec, EffectSpec, check_effects, effect_references

Rank = Annotated[int, Meta(ge=1, le=100_000)]


class Score(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is ranked: what is earned of a `metric`, or events of a `trigger`: how many, or the sum of a `field`."""

    metric: DocumentId | None = None
    trigger: TriggerKey | None = None
    conditions: list[Any] | dict[str, Any] | None = None
    field: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class Prize(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What the ranks `fromRank` to `toRank` win at the end."""

    from_rank: Rank
    to_rank: Rank
    effects: Annotated[list[EffectSpec], Meta(min_length=1)]


class Leagues(Struct, kw_only=True, forbid_unknown_fields=True):
    """Rounds of a calendar `period` in `divisions`, the lowest first, where everybody begins.

    After each round the first `promote` of a division go up, and the last `relegate` of those who scored go down.
    """

    divisions: Annotated[list[DocumentId], Meta(min_length=2, max_length=50)]
    period: Literal["day", "week", "month"] = "week"
    promote: Annotated[int, Meta(ge=0, le=100_000)] = 10
    relegate: Annotated[int, Meta(ge=0, le=100_000)] = 10


class Competition(Document, kw_only=True):
    """Entries and scores are taken from `startDate` until before `endDate`, while the competition is active.

    With a `score` it is a ranking, divided by `scopeField` of the profile, or into the divisions of `leagues`, and the `prizes` are paid
    `settleAfterMinutes` after the end, when what was late has come in. Those of `excludedUserIds`, and those outside
    the `segments`, do not take part.
    """

    status: Literal["draft", "active", "completed", "archived"] = "active"
    start_date: Instant | None = None
    end_date: Instant | None = None
    score: Score | None = None
    leagues: Leagues | None = None
    scope_field: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    prizes: Annotated[list[Prize], Meta(max_length=100)] = field(default_factory=list[Prize])
    excluded_user_ids: Annotated[list[str], Meta(max_length=10_000)] = field(default_factory=list[str])
    segments: AudienceSpec | None = None
    settle_after_minutes: Annotated[int, Meta(ge=0, le=10_080)] = 5


def _check(competition: Competition) -> Sequence[FieldError]:
    wrong: list[FieldError] = []
    start, end, score = competition.start_date, competition.end_date, competition.score
    if start and end and end <= start:
        wrong.append(FieldError("endDate", "must be after startDate"))
    if score is not None and (score.metric is None) == (score.trigger is None):
        wrong.append(FieldError("score", "must have a metric or a trigger, and only one of them"))
    if score is not None and score.trigger is None and (score.field or score.conditions):
        wrong.append(FieldError("score.field", "is for a score by a trigger"))
    if score is not None:
        wrong += check_conditions(score.conditions, "score.conditions")
    leagues = competition.leagues
    if competition.prizes and (score is None or (end is None and leagues is None)):
        wrong.append(FieldError("prizes", "are for a ranking that has an endDate, or for leagues"))
    if leagues is not None and (score is None or competition.scope_field is not None):
        wrong.append(FieldError("leagues", "are for a ranking without a scopeField: its divisions divide the board"))
    if leagues is not None and len(set(leagues.divisions)) < len(leagues.divisions):
        wrong.append(FieldError("leagues.divisions", "must be different from each other"))
    for i, prize in enumerate(competition.prizes):
        if prize.to_rank < prize.from_rank:
            wrong.append(FieldError(f"prizes[{i}].toRank", "must not be before fromRank"))
        wrong += [error.under(f"prizes[{i}]") for error in check_effects(prize.effects)]
    return wrong


def _references(competition: Competition) -> Sequence[Reference]:
    found: list[Reference] = []
    score = competition.score
    if score is not None and score.metric is not None:
        found.append(Reference("score.metric", "metric", score.metric))
    if score is not None and score.trigger is not None:
        found.append(Reference("score.trigger", "trigger", score.trigger, required=False))
    if competition.segments is not None:
        found += competition.segments.references("segments")
    for i, prize in enumerate(competition.prizes):
        found += [structs.replace(one, field=f"prizes[{i}].{one.field}") for one in effect_references(prize.effects)]
    return found


KIND = DocumentKind(
    name="competition",
    title="Competition",
    collection="competitions",
    id_field="competitionId",
    id_prefix="comp_",
    type=Competition,
    filters=("status",),
    fixed=("score", "leagues"),  # standings are kept by it
    check=_check,
    references=_references,
    read=read_competition,
)
