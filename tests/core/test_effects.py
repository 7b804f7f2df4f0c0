"""Every effect once: what it does, and that what it changes is loaded for it."""

import pytest
from msgspec import structs

from plaudit.core.decide_one import decide_one
from plaudit.core.effects.registry import EFFECTS
from plaudit.core.member import STATE_TABLES, Holding, states_of
from plaudit.mechanics.competitions.state import Standing, entries_of
from plaudit.mechanics.segments.state import segments_of
from plaudit.mechanics.streaks.state import streaks_of
from tests.support.factories import NOON, campaign, document, event, member, program

PROGRAMME = [
    document("product", "mug", sku="mug", type="merchandise"),
    document("product", "seat", sku="seat", type="ticket"),
    document("code_pool", "codes", productId="seat"),
    document("reward", "entry", rewardType="competition_entry", config={"competitionId": "draw", "entries": 2}),
    document("competition", "draw"),
    document("segment", "vip", type="static"),
    document("streak", "daily", triggers=[{"type": "visit"}], freezes={"maximum": 3}),
    document("webhook", "shop", url="https://shop.example/hook", events=["webhook.called"]),
    campaign("camp_other", trigger="other", enrolment="required"),
]
HELD = Holding(3, NOON, NOON)
STORED_PARTS = {"holdings": {"mug": HELD}, "entries": {"draw": 5}, "standings": {"board": Standing(7, NOON)}}
ENTRIES = {"competitionId": "draw", "entries": 2}


# By effect: its settings, the outcome in the trace, and one thing that it has led to.
EFFECT_CASES = {
    "add_points": ({"amount": 10}, 10, lambda d: d.member.balances["points"].amount == 10),
    "add_metric": ({"metric": "xp", "amount": "2 + 3"}, 5, lambda d: d.member.balances["xp"].amount == 5),
    "award_product": (
        {"productId": "mug", "quantity": 2}, {"productId": "mug", "quantity": 2},
        lambda d: d.member.holdings["mug"].quantity == 5,
    ),
    "grant_reward": (
        {"rewardId": "entry"}, {"rewardId": "entry", "rewardType": "competition_entry", "given": ENTRIES},
        lambda d: entries_of(d.member) == {"draw": 7},
    ),
    "issue_coupon": ({"codePoolId": "codes"}, None, lambda d: d.coupons[0].pool_id == "codes"),
    "notify": ({"message": "Hello"}, None, lambda d: d.notifications[0].message == "Hello"),
    "call_webhook": (
        {"webhookId": "shop", "data": {"x": 1}}, {"webhookId": "shop"}, lambda d: d.messages[0].data["x"] == 1,
    ),
    "remove_product": (
        {"productId": "mug", "quantity": 2}, {"productId": "mug", "removed": 2},
        lambda d: d.member.holdings["mug"].quantity == 1,
    ),
    "set_attribute": ({"name": "team", "value": "red"}, {"team": "red"}, lambda d: d.member.attributes == {"team": "red"}),
    "enrol": (
        {"campaignId": "camp_other"}, {"campaignId": "camp_other"},
        lambda d: d.member.progress["camp_other"].enrolled_at == NOON,
    ),
    "emit": ({"trigger": "more"}, {"trigger": "more"}, lambda d: d.member.balances["xp"].amount == 1),
    "check_in": ({"streakId": "daily"}, None, lambda d: streaks_of(d.member)["daily"].current == 1),
    "grant_freeze": ({"streakId": "daily", "quantity": 2}, 2, lambda d: streaks_of(d.member)["daily"].freezes == 2),
    "add_entries": (ENTRIES, ENTRIES, lambda d: entries_of(d.member) == {"draw": 7}),
    "add_to_segment": (
        {"segmentId": "vip"}, {"segmentId": "vip", "member": True}, lambda d: segments_of(d.member)["vip"].member,
    ),
    "remove_from_segment": (
        {"segmentId": "vip"}, {"segmentId": "vip", "member": False}, lambda d: segments_of(d.member)["vip"].manual is False,
    ),
}  # fmt: skip


def with_effect(name):
    listening = campaign("camp_more", "more", effects=[{"type": "add_metric", "config": {"metric": "xp", "amount": 1}}])
    effects = [{"type": name, "config": EFFECT_CASES[name][0]}]
    return program(*PROGRAMME, listening, campaign("camp_1", effects=effects))


def test_every_effect_has_a_case():
    assert list(EFFECT_CASES) == [row.name for row in EFFECTS.types]


def holder(parts):
    """Return a member of whom these parts have been loaded."""
    held = member(enrolled_at=NOON, holdings=STORED_PARTS["holdings"] if "holdings" in parts else {})
    for table in (STATE_TABLES[name] for name in STATE_TABLES if name in parts):
        states = states_of(held, table.kind)
        for key, part in STORED_PARTS[table.name].items():
            states[key] = table.put(states.get(key), part)
    return held


def parts_of(held):
    parts = {
        name: {key: table.part(state) for key, state in held.states.get(table.kind, {}).items() if table.part(state)}
        for name, table in STATE_TABLES.items()
    }
    return {"holdings": held.holdings, **parts}


def the_rest_of(held):
    own = {table.kind for table in STATE_TABLES.values()}
    return structs.replace(
        held, holdings={}, states={kind: held.states[kind] for kind in held.states if kind not in own}
    )


@pytest.mark.parametrize("name", EFFECT_CASES)
def test_it_does_what_it_says(name):
    _, outcome, has_led_to = EFFECT_CASES[name]
    decision = decide_one(with_effect(name), holder(STORED_PARTS), event())
    (effect,) = next(trace.effects for trace in decision.trace if trace.cause.text == "camp_1")
    assert effect.refusal is None
    assert outcome is None or effect.outcome == outcome
    assert has_led_to(decision)


@pytest.mark.parametrize("name", EFFECT_CASES)
def test_what_it_changes_is_loaded_for_it(name):
    """Else it would overwrite what is stored, as if there were nothing."""
    needs = EFFECTS[name].needs
    whole = decide_one(with_effect(name), holder(STORED_PARTS), event())
    partial = decide_one(with_effect(name), holder(needs), event())
    assert partial.trace == whole.trace
    loaded, all_parts = parts_of(partial.member), parts_of(whole.member)
    for part, stored in STORED_PARTS.items():
        assert (loaded[part], all_parts[part]) == ((all_parts[part],) * 2 if part in needs else ({}, stored))
    assert the_rest_of(whole.member) == the_rest_of(partial.member)
