"""Compiles streaks from their documents, so that nothing has to be parsed or looked up while an event is decided."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec import structs

from plaudit.core.conditions import All, compile_conditions
from plaudit.core.metrics import Metric, to_scaled
from plaudit.core.periods import within_calendar
from plaudit.core.program import MechanicListener
from plaudit.core.typed import Open
from plaudit.documents.compile_effects import audience_of, compile_effect
from plaudit.mechanics.base import CompiledDocuments, DocumentsByKind

from . import compiled
from .document import PriceSpec, Streak
from .state import KIND, cause_of


def compile_streaks(documents: DocumentsByKind, metrics: Mapping[str, Metric]) -> CompiledDocuments:
    """Compile a programme's streaks: its documents, and the streaks that are parts of campaigns."""
    campaigns, own = documents["campaign"], documents[KIND]
    streaks = all_documents(documents)
    by_id = {streak_id: compile_streak(streak_id, streak, metrics) for streak_id, streak in streaks.items()}
    listeners: dict[str, list[MechanicListener]] = defaultdict(list)
    for streak_id, streak in streaks.items():
        if streak.status != "active":
            continue
        for index, trigger in enumerate(streak.triggers):
            condition, _ = compile_conditions(trigger.conditions)
            if streak_id not in own:
                condition = All((_open(campaigns[streak_id]), condition))
            listeners[trigger.type].append(
                MechanicListener(
                    mechanic=KIND, target=by_id[streak_id], cause=cause_of(streak_id), number=index, condition=condition
                )
            )
    return CompiledDocuments(by_id, listeners)


def all_documents(documents: DocumentsByKind) -> Mapping[str, Streak]:
    """Return a programme's streaks as documents, including those that are parts of campaigns."""
    own, parts = documents[KIND], _parts_of_campaigns(documents["campaign"])
    return {**own, **{streak_id: streak for streak_id, streak in parts.items() if streak_id not in own}}


def _parts_of_campaigns(campaigns: Mapping[str, Any]) -> dict[str, Streak]:
    """Return the streaks that are parts of campaigns, by the campaigns' ids."""
    return {
        campaign_id: Streak(
            name=campaign.name,
            status="active" if campaign.listens else "paused",
            triggers=campaign.triggers,
            **structs.asdict(campaign.streak),
        )
        for campaign_id, campaign in campaigns.items()
        if campaign.streak is not None
    }


def _open(campaign: Any) -> Open:
    return Open(
        within_calendar(campaign.start_date), within_calendar(campaign.end_date), audience_of(campaign.segments)
    )


def compile_streak(streak_id: str, streak: Streak, metrics: Mapping[str, Metric]) -> compiled.Streak:
    """Compile a streak."""
    freezes, repair = streak.freezes, streak.repair
    return compiled.Streak(
        streak_id=streak_id,
        name=streak.name,
        active=streak.status == "active",
        cadence=streak.cadence,
        threshold=streak.threshold,
        grace=timedelta(hours=streak.grace_hours),
        freezes_max=freezes.maximum if freezes else 0,
        freezes_at_start=freezes.at_start if freezes else 0,
        freezes_automatic=freezes.automatic if freezes else True,
        freeze_price=_price(freezes.price, metrics) if freezes else None,
        repair_days=repair.days if repair else 0,
        repair_price=_price(repair.price, metrics) if repair else None,
        pauses=tuple((pause.start, pause.end) for pause in streak.pauses),
        milestones=tuple(
            compiled.Milestone(
                milestone_spec.length, tuple(compile_effect(spec, metrics) for spec in milestone_spec.effects)
            )
            for milestone_spec in sorted(streak.milestones, key=lambda milestone: milestone.length)
        ),
    )


def _price(price: PriceSpec | None, metrics: Mapping[str, Metric]) -> compiled.Price | None:
    if price is None:
        return None
    metric = metrics.get(price.metric)
    return compiled.Price(price.metric, to_scaled(price.amount, metric.decimals if metric else 0) or 0)
