"""Competitions out of their documents: everything that can be looked up or parsed beforehand is, once per change."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from msgspec import structs

from plaudit.core.conditions import compile_conditions
from plaudit.core.fields import getter_of
from plaudit.core.metrics import Metric
from plaudit.core.periods import Period, within_calendar
from plaudit.core.program import MechanicListener
from plaudit.documents.compile_effects import audience_of, compile_effect
from plaudit.mechanics.base import CompiledDocuments, DocumentsByKind

from . import compiled
from .document import Competition, Leagues
from .state import KIND, STANDINGS, cause_of


def compile_competitions(documents: DocumentsByKind, metrics: Mapping[str, Metric]) -> CompiledDocuments:
    """Return the competitions of a programme: those that campaigns have as a part, and those that are documents."""
    campaigns = documents["campaign"]
    by_id = {
        key: compile_competition(key, competition, metrics, campaigns[key])
        for key, competition in competitions_of_campaigns(campaigns).items()
    }
    by_id |= {key: compile_competition(key, competition, metrics) for key, competition in documents[KIND].items()}
    by_trigger: dict[str, list[MechanicListener]] = defaultdict(list)
    by_metric: dict[str, list[MechanicListener]] = defaultdict(list)
    for key, competition in by_id.items():
        for listeners, name in ((by_trigger, competition.trigger), (by_metric, competition.metric)):
            if name is not None and competition.active:
                listeners[name].append(MechanicListener(mechanic=KIND, target=competition, cause=cause_of(key)))
    has_rankings = any(competition.is_ranking for competition in by_id.values())
    return CompiledDocuments(by_id, by_trigger, by_metric, frozenset({STANDINGS}) if has_rankings else frozenset())


def all_documents(documents: DocumentsByKind) -> Mapping[str, Competition]:
    """Return the competitions of a programme as documents: those that campaigns have as a part, and the others."""
    return {**competitions_of_campaigns(documents["campaign"]), **documents[KIND]}


def compile_competition(
    competition_id: str, competition: Competition, metrics: Mapping[str, Metric], campaign: Any = None
) -> compiled.Competition:
    """A competition; one that is a part of a `campaign` counts while that listens."""
    score = competition.score
    return compiled.Competition(
        competition_id=competition_id,
        active=competition.status == "active" if campaign is None else campaign.listens,
        starts_at=within_calendar(competition.start_date),
        ends_at=within_calendar(competition.end_date),
        metric=score.metric if score else None,
        trigger=score.trigger if score else None,
        condition=compile_conditions(score.conditions)[0] if score and score.conditions else None,
        get=getter_of(score.field)[0] if score and score.field else None,
        scope_field=competition.scope_field,
        league=_league(competition.leagues),
        excluded=frozenset(competition.excluded_user_ids),
        audience=audience_of(competition.segments),
        prizes=tuple(
            compiled.Prize(
                prize.from_rank, prize.to_rank, tuple(compile_effect(spec, metrics) for spec in prize.effects)
            )
            for prize in competition.prizes
        ),
    )


def competitions_of_campaigns(campaigns: Mapping[str, Any]) -> dict[str, Competition]:
    """The rankings that campaigns have as a part, under the campaigns' ids. A paused one is not shown, and counts nothing."""
    return {
        campaign_id: Competition(
            name=campaign.name,
            description=campaign.description,
            status="draft" if campaign.status in ("draft", "paused") else campaign.status,
            start_date=campaign.start_date,
            end_date=campaign.end_date,
            segments=campaign.segments,
            **structs.asdict(campaign.competition),
        )
        for campaign_id, campaign in campaigns.items()
        if campaign.competition is not None and campaign.competition.score is not None
    }


def _league(leagues: Leagues | None) -> compiled.League | None:
    if leagues is None:
        return None
    return compiled.League(Period(leagues.period), tuple(leagues.divisions), leagues.promote, leagues.relegate)
