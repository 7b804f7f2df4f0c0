"""No saved formula, pattern or condition makes an event long: what they do is counted, and an event has only so much."""

import pytest

from plaudit.core.conditions import ConditionError, compile_conditions
from plaudit.core.decide_one import decide_one
from plaudit.core.decision import Refusal
from plaudit.core.event import PROFILE
from plaudit.core.expressions import Expression, ExpressionError
from plaudit.core.fields import Scope
from plaudit.core.formulas.budget import Budget, BudgetSpent
from plaudit.core.formulas.limits import EVENT_STEPS_MAX, STEPS_MAX
from plaudit.core.patterns import PATTERN_MAX, WORK_A_STEP, Pattern, PatternError
from plaudit.mechanics.segments.state import segments_of
from tests.support.factories import campaign, document, event, member, program
from tests.support.life import Life

LONG = "x" * 2_000
LARGE = "((x?){13}){13}y"  # about the most that is accepted, and slow on LONG
SEARCH = {"field": "s", "operator": "matches", "value": LARGE}
SPENT = "the event has used up its 250,000 steps"

TOO_LARGE = [
    "((x?){20}){20}y", "(x|y|xx|.x){1,100}z", "((x*){20}){20}y", "(((x?){8}){8}){8}y", r"((\w?){20}){20}!", "(a?){900}a",
    r"[\pL ]{1,50}",
]  # fmt: skip


@pytest.mark.parametrize("pattern", TOO_LARGE)
@pytest.mark.parametrize("with_groups", [False, True])
def test_a_pattern_of_repetitions_within_one_another_is_refused_on_saving(pattern, with_groups):
    with pytest.raises(PatternError, match=r"must be a (smaller|valid) regular expression"):
        Pattern(pattern, with_groups=with_groups)
    with pytest.raises(ExpressionError, match="regular expression"):
        Expression(f"matches(s, '{pattern}')")
    with pytest.raises(ConditionError) as refused:
        compile_conditions([{"field": "s", "operator": "matches", "value": pattern}])
    assert refused.value.field == "conditions[0].value"


def test_the_refusal_says_how_large_the_pattern_is_and_may_be():
    with pytest.raises(PatternError) as refused:
        Pattern("((x?){20}){20}y")
    assert str(refused.value) == (
        "must be a smaller regular expression: repetitions, above all within one another, make it too large "
        "(at most 400 instructions, got 805)"
    )


ORDINARY = [
    (r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$", "somebody@example.com"),
    (r"^[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}$", "SW1A 1AA"),
    (r"^SKU-\d{4,8}$", "SKU-12345"),
    (r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2}))?$", "2026-11-26T10:30:00+01:00"),
    ("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", "0199b4f2-7c1e-7000-8000-000000000001"),
    (r"^https?://[^\s/$.?#].[^\s]*$", "https://example.com/basket?id=1"),
    (r"^\pL[\pL '-]*$", "Zoë O'Brien"),
    ("^.{1,100}$", "anything at all"),
    ("(?i)gold|silver|platinum", "the Gold card"),
    (r"^\+?[0-9 ()-]{7,20}$", "+44 (0)20 7946 0000"),
    ("|".join(f"word{number}" for number in range(60))[:PATTERN_MAX], "word59"),
]


@pytest.mark.parametrize(("pattern", "text"), ORDINARY, ids=[case[0][:30] for case in ORDINARY])
@pytest.mark.parametrize("with_groups", [False, True])
def test_an_ordinary_pattern_is_accepted_and_takes_few_steps(pattern, text, with_groups):
    made = Pattern(pattern, with_groups=with_groups)
    assert made.search(text)
    assert made.steps(text) < 1_000


@pytest.mark.parametrize("text", ["x" * 2_000, "é" * 2_000, "😀" * 2_000])
def test_a_search_counts_for_the_bytes_of_the_text_times_the_size_of_the_pattern(text):
    alone = Pattern(LARGE).steps("x" * WORK_A_STEP) - 1  # the size of the program
    assert Pattern(LARGE).steps(text) == 1 + len(text.encode()) * alone // WORK_A_STEP


def scope(data, budget=None):
    return Scope(event(**data), member(), {}, {}, {}, budget)


HOSTILE = [
    f"count(data.list, matches(data.s, '{LARGE}')) > 0",
    "count(data.list, len(extract(data.s, '((x?){10}){10}y')) > 0) > 0",
    f"some(data.texts, matches(#, '{LARGE}'))",
    "count(data.list, contains(data.long, 'y')) > 0",
    "count(data.list, upper(data.long) == 'y') > 0",
    "count(data.list, 1.234567 ^ 7.89 > 5) > 0",
    "count(data.list, d(data.at, 'Europe/Paris').startOf('week').isSame(data.at, 'week')) > 9",
    "count(data.list, fuzzyMatch(data.name, data.name) > 2) > 0",
]
DATA = {
    "list": [0] * 5_000, "s": LONG, "texts": [LONG] * 5_000, "long": "x" * 20_000, "at": "2026-03-29T10:30:00Z",
    "name": "x" * 150,
}  # fmt: skip


@pytest.mark.parametrize("source", HOSTILE, ids=[source[:60] for source in HOSTILE])
def test_an_evaluation_is_refused_once_its_steps_are_used_up(source):
    budget = Budget()
    with pytest.raises(ExpressionError, match="needs more than 50,000 steps"):
        Expression(source).evaluate({"data": DATA}, budget)
    assert 0 < EVENT_STEPS_MAX - budget.left <= STEPS_MAX


@pytest.mark.parametrize(("source", "steps"), [("1", 1), ("1 + 2", 3), ("1 + 2 * data.amount > 3", 8)])
def test_every_part_of_a_formula_is_a_step_of_the_event(source, steps):
    budget = Budget()
    Expression(source).evaluate({"data": {"amount": 1}}, budget)
    assert EVENT_STEPS_MAX - budget.left == steps


def test_a_pattern_of_a_condition_is_of_the_same_budget_as_a_formula():
    searched, computed, several = Budget(), Budget(), Budget()
    data = {"s": LONG, "items": [{"s": LONG}] * 3}
    condition, _ = compile_conditions([SEARCH])
    condition.holds(scope(data, searched), [])
    condition, _ = compile_conditions({"expression": f"matches(data.s, '{LARGE}')"})
    condition.holds(scope(data, computed), [])
    condition, _ = compile_conditions([{**SEARCH, "field": "items[].s"}])
    condition.holds(scope(data, several), [])
    steps = Pattern(LARGE).steps(LONG)
    assert searched.left == EVENT_STEPS_MAX - steps
    assert several.left == EVENT_STEPS_MAX - 3 * steps - 3
    assert searched.left - 5 <= computed.left < searched.left


@pytest.mark.parametrize(
    ("operator", "value", "found", "steps"),
    [
        ("equals", "a", "a" * 640, 0), ("contains", "b", "a" * 640, 10), ("contains", "b", "short", 0),
        ("not_contains", "b", ["a"] * 640, 640), ("in", ["b"], "short", 0), ("in", ["b"], ["a"] * 100, 100),
        ("in", [1, 2, 3], [4] * 100, 400), ("not_in", [{"a": 1}] * 50, {"a": 2}, 51), ("matches", "b", 5, 0),
    ],
)  # fmt: skip
def test_a_condition_counts_for_what_it_looks_through(operator, value, found, steps):
    budget = Budget()
    condition, _ = compile_conditions([{"field": "x", "operator": operator, "value": value}])
    condition.holds(scope({"x": found}, budget), [])
    assert EVENT_STEPS_MAX - budget.left == steps


def test_what_is_refused_for_want_of_steps_is_met_neither_way():
    for tree in (SEARCH, {"expression": "true"}):
        for wanted in (tree, {"not": tree}, {"not": {"not": tree}}, {"or": [tree, {"not": tree}]}):
            checks = []
            condition, _ = compile_conditions(wanted)
            assert not condition.holds(scope({"s": "y"}, Budget(0)), checks)
            assert {check.actual for check in checks} == {SPENT.replace("250,000", "0")}


def test_a_spent_budget_refuses_all_that_comes_later():
    budget = Budget(10)
    with pytest.raises(BudgetSpent):
        budget.spend(11)
    for steps in (0, 1):
        with pytest.raises(BudgetSpent):
            budget.spend(steps)


def listening(id, *conditions, trigger="purchase", **more):
    """A campaign with a trigger for each of these conditions. It pays nothing."""
    triggers = [{"type": trigger, "conditions": condition} for condition in conditions]
    return document("campaign", id, triggers=triggers, effects=[{"type": "emit", "trigger": "nothing"}], **more)


def hungry(number):
    """A campaign whose every trigger searches for a slow pattern."""
    return listening(
        f"camp_{number:03}", *[[{**SEARCH, "value": f"{LARGE}{digit}"}] for digit in range(20)], priority=500
    )


def test_the_rest_of_an_event_goes_on_when_its_steps_are_used_up():
    made = program(
        *[hungry(number) for number in range(120)],
        campaign("camp_formula", effects=[{"type": "add_points", "config": {"amount": "data.amount * 2"}}], priority=1),
        campaign("camp_plain", effects=[{"type": "add_points", "config": {"amount": 7}}], priority=1),
        campaign(
            "camp_not",
            conditions={"not": {"expression": "data.amount > 9"}},
            effects=[{"type": "add_points", "config": {"amount": 100}}],
            priority=1,
        ),
    )
    decision = decide_one(made, member(), event(s=LONG, amount=5))
    by_campaign = {trace.cause.text: trace for trace in decision.trace}
    refused = by_campaign["camp_formula"].effects[0]
    assert (refused.refusal, refused.outcome) == (Refusal.evaluation_failed, SPENT)
    assert by_campaign["camp_not"].refusal is Refusal.condition_failed
    assert by_campaign["camp_not"].checks[0].actual == SPENT
    assert by_campaign["camp_plain"].effects[0].refusal is None
    assert decision.member.balances["points"].amount == 7
    # The next event begins with all its steps.
    again = decide_one(made, decision.member, event(s="", amount=5))
    assert again.member.balances["points"].amount == 7 + 10 + 7 + 100


def test_what_follows_from_an_event_shares_its_steps():
    search = [{"field": "s", "operator": "matches", "value": "y"}]
    made = program(
        campaign("camp_first", effects=[{"type": "emit", "trigger": "more", "data": {"s": "y"}}], priority=500),
        hungry(1), hungry(2),
        listening("camp_more", search, trigger="more"),
    )  # fmt: skip

    def followed(text):
        return next(
            trace for trace in decide_one(made, member(), event(s=text)).trace if trace.cause.text == "camp_more"
        )

    assert followed("").refusal is None
    assert followed(LONG).refusal is Refusal.condition_failed
    assert followed(LONG).checks[0].actual == SPENT


def test_a_thousand_ordinary_campaigns_with_formulas_do_not_come_near_it():
    conditions = {
        "and": [
            {"expression": "data.amount > 1 and (user.tier ?? 'none') != 'gold' and event.type == 'purchase'"},
            {"expression": "sum(map(data.items, #.price * #.qty)) > 10 and d(data.day).weekday() in [1..7]"},
            {"field": "email", "operator": "matches", "value": ORDINARY[0][0]},
        ]
    }
    condition, _ = compile_conditions(conditions)
    items = [{"price": 9.99, "qty": 2}] * 5
    seen = scope({"amount": 5, "day": "2026-03-29T10:30:00Z", "items": items, "email": ORDINARY[0][1]})
    assert condition.holds(seen, [])
    assert 1_000 * (EVENT_STEPS_MAX - seen.budget.left) < EVENT_STEPS_MAX / 2


@pytest.mark.parametrize(("side", "pattern"), [("include", "NZ"), ("exclude", "UK")])
def test_a_segment_that_could_not_be_looked_at_keeps_whom_it_has(side, pattern):
    sides = {"include": [{"field": "points", "operator": ">=", "value": 5}], "exclude": []}
    sides[side].append({"field": "country", "operator": "matches", "value": pattern})
    pays = campaign("camp_pays", trigger="purchase", effects=[{"type": "add_points", "config": {"amount": 5}}])
    ann = Life(program(document("segment", "them", **sides), hungry(1), hungry(2), pays))
    ann.do("2026-11-20", "profile", PROFILE, attributes={"country": "NZ"})
    ann.do("2026-11-20", "purchase", s="")
    assert segments_of(ann.member)["them"].member
    ann.do("2026-11-21", "purchase", s=LONG)
    assert ann.member.balances["points"].amount == 10
    assert segments_of(ann.member)["them"].member
    looked = [trace for trace in ann.decisions[-1].trace if trace.cause.text == "segment.them"]
    assert [(trace.refusal, trace.progress) for trace in looked] == [(Refusal.evaluation_failed, {"problem": SPENT})]
