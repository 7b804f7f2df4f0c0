"""A trace in words: which campaign listened, which condition held or failed with which value, what was done.

The trace names conditions and effects by number; the programme that judged the event says what they are. Deciding stops
at the first condition that settles the matter: what the others came to is known if the event was decided `again`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from plaudit.core.cause import Cause, cause_fields
from plaudit.core.commands.registry import COMMANDS
from plaudit.core.conditions import ConditionError, Formula, Leaf, compile_conditions
from plaudit.core.decision import ConditionCheck, EffectTrace, Refusal, Trace
from plaudit.core.goals import SUM_DECIMALS
from plaudit.core.metrics import to_number
from plaudit.core.retry_at import RETRYABLE_REFUSALS
from plaudit.documents.campaign import Campaign
from plaudit.documents.effect import AudienceSpec, EffectSpec
from plaudit.documents.rule import Rule
from plaudit.engine.processed import Outcome
from plaudit.mechanics.base import CriterionInWords
from plaudit.mechanics.registry import MECHANICS
from plaudit.storage.programmes import Programme

from .decide_again import Again

Json = dict[str, Any]


def explained(programme: Programme, trigger: str, outcome: Outcome, again: Again | None = None) -> list[Json]:
    """What each campaign made of an event, in the order in which they were considered."""
    looked = outcome.trace if again is None else again.trace
    return [
        _campaign(programme, trigger, trace, other.checks[len(trace.checks) :], again)
        for trace, other in zip(outcome.trace, looked, strict=True)
    ]


def _campaign(
    programme: Programme, trigger: str, trace: Trace, more: list[ConditionCheck], again: Again | None
) -> Json:
    cause = trace.cause
    found: Json = {
        **cause_fields(cause),
        "trigger": trace.trigger or trigger,
        "fired": trace.refusal is None,
        "reason": trace.refusal,
    }
    if cause.kind in COMMANDS.effects:
        return found | {"effects": [_effect(COMMANDS.effects[cause.kind], effect) for effect in trace.effects]}
    if cause.campaign_id is None:
        return found | _mechanic(programme, cause, trace)
    document = programme.campaigns.get(cause.campaign_id)
    out = programme.out_of_force.get(("campaign", cause.campaign_id))
    if out is not None:
        found["outOfForce"] = out
    if document is None:
        return found | {"effects": [_effect(None, effect) for effect in trace.effects]}
    tree, specs, rule_id = _step(programme, document, trace)
    found["name"] = document.name
    if rule_id is not None:
        found["ruleId"] = rule_id
    found["conditions"] = conditions_in_words(tree, trace.checks, more, again if trace.trigger is None else None)
    if trace.refusal == Refusal.not_in_segment and document.segments is not None:
        found |= _groups(programme, document.segments, again)
    effects: list[Json] = []
    for effect in trace.effects:
        spec = specs[effect.index]
        effects.append(_effect(spec.type, effect))
        if effect.refusal == Refusal.not_in_segment and spec.segments is not None:
            effects[-1] |= _groups(programme, spec.segments, again)
    found["effects"] = effects
    if (trace.refusal in RETRYABLE_REFUSALS or trace.refusal == Refusal.evaluation_failed) and trace.progress:
        found |= trace.progress
    if document.steps:
        found["step"] = {"number": trace.step, "name": document.steps[trace.step].name} | _progress(document, trace)
    return found


def conditions_in_words(
    tree: Any, checks: list[ConditionCheck], more: list[ConditionCheck], again: Again | None
) -> list[Json]:
    """Return all conditions of a tree, in the order of writing: those that were looked at, and what the others came to.

    Conditions not evaluated then are evaluated now, with the member as they were before the event (`again`).
    """
    try:
        _, leaves = compile_conditions(tree)
    except ConditionError:  # saved before a bound that it passes: what was found is known all the same
        return [{"actual": check.actual, "held": check.held} for check in checks]
    known = {check.leaf: check for check in (*more, *checks)}
    found: list[Json] = []
    for leaf in leaves:
        if leaf.number not in known and again is not None:
            looked: list[ConditionCheck] = []
            leaf.holds(again.scope, looked)
            known[leaf.number] = looked[0]
        found.append(_check(leaf, known.get(leaf.number)))
    return found


def _groups(programme: Programme, audience: AudienceSpec, again: Again | None) -> Json:
    """Return the groups because of which something was not for the member, with the criteria that failed.

    They are under the name that profiles have for them.
    """
    mechanic = next(mechanic for mechanic in MECHANICS.values() if mechanic.groups_members)
    documents = programme.mechanics[mechanic.kind]
    found: list[Json] = []
    for wanted, ids in ((True, audience.include), (False, audience.exclude)):
        for group_id in ids:
            member = None if again is None else again.is_in(group_id)
            if member is wanted:
                continue
            group: Json = {mechanic.document.id_field: group_id, "wanted": wanted, "member": member}
            document = documents.get(group_id)
            if document is not None:
                checks = [] if again is None else again.criteria(mechanic.kind, group_id)
                conditions = _criteria(mechanic.criteria_of(document) or (), checks)
                group |= {"name": document.name, "conditions": conditions}
            found.append(group)
    return {mechanic.collection: found}


def _mechanic(programme: Programme, cause: Cause, trace: Trace) -> Json:
    """What a mechanic or a command made of an event."""
    kind, name = cause.kind, cause.id
    known = programme.compiled.mechanics.get(kind, {})
    found: Json = {"kind": kind}
    if name in known:
        found |= {f"{kind}Id": name, "name": known[name].name if hasattr(known[name], "name") else name}
    if trace.progress is not None:
        found[kind] = trace.progress
    document = programme.mechanics.get(kind, {}).get(name)
    criteria = None if document is None else MECHANICS[kind].criteria_of(document)
    if criteria is not None:
        found["conditions"] = _criteria(criteria, trace.checks)
    found["effects"] = [_effect(None, effect) for effect in trace.effects]
    return found


def _criteria(criteria: Sequence[CriterionInWords], checks: Sequence[ConditionCheck]) -> list[Json]:
    """Return criteria in words, those that were looked at."""
    return [_criterion(criteria[check.leaf], check) for check in checks]


def _criterion(criterion: CriterionInWords, check: ConditionCheck) -> Json:
    what, operator, value = criterion.what, criterion.operator, criterion.value
    return {
        "field": what,
        "operator": operator,
        "value": value,
        "actual": check.actual,
        "held": check.held,
        "sentence": f"{what} {operator} {_text(value)}: {_verdict(check.held, what, check.actual)}",
    }


def _progress(campaign: Campaign, trace: Trace) -> Json:
    """How far the step is after the event, in the goal's own unit."""
    progress: Json = trace.progress or {}
    if "current" not in progress:
        return {}
    decimals = SUM_DECIMALS if campaign.steps[trace.step].goal.type == "sum" else 0
    shown_progress = {name: to_number(progress[name], decimals) for name in ("current", "target")}
    rest = {name: value for name, value in progress.items() if name not in shown_progress}
    return {**shown_progress, **rest}


def _step(programme: Programme, campaign: Campaign, trace: Trace) -> tuple[Any, list[EffectSpec], str | None]:
    """The conditions and the effects that were considered, and the rule that they stand in."""
    if campaign.steps:
        step = campaign.steps[trace.step]
        return step.triggers[trace.listener].conditions, [*step.effects, *campaign.effects], None
    if campaign.simplified_mode:
        return campaign.triggers[trace.listener].conditions, campaign.effects, None
    rules: list[tuple[str, Rule]] = [
        (rule_id, rule) for rule_id, rule in programme.rules.items() if rule.campaign_id == trace.cause.campaign_id
    ]
    rule_id, rule = rules[trace.step]
    return rule.conditions, rule.effects, rule_id


def _verdict(held: bool | None, what: str, actual: Any) -> str:
    if held is None:
        return "not evaluated"
    return f"{'met' if held else 'not met'} ({what} was {_text(actual)})"


def _check(leaf: Leaf | Formula, check: ConditionCheck | None) -> Json:
    """A condition in words; `held` is null for one that nobody has looked at."""
    actual, held = (None, None) if check is None else (check.actual, check.held)
    if isinstance(leaf, Formula):
        sentence = f"{leaf.source}: {_verdict(held, 'result', actual)}"
        return {"expression": leaf.source, "actual": actual, "held": held, "sentence": sentence}
    value = "" if leaf.operator.value == "none" else f" {_text(leaf.value)}"
    return {
        "field": leaf.field,
        "operator": leaf.operator.name,
        "value": leaf.value,
        "actual": actual,
        "held": held,
        "sentence": f"{leaf.field} {leaf.operator.name}{value}: {_verdict(held, leaf.field, actual)}",
    }


def _text(value: Any) -> str:
    return "absent" if value is None else str(value)


def _effect(kind: str | None, effect: EffectTrace) -> Json:
    outcome: Any = effect.outcome
    found: Json = {"type": kind, "done": effect.refusal is None, "reason": effect.refusal}
    if effect.amount is not None:
        found["amount"] = effect.amount
    if isinstance(outcome, Mapping):
        return found | {"outcome": dict(outcome)}  # pyright: ignore[reportUnknownArgumentType]
    return found | {"outcome": outcome}
