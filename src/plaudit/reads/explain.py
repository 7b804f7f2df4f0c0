"""A trace in words: which campaign listened, which condition held or failed with which value, what was done.

The trace names conditions and effects by number; the programme that judged the event says what they are.
"""

from collections.abc import Mapping
from typing import Any

from plaudit.core.conditions import Formula, Leaf, compile_conditions
from plaudit.core.decision import Check, Considered, EffectTrace
from plaudit.core.event import MANUAL_GRANT_CAMPAIGN
from plaudit.core.goals import SUM_DECIMALS
from plaudit.core.metrics import shown
from plaudit.core.next_at import ENDS_BY_ITSELF
from plaudit.documents.campaign import Campaign
from plaudit.documents.rule import Rule
from plaudit.documents.segment import CriterionSpec
from plaudit.engine.outcome import Outcome
from plaudit.storage.programs import Live

Json = dict[str, Any]


def explained(live: Live, trigger: str, outcome: Outcome) -> list[Json]:
    """What each campaign made of an event, in the order in which they were considered."""
    return [_campaign(live, trigger, one) for one in outcome.trace]


def _campaign(live: Live, trigger: str, one: Considered) -> Json:
    found: Json = {
        "campaignId": one.campaign_id,
        "trigger": one.trigger or trigger,
        "fired": one.refusal is None,
        "reason": one.refusal,
    }
    if one.campaign_id == MANUAL_GRANT_CAMPAIGN:
        return found | {"effects": [_effect("grant_reward", effect) for effect in one.effects]}
    document = live.campaigns.get(one.campaign_id)
    if document is None:
        return found | _mechanic(live, one)
    tree, types, rule_id = _step(live, document, one)
    found["name"] = document.name
    if rule_id is not None:
        found["ruleId"] = rule_id
    _, leaves = compile_conditions(tree)
    found["conditions"] = [_check(leaves[check.leaf], check) for check in one.checks]
    found["effects"] = [_effect(types[effect.index], effect) for effect in one.effects]
    if one.refusal in ENDS_BY_ITSELF and one.progress:
        found |= one.progress
    if document.steps:
        found["step"] = {"number": one.step, "name": document.steps[one.step].name} | _progress(document, one)
    return found


def _mechanic(live: Live, one: Considered) -> Json:
    """What a streak, a ladder, a segment, a competition or a command made of an event."""
    kind, _, name = one.campaign_id.partition(".")
    known: Mapping[str, Any] = getattr(live.program, f"{kind}s", {}) if kind in _MECHANICS else {}
    found: Json = {"kind": kind}
    if name in known:
        found |= {f"{kind}Id": name, "name": known[name].name if hasattr(known[name], "name") else name}
    if one.progress is not None:
        found[kind] = one.progress
    if kind == "segment" and name in live.segments:
        criteria = [*live.segments[name].include, *live.segments[name].exclude]
        found["conditions"] = [_criterion(criteria[check.leaf], check) for check in one.checks]
    found["effects"] = [_effect(None, effect) for effect in one.effects]
    return found


_MECHANICS = ("streak", "ladder", "segment", "competition")


def _criterion(criterion: CriterionSpec, check: Check) -> Json:
    """A criterion of a segment in words."""
    counted = criterion.tally()
    what = criterion.field or ""
    if counted is not None:
        name, tally = counted
        of = f"{name.replace('_', ' ')} of {tally.trigger}" + (f" ({tally.field})" if tally.field else "")
        what = of if tally.within_days is None else f"{of} within {tally.within_days} days"
    verdict = "held" if check.held else "failed"
    value = _text(criterion.value)
    return {
        "field": what,
        "operator": criterion.operator,
        "value": criterion.value,
        "actual": check.actual,
        "held": check.held,
        "sentence": f"{what} {criterion.operator} {value} {verdict} with {_text(check.actual)}",
    }


def _progress(campaign: Campaign, one: Considered) -> Json:
    """How far the step is after the event, in the goal's own unit."""
    progress: Json = one.progress or {}
    if "current" not in progress:
        return {}
    decimals = SUM_DECIMALS if campaign.steps[one.step].goal.type == "sum" else 0
    shown_progress = {name: shown(progress[name], decimals) for name in ("current", "target")}
    rest = {name: value for name, value in progress.items() if name not in shown_progress}
    return {**shown_progress, **rest}


def _step(live: Live, campaign: Campaign, one: Considered) -> tuple[Any, list[str], str | None]:
    """The conditions and the types of effects that were considered, and the rule that they stand in."""
    if campaign.steps:
        step = campaign.steps[one.step]
        return step.triggers[one.listener].conditions, [spec.type for spec in (*step.effects, *campaign.effects)], None
    if campaign.simplified_mode:
        types = [effect.type for effect in campaign.effects]
        return campaign.triggers[one.listener].conditions, types, None
    rules: list[tuple[str, Rule]] = [
        (rule_id, rule) for rule_id, rule in live.rules.items() if rule.campaign_id == one.campaign_id
    ]
    rule_id, rule = rules[one.step]
    return rule.conditions, [effect.type for effect in rule.effects], rule_id


def _check(leaf: Leaf | Formula, check: Check) -> Json:
    verdict = "held" if check.held else "failed"
    if isinstance(leaf, Formula):
        sentence = f"{leaf.source} {verdict} with {_text(check.actual)}"
        return {"expression": leaf.source, "actual": check.actual, "held": check.held, "sentence": sentence}
    value = "" if leaf.operator.value == "none" else f" {_text(leaf.value)}"
    return {
        "field": leaf.field,
        "operator": leaf.operator.name,
        "value": leaf.value,
        "actual": check.actual,
        "held": check.held,
        "sentence": f"{leaf.field} {leaf.operator.name}{value} {verdict} with {_text(check.actual)}",
    }


def _text(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _effect(kind: str | None, effect: EffectTrace) -> Json:
    outcome: Any = effect.outcome
    found: Json = {"type": kind, "done": effect.refusal is None, "reason": effect.refusal}
    if isinstance(outcome, Mapping):
        return found | {"outcome": dict(outcome)}  # pyright: ignore[reportUnknownArgumentType]
    return found | {"outcome": outcome}
