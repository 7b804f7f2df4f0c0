"""Steps and goals: given this campaign, when a member does this, then they are so far."""

from datetime import date, timedelta
from itertools import permutations

import pytest

from plaudit.core.decision import Refusal
from plaudit.core.goals import Goal, count_event
from plaudit.core.member import StepProgress
from plaudit.core.sequences import REMEMBERED_MAX, further
from tests.support.factories import NOON, document, program
from tests.support.life import Life

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
    ("a late event fills a rolling window that is over", {"target": 3, "window": {"days": 3}}, [("2026-01-01", {}), ("2026-01-03", {}), ("2026-01-20", {}), ("2026-01-02", {})], True),
    ("a late event before all others in its window", {"target": 3, "window": {"days": 3}}, [("2026-01-02", {}), ("2026-01-03", {}), ("2026-01-20", {}), ("2026-01-01", {})], True),
    ("a late event that is not near enough", {"target": 3, "window": {"days": 3}}, [("2026-01-01", {}), ("2026-01-04", {}), ("2026-01-20", {}), ("2026-01-02", {})], False),
    ("a late sum in a rolling window that is over", {"type": "sum", "field": "v", "target": 5, "window": {"days": 3}}, [("2026-01-01", {"v": 2}), ("2026-01-20", {"v": 2}), ("2026-01-02", {"v": 3})], True),
    ("a late value that its window has already", {"type": "distinct", "field": "v", "target": 2, "window": {"days": 3}}, [("2026-01-01", {"v": 1}), ("2026-01-20", {"v": 2}), ("2026-01-02", {"v": 1})], False),
    ("a late event in a week that is over", {"target": 2, "window": {"period": "week"}}, [("2026-01-05", {}), ("2026-01-12", {}), ("2026-01-06", {})], True),
    ("a late event in a week of its own", {"target": 2, "window": {"period": "week"}}, [("2026-01-12", {}), ("2026-01-05", {}), ("2026-01-20", {}), ("2026-01-06", {})], True),
    ("a late value that its week has already", {"type": "distinct", "field": "v", "target": 2, "window": {"period": "week"}}, [("2026-01-05", {"v": 1}), ("2026-01-12", {"v": 2}), ("2026-01-06", {"v": 1})], False),
    ("two different ones within a day", {"type": "distinct", "field": "v", "target": 2, "window": {"days": 1}}, [("2026-01-01", {"v": 1}), ("2026-01-03", {"v": 2}), ("2026-01-03", {"v": 1})], True),
]  # fmt: skip


@pytest.mark.parametrize(("goal", "events", "done"), [c[1:] for c in GOALS], ids=[c[0] for c in GOALS])
def test_goals(goal, events, done):
    ann = challenge(step(**goal))
    for at, data in events:
        ann.do(at, **data)
    assert (ann.balance() == 100) is done


@pytest.mark.parametrize(("target", "done"), [(1_000, True), (1_001, False)])
def test_a_rolling_window_counts_its_latest_thousand_events(target, done):
    goal = Goal(type="count", target=target, rolling=timedelta(days=1))
    times = tuple((NOON + timedelta(seconds=n), 1) for n in range(1_000))
    before = StepProgress(value=1_000, times=times, last_at=times[-1][0])
    after = count_event(goal, before, 1, None, NOON + timedelta(hours=1), "UTC")
    assert isinstance(after, StepProgress)
    assert (after.value, after.done_at is not None) == (1_000, done)


@pytest.mark.parametrize(("window", "days"), [({"days": 1}, 52), ({"period": "day"}, 7)])
def test_a_late_event_of_longer_ago_than_is_remembered_is_refused(window, days):
    """Fifty events older than a rolling window are remembered, and five calendar windows that are over."""
    ann = challenge(step(target=9, window=window))
    for n in range(days):
        ann.do((date(2026, 2, 1) + timedelta(days=n)).isoformat())
    for _ in range(2):
        ann.do("2026-02-01")
        assert ann.refusals() == [Refusal.goal_window_closed]
    ann.do("2026-02-02")
    assert ann.refusals() == [None]


def test_steps_in_order_wait_for_those_before():
    ann = challenge(step("a"), step("b", effects=[{"type": "add_points", "amount": 5}]), step("c"))
    ann.do("2026-01-01", "b")
    assert ann.refusals() == [Refusal.step_locked]
    for trigger in ("a", "b", "c"):
        ann.do("2026-01-02", trigger)
    assert ann.balance() == 105
    ann.do("2026-01-03", "c")
    assert (ann.refusals(), ann.balance()) == ([Refusal.step_already_completed], 105)


def test_two_of_three_in_any_order():
    ann = challenge(step("a"), step("b"), step("c"), order="any", required=2)
    ann.do("2026-01-01", "c")
    ann.do("2026-01-02", "a")
    assert ann.balance() == 100
    ann.do("2026-01-03", "b")
    assert (ann.balance(), ann.refusals()) == (100, [Refusal.step_already_completed])


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


def test_an_event_that_two_triggers_of_a_step_take_counts_once():
    both = {
        "name": "s",
        "triggers": [{"type": "buy"}, {"type": "buy", "conditions": [{"field": "n", "operator": ">", "value": 5}]}],
    }
    ann = challenge({**both, "goal": {"target": 2}})
    ann.do("2026-01-01", "buy", n=9)
    assert (ann.refusals(), ann.balance()) == ([None, Refusal.event_counted], 0)
    ann.do("2026-01-02", "buy", n=1)
    assert ann.balance() == 100


def test_a_campaign_of_which_two_triggers_hold_pays_once_and_fails_nothing():
    triggers = [{"type": "buy"}, {"type": "buy"}]
    twice = document("campaign", "camp_1", triggers=triggers, effects=PAY, limit={"overall": 3})
    ann = Life(program(twice, document("campaign", "camp_2", triggers=[{"type": "buy"}], effects=PAY)))
    decision = ann.do("2026-01-01", "buy")
    assert (ann.refusals(), ann.balance()) == ([None, Refusal.event_counted, None], 200)
    assert len(decision.claims) == 1
    assert ann.member.progress["camp_1"].completions == 1


def test_buy_once_then_buy_again_takes_two_events():
    ann = challenge(step("buy"), step("buy"))
    ann.do("2026-01-01", "buy")
    assert (ann.refusals(), ann.balance()) == ([None, Refusal.event_counted], 0)
    ann.do("2026-01-02", "buy")
    assert (ann.refusals(), ann.balance()) == ([Refusal.step_already_completed, None], 100)


@pytest.mark.parametrize("order", ["sequential", "any"])
def test_an_event_counts_in_one_round_only(order):
    ann = challenge(
        step("a"), step("b"), step("b"), order=order, repeatable=True, required=2 if order == "any" else None
    )
    for day, trigger in enumerate(["a", "b", "b"][: 2 if order == "any" else 3], 1):
        ann.do(f"2026-01-{day:02}", trigger)
    assert ann.balance() == 100
    assert ann.member.progress["camp_1"].steps == {}


def test_an_event_may_count_for_several_steps_that_are_in_any_order():
    ann = challenge(step("buy"), step("buy", target=2), order="any")
    ann.do("2026-01-01", "buy")
    assert ann.refusals() == [None, None]
    ann.do("2026-01-02", "buy")
    assert ann.balance() == 100


SEQUENCE = [("a", "2026-01-01"), ("a", "2026-01-02"), ("b", "2026-01-03"), ("c", "2026-01-04"), ("c", "2026-01-05")]


@pytest.mark.parametrize("order", list(permutations(range(len(SEQUENCE)))), ids=str)
def test_steps_in_order_come_out_the_same_in_whichever_order_their_events_are_reported(order):
    ann = challenge(step("a", target=2), step("b", effects=[{"type": "add_points", "amount": 5}]), step("c", target=2))
    for place in order:
        trigger, at = SEQUENCE[place]
        ann.do(at, trigger)
    done = ann.member.progress["camp_1"].steps
    assert ann.balance() == 105
    assert [done[number].done_at for number in range(3)] == [ann.at(f"2026-01-{day:02}") for day in (2, 3, 5)]


def test_what_happened_before_a_step_was_open_never_counts_for_it():
    ann = challenge(step("a"), step("b"))
    ann.do("2026-01-02", "b")
    ann.do("2026-01-03", "a")
    assert ann.balance() == 0
    ann.do("2026-01-01", "b")
    assert (ann.refusals(), ann.balance()) == ([Refusal.step_locked], 0)
    ann.do("2026-01-04", "b")
    assert ann.balance() == 100


TWICE = [step("a", target=2), step("b")]
AGAIN = [step("a"), step("a")]
# The steps, what is reported in this order (the day and what it was), when each step was done, and what it has paid.
LATE = [
    ("a step is done earlier, and what came since counts for the next", [step("a"), step("b")], ["2 b", "3 a", "1 a"], [1, 2], 100),
    ("… which counted before all the same", [step("a"), step("b", target=2)], ["3 a", "4 b", "1 a"], [1, None], 0),
    ("… and together they are enough", [step("a"), step("b", target=2)], ["2 b", "3 a", "4 b", "1 a"], [1, 4], 100),
    ("what comes after a step was done changes nothing", [step("a"), step("b")], ["2 a", "3 a", "1 b"], [2, None], 0),
    ("the second of two is the one that counts", TWICE, ["2 a", "5 a", "4 b", "3 a"], [3, 4], 100),
    ("buy, then buy again, the other way round", AGAIN, ["2 a", "1 a"], [1, 2], 100),
    ("a third one in between", [*AGAIN, step("a")], ["3 a", "1 a", "2 a"], [1, 2, 3], 100),
    ("all steps after it are earlier", [step("a"), step("b"), step("c"), step("d")], ["2 b", "3 c", "4 a", "5 b", "6 c", "1 a"], [1, 2, 3, None], 0),
    ("a sum is reached earlier", [step("a", type="sum", field="v", target=5), step("b")], ["1 a 3", "3 b", "4 a 3", "2 a 3"], [2, 3], 100),
    ("what counted is left for the next, far from half way too", [step("a", type="sum", field="v", target=5), step("a")], ["2 a 2", "1 a 5"], [1, 2], 100),
    ("a value that counted is the first of its kind", [step("a", type="distinct", field="v", target=2), step("b")], ["1 a 1", "3 b", "4 a 2", "2 a 2"], [2, 3], 100),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "reported", "done", "paid"), [c[1:] for c in LATE], ids=[c[0] for c in LATE])
def test_a_late_event_takes_its_place_in_the_sequence(steps, reported, done, paid):
    ann = challenge(*steps)
    for happened in reported:
        day, trigger, *value = happened.split()
        ann.do(f"2026-01-0{day}", trigger, v=int(value[0]) if value else None)
    found = ann.member.progress["camp_1"].steps
    days = [found[number].done_at for number in range(len(steps)) if number in found]
    assert [None if at is None else at.day for at in days] == done[: len(days)]
    assert ann.balance() == paid


def test_what_a_step_remembers_is_bounded_and_forgotten_when_the_campaign_is_completed():
    ann = challenge(step("a", target=50), step("a"))
    for day in range(50):
        ann.do((date(2026, 1, 1) + timedelta(days=day)).isoformat(), "a")
    assert [len(step_progress.early) for step_progress in ann.member.progress["camp_1"].steps.values()] == [
        REMEMBERED_MAX,
        REMEMBERED_MAX,
    ]
    ann.do("2026-01-01 13:00", "a")  # takes the place of the last one, which is left for the step after it
    assert ann.balance() == 100
    assert [step_progress.early for step_progress in ann.member.progress["camp_1"].steps.values()] == [(), ()]


def test_what_came_early_counts_for_one_step_only():
    ann = challenge(step("a"), step("b"), step("b"))
    ann.do("2026-01-02", "b")
    ann.do("2026-01-01", "a")
    assert ann.balance() == 0
    ann.do("2026-01-03", "b")
    assert ann.balance() == 100


def test_of_two_members_steps_the_further_one_goes_on_and_what_came_early_for_steps_not_begun_is_kept():
    first, second = ((NOON + timedelta(days=n), 1, None) for n in range(2))
    begun = StepProgress(value=2, early=(first,))
    assert further(begun, StepProgress(early=(second,))) == begun
    assert further(StepProgress(early=(second,)), StepProgress(early=(first,))).early == (first, second)
