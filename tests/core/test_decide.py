"""Given this programme, when this happens, then this follows."""

from datetime import timedelta

import pytest

from plaudit.core.decide_one import decide_one
from plaudit.core.decision import Refusal
from plaudit.core.event import GRANT
from plaudit.mechanics.competitions.state import entries_of
from tests.support.factories import NOON, campaign, document, event, member, program


def points(decision) -> int:
    return decision.member.balances["points"].amount if "points" in decision.member.balances else 0


def refusals(decision) -> list:
    return [trace.refusal for trace in decision.trace]


BIG = [{"field": "amount", "operator": ">=", "value": 100}]

CONDITIONS = [
    ("a number at the bound holds", {"amount": 100}, BIG, True),
    ("a number below it does not", {"amount": 99.99}, BIG, False),
    ("a text is no number", {"amount": "150"}, BIG, False),
    ("what is not there does not hold", {}, BIG, False),
    ("true is not 1", {"v": True}, [{"field": "v", "operator": "equals", "value": 1}], False),
    ("1.0 is 1", {"v": 1.0}, [{"field": "v", "operator": "==", "value": 1}], True),
    ("not_equals of what is missing is false", {}, [{"field": "n", "operator": "!=", "value": 1}], False),
    ("any item of a list", {"i": [{"s": 1}, {"s": 2}]}, [{"field": "i[].s", "operator": "equals", "value": 2}], True),
    ("an item by index", {"i": [{"s": 1}]}, [{"field": "i[0].s", "operator": "equals", "value": 1}], True),
    ("a dotted path", {"vote": {"o": "A"}}, [{"field": "vote.o", "operator": "in", "value": ["A", "B"]}], True),
    ("contains in a list", {"t": ["x"]}, [{"field": "t", "operator": "contains", "value": "x"}], True),
    ("a pattern", {"c": "AB-12"}, [{"field": "c", "operator": "matches", "value": r"^[A-Z]+-\d+$"}], True),
    ("between is inclusive", {"v": 5}, [{"field": "v", "operator": "between", "value": [1, 5]}], True),
    ("null does not exist", {"v": None}, [{"field": "v", "operator": "exists"}], False),
    ("before an instant", {"d": "2026-01-01"}, [{"field": "d", "operator": "before", "value": "2026-01-02"}], True),
    ("null is absent", {"v": None}, [{"field": "v", "operator": "not_exists"}], True),
    ("what is there is not absent", {"v": 0}, [{"field": "v", "operator": "not_exists"}], False),
    ("not before the instant itself", {"d": "2026-01-02"}, [{"field": "d", "operator": "before", "value": "2026-01-02"}], False),
    ("after an instant", {"d": "2026-01-02T00:00:01Z"}, [{"field": "d", "operator": "after", "value": "2026-01-02"}], True),
    ("not after the instant itself", {"d": "2026-01-02"}, [{"field": "d", "operator": "after", "value": "2026-01-02"}], False),
    ("a beginning", {"c": "AB-12"}, [{"field": "c", "operator": "starts_with", "value": "AB"}], True),
    ("an end is no beginning", {"c": "AB-12"}, [{"field": "c", "operator": "starts_with", "value": "12"}], False),
    ("an end", {"c": "AB-12"}, [{"field": "c", "operator": "ends_with", "value": "12"}], True),
    ("a beginning is no end", {"c": "AB-12"}, [{"field": "c", "operator": "ends_with", "value": "AB"}], False),
    ("none of a list", {"v": "C"}, [{"field": "v", "operator": "not_in", "value": ["A", "B"]}], True),
    ("one of a list", {"v": "B"}, [{"field": "v", "operator": "not_in", "value": ["A", "B"]}], False),
    ("no item of a list", {"t": ["x"]}, [{"field": "t", "operator": "not_contains", "value": "y"}], True),
    ("no part of a text", {"t": "xyz"}, [{"field": "t", "operator": "not_contains", "value": "y"}], False),
    ("greater is not equal", {"v": 5}, [{"field": "v", "operator": ">", "value": 5}], False),
    ("less is not equal", {"v": 5}, [{"field": "v", "operator": "<", "value": 5}], False),
    ("at most", {"v": 5}, [{"field": "v", "operator": "<=", "value": 5}], True),
    ("not at most", {"v": 6}, [{"field": "v", "operator": "<=", "value": 5}], False),
    ("above the upper bound", {"v": 6}, [{"field": "v", "operator": "between", "value": [1, 5]}], False),
    ("or, not, nested", {"a": 1}, {"or": [{"not": {"field": "a", "operator": "exists"}}, {"and": [{"field": "a", "operator": "<", "value": 2}]}]}, True),
    ("a formula", {"a": 3, "b": 4}, {"expression": "data.a + b > 6"}, True),
    ("a formula that fails is not true", {}, {"expression": "data.a * 2 > 0"}, False),
    ("no conditions always hold", {}, {}, True),
]  # fmt: skip


@pytest.mark.parametrize(("data", "conditions", "fires"), [c[1:] for c in CONDITIONS], ids=[c[0] for c in CONDITIONS])
def test_conditions(data, conditions, fires):
    decision = decide_one(program(campaign(conditions=conditions)), member(), event(**data))
    assert (points(decision) == 10) is fires
    assert refusals(decision) == [None if fires else Refusal.condition_failed]


def test_a_refusal_says_which_condition_failed_with_what():
    decision = decide_one(program(campaign(conditions=BIG)), member(), event(amount=99.99))
    (check,) = decision.trace[0].checks
    assert (check.leaf, check.held, check.actual) == (0, False, 99.99)


AMOUNTS = [
    ("a formula is rounded once, half up", "data.amount * 0.5", 5, 3),
    ("floor", "floor(data.amount * 10)", 9.99, 99),
    ("no float creeps in", "data.amount * 100", 1.15, 115),
    ("a negative amount debits", -4, 0, 6),
]


@pytest.mark.parametrize(("amount", "given", "expected"), [a[1:] for a in AMOUNTS], ids=[a[0] for a in AMOUNTS])
def test_amounts(amount, given, expected):
    start = campaign("camp_0", priority=9) if amount == -4 else campaign("camp_0", trigger="other")
    paid = campaign("camp_1", effects=[{"type": "add_points", "config": {"amount": amount}}])
    assert points(decide_one(program(start, paid), member(), event(amount=given))) == expected


def test_a_debit_below_the_minimum_is_refused_and_nothing_is_posted():
    spend = campaign(effects=[{"type": "add_points", "config": {"amount": -1}}])
    decision = decide_one(program(spend), member(), event())
    assert decision.transactions == []
    assert decision.trace[0].effects[0].refusal is Refusal.balance_insufficient


def test_a_credit_is_cut_to_the_maximum():
    decision = decide_one(program(campaign(), points={"maximum": 4}), member(), event())
    assert [transaction.amount for transaction in decision.transactions] == [4]
    again = decide_one(program(campaign(), points={"maximum": 4}), decision.member, event(2))
    assert again.trace[0].effects[0].refusal is Refusal.balance_at_maximum


def test_a_balance_above_a_maximum_that_was_lowered_stays():
    before = decide_one(program(campaign()), member(), event()).member
    decision = decide_one(program(campaign(), points={"maximum": 4}), before, event(2))
    assert decision.trace[0].effects[0].refusal is Refusal.balance_at_maximum
    assert (decision.transactions, decision.member.balances["points"].amount) == ([], 10)


def test_a_metric_keeps_its_decimals_as_integers():
    cash = document("metric", "cash", decimals=2, default=0.5)
    earn = campaign(effects=[{"type": "add_metric", "config": {"metric": "cash", "amount": 0.1}}])
    decision = decide_one(program(cash, earn), member(), event())
    assert [(transaction.amount, transaction.balance_after) for transaction in decision.transactions] == [
        (50, 50),
        (10, 60),
    ]


LIMITS = [
    ("for a member in all", {"limit": {"perUser": 2}}, [0, 1, 2], [None, None, Refusal.limit_per_member_reached]),
    (
        "for a member in a day",
        {"limit": {"perPeriod": {"period": "day", "count": 1}}},
        [0, 11, 12],
        [None, Refusal.limit_per_period_reached, None],
    ),
    ("a cooldown", {"cooldown": 3600}, [0, 0.5, 1], [None, Refusal.cooldown_running, None]),
    ("outside its window", {"startDate": "2026-11-20T13:00:00Z", "endDate": "2026-11-20T14:00:00Z"}, [0, 1, 2],
     [Refusal.campaign_not_started, None, Refusal.campaign_ended]),
]  # fmt: skip


@pytest.mark.parametrize(("more", "hours", "expected"), [c[1:] for c in LIMITS], ids=[c[0] for c in LIMITS])
def test_limits(more, hours, expected):
    state, programme, found = member(), program(campaign(**more)), []
    for n, hour in enumerate(hours):
        decision = decide_one(programme, state, event(n, at=NOON + timedelta(hours=hour)))
        state = decision.member
        found += refusals(decision)
    assert found == expected


def test_a_late_event_counts_in_the_period_it_belongs_to():
    programme = program(campaign(limit={"perPeriod": {"period": "day", "count": 1}}))
    today = decide_one(programme, member(), event(1))
    yesterday = decide_one(programme, today.member, event(2, at=NOON - timedelta(days=1)))
    again = decide_one(programme, yesterday.member, event(3, at=NOON - timedelta(days=1)))
    assert (refusals(yesterday), refusals(again)) == ([None], [Refusal.limit_per_period_reached])
    assert again.member.latest_at == NOON


def test_a_limit_per_period_remembers_the_latest_32_periods():
    programme, state = program(campaign(limit={"perPeriod": {"period": "day", "count": 1}})), member()
    for day in range(33):
        state = decide_one(programme, state, event(day, at=NOON + timedelta(days=day))).member
    remembered = decide_one(programme, state, event(40, at=NOON + timedelta(days=1)))
    forgotten = decide_one(programme, state, event(41, at=NOON))
    assert (refusals(remembered), refusals(forgotten)) == ([Refusal.limit_per_period_reached], [None])


def test_the_higher_priority_wins_an_exclusive_group():
    low = campaign("camp_low", priority=1, exclusiveGroup="g")
    high = campaign("camp_high", priority=2, exclusiveGroup="g", conditions=BIG)
    programme = program(low, high)
    assert [(o.cause.text, o.refusal) for o in decide_one(programme, member(), event(amount=100)).trace] == [
        ("camp_high", None),
        ("camp_low", Refusal.exclusive_group_taken),
    ]
    assert refusals(decide_one(programme, member(), event(amount=1))) == [Refusal.condition_failed, None]


def test_what_follows_is_met_in_the_same_decision():
    tenfold = campaign(
        "camp_2",
        trigger="metric.changed",
        conditions=[{"field": "metric", "operator": "equals", "value": "points"}],
        effects=[{"type": "add_metric", "config": {"metric": "xp", "amount": "data.amount * 10"}}],
    )
    decision = decide_one(program(campaign(), tenfold), member(), event())
    assert decision.member.balances["xp"].amount == 100
    assert [trace.trigger for trace in decision.trace] == [None, "metric.changed", "metric.changed"]


def test_a_cycle_is_cut_and_reported():
    emit = campaign(trigger="ping", effects=[{"type": "emit", "config": {"trigger": "pong"}}])
    back = campaign("camp_2", trigger="pong", effects=[{"type": "emit", "config": {"trigger": "ping"}}])
    decision = decide_one(program(emit, back), member(), event(trigger="ping"))
    assert refusals(decision) == [None, None, Refusal.cascade_cycle]


def test_campaigns_that_set_each_other_off_without_end_are_cut():
    many = [
        campaign(f"camp_{i}", trigger="x", effects=[{"type": "emit", "config": {"trigger": "x"}}]) for i in range(40)
    ]
    decision = decide_one(program(*many), member(), event(trigger="x"))
    assert Refusal.cascade_too_wide in refusals(decision)
    assert len(decision.trace) < 40 * 600


VIP = document("product", "prod_vip", sku="VIP", type="badge")
POOL = document("code_pool", "pool_vip", productId="prod_vip")
AWARD = [{"type": "award_product", "config": {"productId": "prod_vip"}}]


def test_a_badge_brings_a_code_of_its_pool_and_is_had_once():
    programme = program(VIP, POOL, campaign(effects=AWARD))
    first = decide_one(programme, member(), event(1))
    assert first.member.holdings["prod_vip"].quantity == 1
    assert [coupon.pool_id for coupon in first.coupons] == ["pool_vip"]
    second = decide_one(programme, first.member, event(2))
    assert (second.coupons, second.claims, second.member.holdings) == ([], [], first.member.holdings)


def test_an_empty_pool_leaves_the_badge_and_says_so():
    programme = program(VIP, POOL, campaign(effects=AWARD))
    claims = decide_one(programme, member(), event()).claims
    decision = decide_one(programme, member(), event(), frozenset(claim.claim_id for claim in claims))
    assert decision.member.holdings["prod_vip"].quantity == 1
    assert decision.coupons == []
    assert decision.trace[0].effects[0].outcome["coupon"] == {"refusal": "pool_empty"}


def test_a_product_that_is_its_code_is_not_given_without_one_nor_taken_from_the_stock():
    ticket = document("product", "prod_vip", sku="VIP", type="unique_code_pool", allocatedStock=5)
    programme = program(ticket, POOL, campaign(effects=AWARD))
    code = next(claim for claim in decide_one(programme, member(), event()).claims if claim.kind == "code")
    decision = decide_one(programme, member(), event(), frozenset({code.claim_id}))
    assert decision.trace[0].effects[0].refusal is Refusal.pool_empty
    assert (decision.member.holdings, [claim.kind for claim in decision.claims]) == ({}, ["code"])


REWARDS = [
    ("points", {"amount": 50}, lambda d: points(d) == 50),
    ("product", {"productId": "prod_vip", "quantity": 1}, lambda d: "prod_vip" in d.member.holdings),
    ("competition_entry", {"competitionId": "comp_1", "entries": 5}, lambda d: entries_of(d.member) == {"comp_1": 5}),
    ("unique_coupon", {"codePoolId": "pool_vip"}, lambda d: d.coupons[0].pool_id == "pool_vip"),
    (
        "non_unique_coupon",
        {"code": "SAVE20", "discountType": "percentage", "discountValue": 20},
        lambda d: d.coupons[0].code == "SAVE20",
    ),
]


@pytest.mark.parametrize(("kind", "config", "given"), REWARDS, ids=[case[0] for case in REWARDS])
@pytest.mark.parametrize("by_hand", [True, False], ids=["by hand", "by a campaign"])
def test_rewards(kind, config, given, by_hand):
    reward = document("reward", "rew_1", rewardType=kind, config=config)
    grants = campaign(effects=[{"type": "grant_reward", "rewardId": "rew_1"}])
    programme = program(VIP, POOL, document("competition", "comp_1"), reward, grants)
    happened = event()
    if by_hand:
        happened = type(happened)(
            event_id=happened.event_id, member_id=happened.member_id, user_id="ann", kind=GRANT,
            trigger="reward.grant", occurred_at=NOON, data={"rewardId": "rew_1"},
        )  # fmt: skip
    decision = decide_one(programme, member(), happened)
    assert decision.refusal is None
    assert given(decision)


def test_somebody_unknown_is_enrolled_first_or_rejected():
    welcome = campaign(trigger="user.enrolled", effects=[{"type": "add_points", "config": {"amount": 1}}])
    assert points(decide_one(program(welcome), member(), event())) == 1
    closed = program(welcome, document("settings", "settings", autoEnrol=False))
    decision = decide_one(closed, member(), event())
    assert (decision.refusal, decision.member.enrolled_at) == (Refusal.unknown_user, None)
