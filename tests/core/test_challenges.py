"""Steps and goals: given this campaign, when a member does this, then they are so far."""

import pytest

from plaudit.core.decision import Refusal
from tests.factories import document, program
from tests.life import Life

PAY = [{"type": "add_points", "config": {"amount": 100}}]


def challenge(*steps, effects=PAY, zone="UTC", **more) -> Life:
    campaign = document("campaign", "camp_1", steps=list(steps), effects=effects, **more)
    return Life(program(campaign, document("settings", "settings", timeZone=zone)), zone=zone)


def step(trigger="visit", name="step", effects=(), **goal):
    return {"name": name, "trigger": trigger, "goal": goal, "effects": list(effects)}


GOALS = [
    ("three visits", {"target": 3}, [("2026-01-01", {}), ("2026-01-02", {}), ("2026-01-03", {})], True),
    ("two are not enough", {"target": 3}, [("2026-01-01", {}), ("2026-01-02", {})], False),
    ("a sum in decimals", {"type": "sum", "field": "v", "target": 0.3}, [("2026-01-01", {"v": 0.1}), ("2026-01-01", {"v": 0.2})], True),
    ("distinct values", {"type": "distinct", "field": "v", "target": 2}, [("2026-01-01", {"v": "a"}), ("2026-01-02", {"v": "b"})], True),
    ("the same value twice", {"type": "distinct", "field": "v", "target": 2}, [("2026-01-01", {"v": "a"}), ("2026-01-02", {"v": "a"})], False),
    ("three in one week", {"target": 3, "window": {"period": "week"}}, [("2026-01-05", {}), ("2026-01-09", {}), ("2026-01-11", {})], True),
    ("three over the end of a week", {"target": 3, "window": {"period": "week"}}, [("2026-01-09", {}), ("2026-01-11", {}), ("2026-01-12", {})], False),
    ("ISO week 53 goes into January", {"target": 2, "window": {"period": "week"}}, [("2026-12-31", {}), ("2027-01-03", {})], True),
    ("29 February is in its month", {"target": 2, "window": {"period": "month"}}, [("2028-02-01", {}), ("2028-02-29 23:59", {})], True),
    ("two within 24 hours", {"target": 2, "window": {"days": 1}}, [("2026-01-01 12:00", {}), ("2026-01-02 11:59", {})], True),
    ("a day apart to the second", {"target": 2, "window": {"days": 1}}, [("2026-01-01 12:00", {}), ("2026-01-02 12:00", {})], False),
    ("a late event fills a rolling window", {"target": 3, "window": {"days": 3}}, [("2026-01-01", {}), ("2026-01-03", {}), ("2026-01-02", {})], True),
    ("two different ones within a day", {"type": "distinct", "field": "v", "target": 2, "window": {"days": 1}}, [("2026-01-01", {"v": 1}), ("2026-01-03", {"v": 2}), ("2026-01-03", {"v": 1})], True),
]  # fmt: skip


@pytest.mark.parametrize(("goal", "events", "done"), [c[1:] for c in GOALS], ids=[c[0] for c in GOALS])
def test_goals(goal, events, done):
    ann = challenge(step(**goal))
    for at, data in events:
        ann.do(at, **data)
    assert (ann.balance() == 100) is done


def test_steps_in_order_wait_for_those_before():
    ann = challenge(step("a"), step("b", effects=[{"type": "add_points", "amount": 5}]), step("c"))
    ann.do("2026-01-01", "b")
    assert ann.refusals() == [Refusal.step_not_open_yet]
    for trigger in ("a", "b", "c"):
        ann.do("2026-01-02", trigger)
    assert ann.balance() == 105
    ann.do("2026-01-03", "c")
    assert (ann.refusals(), ann.balance()) == ([Refusal.step_done], 105)


def test_two_of_three_in_any_order():
    ann = challenge(step("a"), step("b"), step("c"), order="any", required=2)
    ann.do("2026-01-01", "c")
    ann.do("2026-01-02", "a")
    assert ann.balance() == 100
    ann.do("2026-01-03", "b")
    assert (ann.balance(), ann.refusals()) == (100, [Refusal.step_done])


def test_a_repeatable_challenge_begins_anew_up_to_its_limit_and_after_its_cooldown():
    ann = challenge(step(target=2), repeatable=True, limit={"perUser": 2}, cooldown=3600)
    for at in ("10:00", "10:10", "10:20", "11:10", "11:20", "12:30", "12:40"):
        ann.do(f"2026-01-01 {at}")
    assert ann.balance() == 200
    assert ann.refusals() == [Refusal.limit_per_member_reached]


def test_each_occurrence_of_a_recurring_challenge_has_its_own_progress():
    weekly = {"rule": "FREQ=WEEKLY;BYDAY=SA", "durationSeconds": 86_400}
    ann = challenge(
        step(target=2), mode="recurring", startDate="2026-03-01T00:00:00Z", recurrence=weekly, zone="Europe/London"
    )
    ann.do("2026-03-20")  # a Friday
    assert ann.refusals() == [Refusal.campaign_between_occurrences]
    ann.do("2026-03-21")
    ann.do("2026-03-28 00:30")
    assert ann.balance() == 0
    ann.do("2026-03-28 23:30")
    assert ann.balance() == 100
    ann.do("2026-04-04")
    ann.do("2026-04-04")
    assert ann.balance() == 200


def test_a_challenge_that_asks_to_be_joined_counts_nothing_before():
    ann = challenge(step(target=1), enrolment="required")
    ann.do("2026-01-01")
    assert ann.refusals() == [Refusal.not_enrolled]


def test_a_step_that_is_done_and_the_whole_can_be_listened_to():
    told = document(
        "campaign", "camp_2", triggers=[{"type": "step.completed"}, {"type": "campaign.completed"}],
        effects=[{"type": "add_metric", "metric": "xp", "amount": 1}],
    )  # fmt: skip
    ann = challenge(step("a"), step("b"))
    ann.program = program(document("campaign", "camp_1", steps=[step("a"), step("b")], effects=PAY), told)
    ann.do("2026-01-01", "a")
    ann.do("2026-01-01", "b")
    assert (ann.balance(), ann.balance("xp")) == (100, 3)


def test_a_rule_can_stop_those_after_it():
    campaign = document("campaign", "camp_1", simplifiedMode=False)
    rules = [
        document("rule", f"rule_{n}", campaignId="camp_1", triggerType="buy", priority=priority, stopProcessing=stops,
                 effects=[{"type": "add_points", "amount": amount}])
        for n, (priority, stops, amount) in enumerate([(1, False, 1), (9, True, 100), (10, False, 10)])
    ]  # fmt: skip
    ann = Life(program(campaign, *rules))
    ann.do("2026-01-01", "buy")
    assert (ann.balance(), ann.refusals()) == (110, [None, None, Refusal.processing_stopped])
