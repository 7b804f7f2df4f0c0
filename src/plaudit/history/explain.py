"""Explains a trace: which campaigns listened, which conditions were met by which values, and what was done.

A trace refers to conditions and effects by number. The programme version that decided the event has their content. A
decision stops at the first condition that settles the result; the other results are known from a `Redecision`.
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

from .redecision import Redecision

Json = dict[str, Any]


def explained(programme: Programme, trigger: str, outcome: Outcome, redecision: Redecision | None = None) -> list[Json]:
    """Return the explanation of each entry of an event's trace, in the order in which they were decided."""
    whole_trace = outcome.trace if redecision is None else redecision.trace
    return [
        _entry(programme, trigger, trace, whole.checks[len(trace.checks) :], redecision)
        for trace, whole in zip(outcome.trace, whole_trace, strict=True)
    ]


def _entry(
    programme: Programme,
    trigger: str,
    trace: Trace,
    further_checks: list[ConditionCheck],
    redecision: Redecision | None,
) -> Json:
    cause = trace.cause
    explanation: Json = {
        **cause_fields(cause),
        "trigger": trace.trigger or trigger,
        "fired": trace.refusal is None,
        "reason": trace.refusal,
    }
    if cause.kind in COMMANDS.effects:
        return explanation | {"effects": [_effect(COMMANDS.effects[cause.kind], effect) for effect in trace.effects]}
    if cause.campaign_id is None:
        return explanation | _mechanic(programme, cause, trace)
    document = programme.campaigns.get(cause.campaign_id)
    reason = programme.out_of_force.get(("campaign", cause.campaign_id))
    if reason is not None:
        explanation["outOfForce"] = reason
    if document is None:
        return explanation | {"effects": [_effect(None, effect) for effect in trace.effects]}
    tree, specs, rule_id = _step(programme, document, trace)
    explanation["name"] = document.name
    if rule_id is not None:
        explanation["ruleId"] = rule_id
    explanation["conditions"] = conditions_in_words(
        tree, trace.checks, further_checks, redecision if trace.trigger is None else None
    )
    if trace.refusal == Refusal.not_in_segment and document.segments is not None:
        explanation |= _groups(programme, document.segments, redecision)
    effects: list[Json] = []
    for effect in trace.effects:
        spec = specs[effect.index]
        effects.append(_effect(spec.type, effect))
        if effect.refusal == Refusal.not_in_segment and spec.segments is not None:
            effects[-1] |= _groups(programme, spec.segments, redecision)
    explanation["effects"] = effects
    if (trace.refusal in RETRYABLE_REFUSALS or trace.refusal == Refusal.evaluation_failed) and trace.progress:
        explanation |= trace.progress
    if document.steps:
        step = {"number": trace.step, "name": document.steps[trace.step].name}
        explanation["step"] = step | _progress(document, trace)
    return explanation


def conditions_in_words(
    tree: Any, checks: list[ConditionCheck], further_checks: list[ConditionCheck], redecision: Redecision | None
) -> list[Json]:
    """Return all conditions of a tree in the order in which they are written, with their results.

    A condition without a check is evaluated now, with the member as they were before the event, if there is a
    `redecision`.
    """
    try:
        _, leaves = compile_conditions(tree)
    except ConditionError:  # saved before a bound that it exceeds: only the results are known
        return [{"actual": check.actual, "held": check.held} for check in checks]
    checks_by_leaf = {check.leaf: check for check in (*further_checks, *checks)}
    conditions: list[Json] = []
    for leaf in leaves:
        if leaf.number not in checks_by_leaf and redecision is not None:
            new_checks: list[ConditionCheck] = []
            leaf.holds(redecision.scope, new_checks)
            checks_by_leaf[leaf.number] = new_checks[0]
        conditions.append(_check(leaf, checks_by_leaf.get(leaf.number)))
    return conditions


def _groups(programme: Programme, audience: AudienceSpec, redecision: Redecision | None) -> Json:
    """Return the groups that excluded the member from an audience, with the results of their criteria.

    They are in a field with the name of the mechanic's collection.
    """
    mechanic = next(mechanic for mechanic in MECHANICS.values() if mechanic.groups_members)
    documents = programme.mechanics[mechanic.kind]
    groups: list[Json] = []
    for required, ids in ((True, audience.include), (False, audience.exclude)):
        for group_id in ids:
            is_member = None if redecision is None else redecision.is_in(group_id)
            if is_member is required:
                continue
            group: Json = {mechanic.document.id_field: group_id, "wanted": required, "member": is_member}
            document = documents.get(group_id)
            if document is not None:
                checks = [] if redecision is None else redecision.criteria(mechanic.kind, group_id)
                conditions = _criteria(mechanic.criteria_of(document) or (), checks)
                group |= {"name": document.name, "conditions": conditions}
            groups.append(group)
    return {mechanic.collection: groups}


def _mechanic(programme: Programme, cause: Cause, trace: Trace) -> Json:
    """Return the explanation of a mechanic's or a command's trace."""
    kind, document_id = cause.kind, cause.id
    compiled = programme.compiled.mechanics.get(kind, {}).get(document_id)
    explanation: Json = {"kind": kind}
    if compiled is not None:
        explanation |= {f"{kind}Id": document_id, "name": compiled.name if hasattr(compiled, "name") else document_id}
    if trace.progress is not None:
        explanation[kind] = trace.progress
    document = programme.mechanics.get(kind, {}).get(document_id)
    criteria = None if document is None else MECHANICS[kind].criteria_of(document)
    if criteria is not None:
        explanation["conditions"] = _criteria(criteria, trace.checks)
    explanation["effects"] = [_effect(None, effect) for effect in trace.effects]
    return explanation


def _criteria(criteria: Sequence[CriterionInWords], checks: Sequence[ConditionCheck]) -> list[Json]:
    """Return the criteria that were evaluated, in words."""
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
    """Return the step's progress after the event, in the goal's own unit."""
    progress: Json = trace.progress or {}
    if "current" not in progress:
        return {}
    decimals = SUM_DECIMALS if campaign.steps[trace.step].goal.type == "sum" else 0
    numbers = {name: to_number(progress[name], decimals) for name in ("current", "target")}
    rest = {name: value for name, value in progress.items() if name not in numbers}
    return {**numbers, **rest}


def _step(programme: Programme, campaign: Campaign, trace: Trace) -> tuple[Any, list[EffectSpec], str | None]:
    """Return the conditions and effects that a trace refers to, and the id of their rule, if they are in one."""
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
    """Return a condition in words; `held` is null if it was not evaluated."""
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
    explanation: Json = {"type": kind, "done": effect.refusal is None, "reason": effect.refusal}
    if effect.amount is not None:
        explanation["amount"] = effect.amount
    if isinstance(outcome, Mapping):
        return explanation | {"outcome": dict(outcome)}  # pyright: ignore[reportUnknownArgumentType]
    return explanation | {"outcome": outcome}
