"""Compiles competitions from their documents, so that nothing has to be parsed or looked up while an event is decided."""

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
    """Compile a programme's competitions: its documents, and the rankings that are parts of campaigns."""
    campaigns = documents["campaign"]
    by_id = {
        campaign_id: compile_competition(campaign_id, competition, metrics, campaigns[campaign_id])
        for campaign_id, competition in competitions_of_campaigns(campaigns).items()
    }
    by_id |= {
        competition_id: compile_competition(competition_id, competition, metrics)
        for competition_id, competition in documents[KIND].items()
    }
    by_trigger: dict[str, list[MechanicListener]] = defaultdict(list)
    by_metric: dict[str, list[MechanicListener]] = defaultdict(list)
    for competition_id, competition in by_id.items():
        listener = MechanicListener(mechanic=KIND, target=competition, cause=cause_of(competition_id))
        for listeners, name in ((by_trigger, competition.trigger), (by_metric, competition.metric)):
            if name is not None and competition.active:
                listeners[name].append(listener)
    has_rankings = any(competition.is_ranking for competition in by_id.values())
    return CompiledDocuments(by_id, by_trigger, by_metric, frozenset({STANDINGS}) if has_rankings else frozenset())


def all_documents(documents: DocumentsByKind) -> Mapping[str, Competition]:
    """Return a programme's competitions as documents, including those that are parts of campaigns."""
    return {**competitions_of_campaigns(documents["campaign"]), **documents[KIND]}


def compile_competition(
    competition_id: str, competition: Competition, metrics: Mapping[str, Metric], campaign: Any = None
) -> compiled.Competition:
    """Compile a competition. One that is part of a `campaign` is active while the campaign is."""
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
    """Return the rankings that are parts of campaigns, by the campaigns' ids. A paused one is a draft: hidden, and closed."""
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
