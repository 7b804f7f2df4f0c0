"""Compiles the active ladders from their documents."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from plaudit.core.metrics import Metric, to_scaled
from plaudit.core.program import MechanicListener
from plaudit.documents.compile_effects import compile_effect
from plaudit.mechanics.base import CompiledDocuments

from . import compiled
from .document import Ladder
from .state import KIND


def compile_ladders(documents: Mapping[str, Any], metrics: Mapping[str, Metric]) -> CompiledDocuments:
    """Compile a programme's active ladders, and list those that count each metric's earnings."""
    by_id = {
        ladder_id: _compile_ladder(ladder_id, ladder, metrics)
        for ladder_id, ladder in documents.items()
        if ladder.status == "active"
    }
    earning: dict[str, list[MechanicListener]] = defaultdict(list)
    for ladder in by_id.values():
        earning[ladder.metric].append(MechanicListener(mechanic=KIND, target=ladder, cause=ladder.cause))
    return CompiledDocuments(by_id, earning=earning)


def _compile_ladder(ladder_id: str, ladder: Ladder, metrics: Mapping[str, Metric]) -> compiled.Ladder:
    metric = metrics.get(ladder.metric)
    rungs = tuple(
        compiled.Rung(
            rung_id=rung.rung_id,
            name=rung.name,
            threshold=to_scaled(rung.threshold, metric.decimals if metric else 0) or 0,
            perks=tuple(rung.perks),
            effects=tuple(compile_effect(spec, metrics) for spec in rung.effects),
            effects_once=rung.effects_once,
        )
        for rung in ladder.rungs
    )
    return compiled.Ladder(
        ladder_id=ladder_id,
        name=ladder.name,
        metric=ladder.metric,
        rungs=rungs,
        window=ladder.window.type,
        days=ladder.window.days,
        soft_landing=ladder.soft_landing,
        grace_days=ladder.grace_days,
        rung_ids=tuple(rung.rung_id for rung in rungs),
    )
