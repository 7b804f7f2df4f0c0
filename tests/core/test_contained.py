"""A part of a decision that raises, whatever it raises, is refused; the rest of the event is as if it were not there."""

from types import SimpleNamespace
from typing import cast

import msgspec
import pytest
from msgspec import structs

from plaudit.core.decide_one import decide_one
from plaudit.core.decision import EffectTrace, Refusal, Trace
from plaudit.core.effects.effect_type import EffectSettings, EffectType
from plaudit.core.effects.registry import EFFECTS, EffectModule
from plaudit.core.program import Effect
from plaudit.mechanics.competitions.state import standings_of
from plaudit.mechanics.ladders.state import ladders_of
from plaudit.mechanics.streaks.state import streaks_of
from tests.support.factories import NOON, campaign, document, event, member, program
from tests.support.life import Life


class PanicError(BaseException):
    """As a library in another language raises it: no `except Exception` holds it."""


PROBLEMS = [PanicError, ZeroDivisionError, RecursionError, MemoryError]


@pytest.fixture(autouse=True)
def raise_effect():
    """An effect that may apply another one, and then raises."""

    def apply(context, place, settings):
        problem, after = settings
        if after is not None:
            context.apply_effect(after, place)
        raise problem

    effect_type = EffectType(name="raise", sentence="Raise.", settings=EffectSettings, apply=apply)
    module = cast("EffectModule", SimpleNamespace(EFFECT=effect_type))
    EFFECTS.register(module)
    yield
    EFFECTS.unregister(module)


def raising(problem, after=None):
    return Effect("raise", (problem, after))


def with_effect(made, campaign_id, effect):
    """A programme in which a campaign's first effect is another."""
    listeners = {
        trigger: tuple(
            structs.replace(entry, effects=(effect, *entry.effects[1:]))
            if entry.campaign.campaign_id == campaign_id
            else entry
            for entry in listener
        )
        for trigger, listener in made.listeners.items()
    }
    return structs.replace(made, listeners=listeners)


def with_condition(made, campaign_id, condition):
    listeners = {
        trigger: tuple(
            structs.replace(entry, condition=condition) if entry.campaign.campaign_id == campaign_id else entry
            for entry in listener
        )
        for trigger, listener in made.listeners.items()
    }
    return structs.replace(made, listeners=listeners)


def points(decision):
    balance = decision.member.balances.get("points")
    return 0 if balance is None else balance.amount


TWO = [{"type": "add_points", "config": {"amount": 5}}, {"type": "add_points", "config": {"amount": 1}}]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_an_effect_that_raises_is_refused_and_leaves_nothing_of_what_it_did(problem):
    made = program(campaign("camp_a", effects=TWO), campaign("camp_b"))
    broken = with_effect(made, "camp_a", raising(problem, after=made.listeners["purchase"][0].effects[0]))
    before = member()
    decision = decide_one(broken, before, event())
    assert points(decision) == 11  # 1 of the effect after it, 10 of the other campaign, nothing of its own
    assert [transaction.amount for transaction in decision.transactions] == [1, 10]
    first, second = decision.trace
    assert first.refusal is None
    assert first.effects[0] == EffectTrace(0, Refusal.evaluation_failed, f"could not be evaluated ({problem.__name__})")
    assert (first.effects[1].refusal, second.refusal) == (None, None)
    assert [(fault.cause.text, type(fault.problem)) for fault in decision.faults] == [("camp_a", problem)]
    assert before == member()


class Raising:
    """A condition that is no tree of ours: it raises."""

    def __init__(self, problem):
        self.problem = problem

    def holds(self, _scope, _checks):
        raise self.problem


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_campaign_that_raises_is_refused_and_the_others_fire(problem):
    made = with_condition(program(campaign("camp_a"), campaign("camp_b")), "camp_a", Raising(problem))
    decision = decide_one(made, member(), event())
    assert points(decision) == 10
    assert decision.trace[0] == Trace(
        "camp_a", 0, 0, Refusal.evaluation_failed, [], [], None,
        {"problem": f"could not be evaluated ({problem.__name__})"},
    )  # fmt: skip
    assert decision.trace[1].refusal is None
    assert "camp_a" not in decision.member.progress


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_process_is_not_kept(problem):
    made = with_condition(program(campaign("camp_a")), "camp_a", Raising(problem))
    with pytest.raises(problem):
        decide_one(made, member(), event())


def test_each_of_several_parts_that_raise_is_refused_and_what_follows_from_the_others_goes_on():
    emit = [{"type": "emit", "config": {"trigger": "more"}}]
    made = program(
        campaign("camp_a", effects=TWO), campaign("camp_b", effects=emit), campaign("camp_c", trigger="more"),
        campaign("camp_d", trigger="more", effects=TWO),
    )  # fmt: skip
    for name in ("camp_a", "camp_d"):
        made = with_effect(made, name, raising(PanicError))
    decision = decide_one(made, member(), event())
    assert points(decision) == 12
    assert [trace.cause.text for trace in decision.trace if any(effect.refusal for effect in trace.effects)] == [
        "camp_a",
        "camp_d",
    ]
    assert len(decision.faults) == 2
    again = decide_one(made, member(), event())
    assert msgspec.json.encode(again.trace) == msgspec.json.encode(decision.trace)


def test_streaks_ladders_competitions_and_segments_contain_their_own_faults(monkeypatch):
    made = program(
        campaign("camp_a"),
        document("streak", "daily", triggers=[{"type": "purchase"}]),
        document("ladder", "status", metric="points", rungs=[{"rungId": "gold", "name": "Gold", "threshold": 5}]),
        document("competition", "cup", score={"trigger": "purchase"}),
        document("competition", "race", score={"metric": "points"}),
        document("segment", "big", include=[{"field": "points", "operator": ">", "value": 1}]),
    )
    for name in (
        "mechanics.streaks.rules.check_in",
        "mechanics.ladders.rules._climb",
        "mechanics.competitions.scores._score",
        "mechanics.segments.rules.is_member",
    ):
        monkeypatch.setattr(f"plaudit.{name}", lambda *_: (_ for _ in ()).throw(PanicError))
    decision = decide_one(made, member(), event())
    assert points(decision) == 10
    refused = {trace.cause.text: trace.refusal for trace in decision.trace}
    assert refused.pop("camp_a") is None
    assert refused == dict.fromkeys(
        ["streak.daily", "ladder.status", "competition.cup", "competition.race", "segment.big"],
        Refusal.evaluation_failed,
    )
    assert (streaks_of(decision.member), ladders_of(decision.member), standings_of(decision.member)) == ({}, {}, {})


def test_what_falls_due_and_raises_holds_up_nothing(monkeypatch):
    ann = Life(program(campaign("camp_a"), document("streak", "daily", triggers=[{"type": "purchase"}])))
    ann.do("2026-01-01", "purchase")
    monkeypatch.setattr("plaudit.mechanics.streaks.rules.miss_period", lambda *_: (_ for _ in ()).throw(PanicError))
    decision = ann.do("2026-01-05", "purchase")
    assert points(decision) == 20
    assert streaks_of(decision.member)["daily"].current == 1


def test_a_part_of_every_campaign_that_raises_fails_the_event_at_last():
    made = program(*[campaign(f"camp_{n}") for n in range(60)])
    for n in range(60):
        made = with_condition(made, f"camp_{n}", Raising(PanicError))
    with pytest.raises(PanicError):
        decide_one(made, member(), event())


def test_a_condition_whose_value_raises_when_it_is_looked_at_is_not_met():
    class Odd(str):
        __slots__ = ()

        def __eq__(self, other):
            raise PanicError

        __hash__ = str.__hash__

    shop = [{"field": "shop", "operator": "equals", "value": "x"}]
    decision = decide_one(
        program(campaign("camp_a", conditions=shop), campaign("camp_b")), member(), event(shop=Odd("x"))
    )
    assert [trace.refusal for trace in decision.trace] == [Refusal.condition_failed, None]
    assert decision.trace[0].checks[0].actual == "could not be evaluated (PanicError)"


AMOUNTS = [
    ("floor(data.amount)", {"amount": 10, "barcode": 55555555555555555555}, None, 10),
    ("floor(data.amount)", {"amount": 10, "far": 7.9e28}, None, 10),
    ("floor(data.amount)", {"amount": 55555555555555555555}, Refusal.amount_out_of_range, 0),
    ("data.amount", {"amount": 10**400}, Refusal.amount_out_of_range, 0),
    ("data.amount", {"amount": 1e300}, Refusal.amount_out_of_range, 0),
    ("number(data.amount)", {"amount": "1e999999"}, Refusal.amount_out_of_range, 0),
    ("data.amount", {"amount": "1e999999"}, Refusal.amount_not_a_number, 0),
    ("data.amount", {}, Refusal.amount_not_a_number, 0),
    ("10 / data.amount", {"amount": 0}, Refusal.amount_not_a_number, 0),
    ("data.amount > 1", {"amount": 5}, Refusal.amount_not_a_number, 0),
]


@pytest.mark.parametrize(("formula", "data", "refusal", "credited"), AMOUNTS)
def test_an_amount_that_cannot_be_computed_is_refused_and_the_event_goes_on(formula, data, refusal, credited):
    paid = [{"type": "add_points", "config": {"amount": formula}}]
    decision = decide_one(program(campaign("camp_a", effects=paid), campaign("camp_b")), member(), event(**data))
    assert decision.trace[0].effects[0].refusal is refusal
    assert points(decision) == credited + 10
    assert not decision.faults


def test_a_score_beyond_what_can_be_written_down_is_refused_and_stays_as_it_was():
    cup = document("competition", "cup", score={"trigger": "sc", "field": "ms"}, endDate="2099-01-01T00:00:00Z")
    one_point = [{"type": "add_points", "config": {"amount": 1}}]
    made = program(cup, campaign("camp_c", trigger="sc", effects=one_point))
    ann = member()
    for n in range(6):
        decision = decide_one(made, ann, event(n, "sc", ms=1764064800000 + n))
        ann = decision.member
    assert ann.balances["points"].amount == 6
    assert standings_of(ann)["cup"].score == sum(1764064800000 + n for n in range(5)) * 10**6
    assert [(trace.cause.text, trace.refusal) for trace in decision.trace] == [
        ("competition.cup", Refusal.amount_out_of_range), ("camp_c", None)
    ]  # fmt: skip
    for hostile in (10**400, -(10**40), 1e300, "1e30", "1e999999", "9" * 40):
        decision = decide_one(made, ann, event(9, "sc", ms=hostile))
        assert decision.trace[0].refusal is Refusal.amount_out_of_range
        assert not decision.faults
        assert standings_of(decision.member)["cup"].score == standings_of(ann)["cup"].score


@pytest.mark.parametrize("value", [10**400, 1e300, 9.3e12, -9.3e12, "1e30", "-1e999999"])
def test_a_sum_beyond_what_can_be_written_down_is_refused_in_goals_and_segments(value):
    goal = {"type": "sum", "field": "value", "target": 100}
    steps = [{"name": "one", "triggers": [{"type": "purchase"}], "goal": goal, "effects": TWO}]
    spent = {"sum": {"trigger": "purchase", "field": "value"}, "operator": ">", "value": 100}
    made = program(
        document("campaign", "camp_a", steps=steps),
        campaign("camp_b"),
        document("segment", "spenders", include=[spent]),
    )
    decision = decide_one(made, member(), event(at=NOON, value=value))
    assert points(decision) == 10
    refused = {trace.cause.text: trace.refusal for trace in decision.trace}
    assert refused == {
        "segment.spenders": Refusal.amount_out_of_range, "camp_a": Refusal.amount_out_of_range, "camp_b": None
    }  # fmt: skip
