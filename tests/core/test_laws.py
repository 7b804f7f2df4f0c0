"""What holds for every programme and every history."""

from copy import deepcopy

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.core.decide_one import decide_one
from tests.support.factories import campaign, document, event, member, program

AMOUNTS = st.one_of(
    st.integers(-200, 200).filter(bool), st.sampled_from(["floor(data.amount * 10)", "data.amount / 3", "data.nope"])
)
EFFECTS = st.lists(
    st.one_of(
        st.builds(lambda a: {"type": "add_points", "config": {"amount": a}}, AMOUNTS),
        st.builds(lambda a: {"type": "add_metric", "config": {"metric": "xp", "amount": a}}, AMOUNTS),
        st.just({"type": "award_product", "config": {"productId": "prod_1"}}),
        st.just({"type": "emit", "config": {"trigger": "b"}}),
    ),
    min_size=1,
    max_size=3,
)
CAMPAIGNS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "metric.changed"]), EFFECTS, st.integers(0, 3), st.integers(0, 100)),
    max_size=5,
)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["ann", "bob"]), st.integers(0, 150)), max_size=12
)


def programme_of(campaigns):
    product = document("product", "prod_1", sku="P", type="merchandise", allocatedStock=3)
    written = [
        campaign(
            f"camp_{i}",
            trigger=trigger,
            effects=effects,
            conditions=[{"field": "amount", "operator": ">=", "value": least}],
            **({"limit": {"perUser": limit}} if limit else {}),
        )
        for i, (trigger, effects, limit, least) in enumerate(campaigns)
    ]
    return program(product, *written, points={"maximum": 500, "default": 7})


def lived(programme, events):
    states, decisions = {}, []
    for n, (trigger, user, amount) in enumerate(events):
        state = states.get(user) or member(user)
        decision = decide_one(programme, state, event(n, trigger=trigger, user_id=user, amount=amount))
        states[user] = decision.member
        decisions.append(decision)
    return states, decisions


@given(CAMPAIGNS, EVENTS)
@settings(max_examples=150, deadline=None)
def test_books_balance_and_stay_in_their_bounds(campaigns, events):
    states, decisions = lived(programme_of(campaigns), events)
    ids = [transaction.transaction_id for decision in decisions for transaction in decision.transactions]
    assert len(ids) == len(set(ids))
    for state in states.values():
        for metric, balance in state.balances.items():
            own = [
                transaction for d in decisions for transaction in d.transactions
                if transaction.metric == metric and d.member.user_id == state.user_id
            ]  # fmt: skip
            assert balance.amount == sum(transaction.amount for transaction in own)
            assert balance.earned == sum(transaction.amount for transaction in own if transaction.amount > 0)
            assert balance.amount >= 0
            assert metric != "points" or balance.amount <= 500


@given(CAMPAIGNS, EVENTS)
@settings(max_examples=60, deadline=None)
def test_deciding_twice_gives_the_same_and_touches_nothing(campaigns, events):
    programme = programme_of(campaigns)
    states, decisions = lived(programme, events)
    kept = deepcopy(states)
    assert lived(programme, events) == (states, decisions)
    for user, state in states.items():
        decide_one(programme, state, event(99, trigger="a", user_id=user, amount=50))
    assert states == kept


@given(CAMPAIGNS, EVENTS)
@settings(max_examples=60, deadline=None)
def test_the_order_of_different_members_does_not_matter(campaigns, events):
    programme = programme_of(campaigns)
    numbered = list(enumerate(events))
    regrouped = sorted(numbered, key=lambda pair: pair[1][1])
    by_turns, by_member = ({}, {}), ({}, {})
    for order, (states, facts) in ((numbered, by_turns), (regrouped, by_member)):
        for n, (trigger, user, amount) in order:
            happened = event(n, trigger=trigger, user_id=user, amount=amount)
            decision = decide_one(programme, states.get(user) or member(user), happened)
            states[user], facts[n] = decision.member, msgspec.json.encode(decision)
    assert by_turns == by_member
