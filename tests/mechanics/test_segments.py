"""Segments: given these criteria, when this happens to a member, then they are in or out."""

import pytest

from plaudit.core.decision import Refusal
from plaudit.core.event import PROFILE
from plaudit.mechanics.segments.state import segments_of
from tests.support.factories import campaign, document, program
from tests.support.life import Life


def life(*more, zone="UTC", **segment) -> Life:
    pay = campaign(trigger="earn", effects=[{"type": "add_points", "config": {"amount": "amount"}}])
    told = [
        campaign(f"camp_{word}", trigger=f"segment.{word}", effects=[{"type": "notify", "message": word}])
        for word in ("entered", "left")
    ]
    ladder = document("ladder", "club", rungs=[{"rungId": "gold", "name": "Gold", "threshold": 500}])
    streak = document("streak", "daily", triggers=[{"type": "visit"}])
    badge = document("product", "vip", sku="VIP", type="badge")
    made = document("segment", "them", **segment)
    settings = document("settings", "settings", timeZone=zone)
    return Life(program(badge, pay, *told, ladder, streak, made, settings, *more), zone=zone)


def inside(ann: Life, segment: str = "them") -> bool:
    return segment in segments_of(ann.member) and segments_of(ann.member)[segment].member


def messages_of(ann: Life) -> list[str]:
    return [n.message for d in ann.decisions for n in d.notifications]


def bought(times: int, days: int | None = 30, **more):
    return {"count": {"trigger": "buy", "withinDays": days, **more}, "operator": ">=", "value": times}


def did(trigger, **data):
    return lambda ann, day: ann.do(day, trigger, **data)


def profile(**attributes):
    return lambda ann, day: ann.do(day, "profile", PROFILE, attributes=attributes)


CASES = [
    ("points", [{"field": "points", "operator": ">=", "value": 100}], [], [did("earn", amount=100)], True),
    ("not enough points", [{"field": "points", "operator": ">=", "value": 100}], [], [did("earn", amount=99)], False),
    ("a field of the profile", [{"field": "country", "operator": "in", "value": ["NZ"]}], [], [profile(country="NZ")], True),
    ("a field that has changed", [{"field": "country", "operator": "equals", "value": "NZ"}], [], [profile(country="NZ"), profile(country="UK")], False),
    ("tier", [{"field": "tier", "operator": "equals", "value": "gold"}], [], [did("earn", amount=500)], True),
    ("a streak", [{"field": "streaks.daily.current", "operator": ">=", "value": 2}], [], [did("visit"), did("visit")], True),
    ("a campaign done", [{"field": "campaigns.camp_1.completions", "operator": ">=", "value": 2}], [], [did("earn", amount=1)] * 2, True),
    ("excluded", [{"field": "points", "operator": ">=", "value": 1}], [{"field": "country", "operator": "equals", "value": "NZ"}], [did("earn", amount=1), profile(country="NZ")], False),
    ("bought three times", [bought(3)], [], [did("buy")] * 3, True),
    ("bought twice", [bought(3)], [], [did("buy")] * 2, False),
    ("bought big things", [bought(2, conditions=[{"field": "amount", "operator": ">", "value": 50}])], [], [did("buy", amount=51), did("buy", amount=49)], False),
    ("spent 100 in all", [{"sum": {"trigger": "buy", "field": "amount"}, "operator": ">=", "value": 100}], [], [did("buy", amount=33.4)] * 3, True),
    ("never bought", [{"field": "points", "operator": ">=", "value": 0}], [bought(1, None)], [did("earn", amount=1)], True),
]  # fmt: skip


@pytest.mark.parametrize(("include", "exclude", "happens", "wanted"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_criteria(include, exclude, happens, wanted):
    ann = life(include=include, exclude=exclude)
    for n, happen in enumerate(happens):
        happen(ann, f"2026-01-{n + 1:02}")
    assert inside(ann) is wanted


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_time_alone_takes_a_member_out_at_local_midnight(zone):
    ann = life(include=[bought(3)], zone=zone)
    for day in ("01", "10", "20"):
        ann.do(f"2026-03-{day}", "buy")
    assert inside(ann.until("2026-03-30 23:59"))
    assert not inside(ann.until("2026-03-31 00:00"))
    assert messages_of(ann) == ["entered", "left"]


@pytest.mark.parametrize(("today", "wanted"), [("2026-03-30", True), ("2026-03-31", False)])
def test_thirty_days_are_today_and_the_twenty_nine_before(today, wanted):
    ann = life(include=[bought(2)])
    for day in ("2026-03-01", today):
        ann.do(day, "buy")
    assert inside(ann) is wanted


def test_who_has_been_away_for_a_month_comes_in_and_leaves_on_coming_back():
    away = {"daysSince": {"trigger": "visit"}, "operator": ">=", "value": 30}
    ann = life(include=[away])
    ann.do("2026-01-01", "visit")
    assert not inside(ann.until("2026-01-30 23:59"))
    assert inside(ann.until("2026-01-31 00:00"))
    ann.do("2026-02-05", "visit")
    assert not inside(ann)


def test_a_late_event_counts_in_the_window_that_it_belongs_to():
    ann = life(include=[bought(2)])
    ann.do("2026-03-01", "buy")
    ann.do("2026-02-20", "buy")
    assert inside(ann)
    ann.do("2026-01-01", "buy")
    assert not inside(ann.until("2026-03-22"))


def test_the_explanation_shows_each_criterion_and_what_it_found():
    ann = life(include=[{"field": "points", "operator": ">=", "value": 100}, bought(1)])
    ann.do("2026-01-01", "buy")
    decision = ann.do("2026-01-02", "earn", amount=100)
    (trace,) = [trace for trace in decision.trace if trace.cause.text == "segment.them"]
    assert [(check.leaf, check.held, check.actual) for check in trace.checks] == [(0, True, 100), (1, True, 1)]


def test_a_list_and_by_hand():
    put = campaign("camp_put", trigger="put", effects=[{"type": "add_to_segment", "segmentId": "them"}])
    out = campaign("camp_out", trigger="out", effects=[{"type": "remove_from_segment", "segmentId": "them"}])
    ann = life(put, out, type="static", userIds=["ann"])
    ann.do("2026-01-01", "visit")
    assert inside(ann)
    ann.do("2026-01-02", "out")
    assert not inside(ann)
    ann.do("2026-01-03", "put")
    assert (inside(ann), messages_of(ann)) == (True, ["entered", "left", "entered"])


def test_campaigns_and_effects_are_for_whom_they_are_for():
    only = campaign("camp_only", trigger="buy", segments={"include": ["them"]})
    part = campaign(
        "camp_part", trigger="buy",
        effects=[{"type": "add_metric", "metric": "xp", "amount": 1, "segments": {"exclude": ["them"]}}],
    )  # fmt: skip
    ann = life(only, part, include=[{"field": "points", "operator": ">=", "value": 100}])
    ann.do("2026-01-01", "buy")
    assert (ann.balance(), ann.balance("xp")) == (0, 1)
    assert Refusal.not_in_segment in ann.refusals()
    ann.do("2026-01-01", "earn", amount=100)
    ann.do("2026-01-02", "buy")
    assert (ann.balance(), ann.balance("xp")) == (110, 1)


def test_a_segment_and_a_campaign_that_feed_each_other_are_cut_and_reported():
    take = campaign("camp_take", trigger="segment.entered", effects=[{"type": "add_points", "amount": -60}])
    give = campaign("camp_give", trigger="segment.left", effects=[{"type": "add_points", "amount": 60}])
    ann = life(take, give, include=[{"field": "points", "operator": ">=", "value": 100}])
    ann.do("2026-01-01", "earn", amount=100)
    assert Refusal.cascade_cycle in ann.refusals()


def test_segments_can_look_at_segments():
    outer = document("segment", "outer", include=[{"field": "segments", "operator": "contains", "value": "them"}])
    ann = life(outer, include=[{"field": "points", "operator": ">=", "value": 100}])
    ann.do("2026-01-01", "earn", amount=100)
    assert inside(ann, "outer")
