"""Stored documents that a later version cannot compile are out of force alone."""

import json

import pytest

from plaudit.core.decide_one import decide_one
from plaudit.core.decision import Refusal
from plaudit.documents.in_force import compile_in_force
from plaudit.storage.programmes import programme_from_documents
from tests.support.factories import ORG, event, member

NESTED = "len(map([1..3], len(map([1..3], 1)))) > 0"
PAID = [{"type": "add_points", "config": {"amount": 10}}]


def documents(**more):
    """Stored documents by kind and id: points, and a campaign that pays for a purchase."""
    good = {
        ("metric", "points"): {"name": "Points"},
        ("campaign", "camp_good"): {"name": "Good", "triggers": [{"type": "purchase"}], "effects": PAID},
    }
    return good | {
        (kind, id_): doc for (kind, _, id_), doc in ((name.partition("__"), doc) for name, doc in more.items())
    }


def programme(**more):
    return programme_from_documents(ORG, 1, documents(**more))


def bought(made):
    return decide_one(made.compiled, member(), event(amount=5))


BROKEN = [
    ("a formula in a condition", "campaign__bad", {
        "name": "Bad", "triggers": [{"type": "purchase", "conditions": {"expression": NESTED}}], "effects": PAID},
     "conditions.expression is not a valid formula"),
    ("a formula of an amount", "campaign__bad", {
        "name": "Bad", "triggers": [{"type": "purchase"}],
        "effects": [{"type": "add_points", "config": {"amount": "count([0..9223372036854775807], true)"}}]},
     "a formula is not valid"),
    ("a pattern", "campaign__bad", {
        "name": "Bad", "triggers": [{"type": "purchase", "conditions": [
            {"field": "sku", "operator": "matches", "value": "(a?){900}a{900}"}]}], "effects": PAID},
     "conditions[0].value must be a smaller regular expression"),
    ("a step", "campaign__bad", {
        "name": "Bad", "steps": [{"name": "s", "triggers": [
            {"type": "purchase", "conditions": {"expression": NESTED}}], "effects": PAID}]},
     "conditions.expression is not a valid formula"),
    ("a rule", "rule__bad", {
        "name": "Bad", "campaignId": "camp_ruled", "triggerType": "purchase", "conditions": {"expression": NESTED},
        "effects": PAID},
     "conditions.expression is not a valid formula"),
    ("a streak", "streak__bad", {
        "name": "Bad", "triggers": [{"type": "purchase", "conditions": {"expression": NESTED}}]},
     "conditions.expression is not a valid formula"),
    ("a competition", "competition__bad", {
        "name": "Bad", "score": {"trigger": "purchase", "conditions": {"expression": NESTED}},
        "endDate": "2099-01-01T00:00:00Z"},
     "conditions.expression is not a valid formula"),
    ("a template", "template__bad", {"name": "Bad", "texts": {"en": {"message": "{{ rand(3) }}"}}},
     "a formula is not valid: 'rand' at character 2 is not allowed"),
    ("a webhook", "webhook__bad", {
        "name": "Bad", "url": "https://example.com", "events": ["*"], "conditions": {"expression": NESTED}},
     "conditions.expression is not a valid formula"),
    ("a recurrence by seconds", "campaign__bad", {
        "name": "Bad", "triggers": [{"type": "purchase"}], "effects": PAID, "mode": "recurring",
        "startDate": "2026-01-01T00:00:00Z", "recurrence": {"rule": "FREQ=SECONDLY"}},
     "recurrence.rule must be an RFC 5545 recurrence rule: FREQ must be one of"),
    ("what cannot be read", "campaign__bad", {"name": 5}, "cannot be read"),
    ("a kind of the future", "planet__bad", {"name": "Mars"}, "cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "doc", "reason"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_document_that_cannot_be_compiled_is_out_of_force_alone_and_the_reason_is_known(name, doc, reason):
    ruled = {"name": "Ruled", "triggers": [], "simplifiedMode": False}
    rows = documents(campaign__camp_ruled=ruled, **{name: doc})
    made = compile_in_force(ORG, 1, [(kind, key, json.dumps(row)) for (kind, key), row in rows.items()])
    assert list(made.out) == [tuple(name.split("__"))]
    assert reason in next(iter(made.out.values()))
    decision = decide_one(made.program, member(), event(amount=5))
    assert [(trace.cause.text, trace.refusal) for trace in decision.trace] == [("camp_good", None)]


def test_a_programme_without_faults_has_nothing_out_of_force():
    assert programme().out_of_force == {}


def test_a_rule_that_is_out_of_force_keeps_its_place():
    ruled = {"name": "Ruled", "triggers": [], "simplifiedMode": False}
    rule = {"name": "R", "campaignId": "camp_ruled", "triggerType": "purchase", "effects": PAID}
    made = programme(campaign__camp_ruled=ruled, rule__a=rule | {"conditions": {"expression": NESTED}}, rule__b=rule)
    (second,) = [trace for trace in bought(made).trace if trace.cause.text == "camp_ruled"]
    assert (second.step, second.refusal) == (1, None)


def test_a_metric_keeps_its_balances_and_loses_only_its_multipliers():
    twice = [{"name": "twice", "factor": 2, "conditions": {"expression": NESTED}}]
    made = programme(metric__points={"name": "Points", "multipliers": twice})
    assert bought(made).member.balances["points"].amount == 10
    assert ("metric", "points") in made.out_of_force


def test_documents_that_only_fail_together_do_not_raise(monkeypatch):
    rows = [(kind, name, json.dumps(doc)) for (kind, name), doc in documents().items()]
    compiled = compile_in_force.__globals__["compile_program"]

    def together(org_id, version, kept):
        if len(kept) > 1:
            raise RuntimeError
        return compiled(org_id, version, kept)

    monkeypatch.setattr("plaudit.documents.in_force.compile_program", together)
    made = compile_in_force(ORG, 1, rows)
    assert set(made.out) == {("metric", "points"), ("campaign", "camp_good")}
    assert decide_one(made.program, member(), event()).trace == []


def test_a_formula_that_fails_on_saving_never_fired_for_the_others():
    made = programme(campaign__bad=BROKEN[0][2])
    assert "bad" not in made.campaigns
    assert Refusal.evaluation_failed not in [trace.refusal for trace in bought(made).trace]
