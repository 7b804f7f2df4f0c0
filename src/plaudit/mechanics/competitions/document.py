"""Competition documents: contests by score, in leagues, or by entries and a draw."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field, structs

from plaudit.documents.base import (
    Document,
    DocumentId,
    DocumentKind,
    Instant,
    MetricAmount,
    ProfileFieldName,
    Reference,
)
from plaudit.documents.conditions import check_conditions
from plaudit.documents.dialects import read_parts
from plaudit.documents.effect import AudienceSpec, EffectSpec, check_effects, effect_amounts, effect_references
from plaudit.documents.lenient import ListedId
from plaudit.documents.listening import TriggerKey
from plaudit.errors import FieldError

from .state import KIND

Rank = Annotated[int, Meta(ge=1, le=100_000)]


class Score(Struct, kw_only=True, forbid_unknown_fields=True):
    """The score of a ranking: earnings of a `metric`, or events of a `trigger`, counted or summed by `field`."""

    metric: DocumentId | None = None
    trigger: TriggerKey | None = None
    conditions: list[Any] | dict[str, Any] | None = None
    field: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class PrizeSpec(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The prize for ranks `fromRank` to `toRank`: its `effects` run for each of their members."""

    from_rank: Rank
    to_rank: Rank
    effects: Annotated[list[EffectSpec], Meta(min_length=1)]


class Leagues(Struct, kw_only=True, forbid_unknown_fields=True):
    """A league: divisions, lowest first, in rounds of a calendar `period`. New members start in the lowest division.

    After each round, the top `promote` members of a division move up, and of the others who scored, the bottom
    `relegate` move down. In the top division only the winner is safe from relegation. With one division nobody moves.
    """

    divisions: Annotated[list[DocumentId], Meta(min_length=1, max_length=50)]
    period: Literal["day", "week", "month"] = "week"
    promote: Annotated[int, Meta(ge=0, le=100_000)] = 10
    relegate: Annotated[int, Meta(ge=0, le=100_000)] = 10


class Competition(Document, kw_only=True):
    """A contest by score, in leagues, or by entries and a draw.

    While it is active, scores and entries count from `startDate` until just before `endDate`. `scopeField`: the profile
    field that divides the leaderboard. `settleAfterMinutes`: how long to wait for late events before `prizes` are
    paid. `excludedUserIds` and members outside `segments` do not compete.
    """

    status: Literal["draft", "active", "completed", "archived"] = "active"
    start_date: Instant | None = None
    end_date: Instant | None = None
    score: Score | None = None
    leagues: Leagues | None = None
    scope_field: ProfileFieldName | None = None
    prizes: Annotated[list[PrizeSpec], Meta(max_length=100)] = field(default_factory=list[PrizeSpec])
    excluded_user_ids: Annotated[list[ListedId], Meta(max_length=10_000)] = field(default_factory=list[str])
    segments: AudienceSpec | None = None
    settle_after_minutes: Annotated[int, Meta(ge=0, le=10_080)] = 5


class CompetitionPart(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The ranking of a campaign of type `Competition`, within the campaign's dates and for its segments.

    `excludedUserIds` do not compete.
    """

    score: Score | None = None
    leagues: Leagues | None = None
    scope_field: ProfileFieldName | None = None
    prizes: Annotated[list[PrizeSpec], Meta(max_length=100)] = field(default_factory=list[PrizeSpec])
    excluded_user_ids: Annotated[list[ListedId], Meta(max_length=10_000)] = field(default_factory=list[str])
    settle_after_minutes: Annotated[int, Meta(ge=0, le=10_080)] = 5


def check_ranking(terms: Competition | CompetitionPart, ends_at: datetime | None) -> list[FieldError]:
    """Return the errors in the terms of a ranking that ends at `ends_at`."""
    wrong: list[FieldError] = []
    score, leagues = terms.score, terms.leagues
    if score is not None and (score.metric is None) == (score.trigger is None):
        wrong.append(FieldError("score", "must have exactly one of metric and trigger"))
    if score is not None and score.trigger is None and (score.field or score.conditions):
        wrong.append(FieldError("score.field", "is only allowed with score.trigger"))
    if score is not None:
        wrong += check_conditions(score.conditions, "score.conditions")
    if terms.prizes and (score is None or (ends_at is None and leagues is None)):
        wrong.append(FieldError("prizes", "are only allowed for a ranking with an endDate, or with leagues"))
    if leagues is not None and (score is None or terms.scope_field is not None):
        wrong.append(FieldError("leagues", "cannot be combined with scopeField: the divisions divide the board"))
    if leagues is not None and len(set(leagues.divisions)) < len(leagues.divisions):
        wrong.append(FieldError("leagues.divisions", "must be distinct"))
    for i, prize in enumerate(terms.prizes):
        if prize.to_rank < prize.from_rank:
            wrong.append(FieldError(f"prizes[{i}].toRank", "must be at least fromRank"))
        wrong += [error.under(f"prizes[{i}]") for error in check_effects(prize.effects)]
    return wrong


def ranking_references(terms: Competition | CompetitionPart, under: str = "") -> list[Reference]:
    """Return the references in a ranking's score and prizes."""
    references: list[Reference] = []
    score = terms.score
    if score is not None and score.metric is not None:
        references.append(Reference(f"{under}score.metric", "metric", score.metric))
    if score is not None and score.trigger is not None:
        references.append(Reference(f"{under}score.trigger", "trigger", score.trigger, required=False))
    for i, prize in enumerate(terms.prizes):
        references += [
            structs.replace(reference, field=f"{under}prizes[{i}].{reference.field}")
            for reference in effect_references(prize.effects)
        ]
    return references


def prize_amounts(terms: Competition | CompetitionPart, under: str = "") -> list[MetricAmount]:
    """Return the metric amounts in a ranking's prizes."""
    return [
        amount
        for i, prize in enumerate(terms.prizes)
        for amount in effect_amounts(prize.effects, f"{under}prizes[{i}].")
    ]


def _check(competition: Competition) -> Sequence[FieldError]:
    start, end = competition.start_date, competition.end_date
    wrong = [FieldError("endDate", "must be after startDate")] if start and end and end <= start else []
    return wrong + check_ranking(competition, end)


def _references(competition: Competition) -> Sequence[Reference]:
    audience = competition.segments.references("segments") if competition.segments is not None else []
    return ranking_references(competition) + audience


def _read(raw: dict[str, Any]) -> dict[str, Any]:
    """Translate the prizes' effects to their stored form."""
    return read_parts(dict(raw), "prizes")


DOCUMENT = DocumentKind(
    name=KIND,
    title="Competition",
    collection="competitions",
    id_field="competitionId",
    id_prefix="comp_",
    type=Competition,
    filters=("status",),
    fixed=("score", "leagues"),  # members' standings depend on them
    check=_check,
    references=_references,
    amounts=prize_amounts,
    read=_read,
)
