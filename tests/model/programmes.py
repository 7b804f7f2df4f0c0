"""Programmes made up at random, as documents: what a programme may hold, each in a few awkward forms."""

from typing import Any

from hypothesis import strategies as st

from .amounts import Json

ZONES = ["UTC", "America/New_York", "Europe/London", "Pacific/Auckland"]
Documents = list[tuple[str, str, Json]]


def config(**told: Any) -> Json:
    return {"type": "add_points" if "metric" not in told else "add_metric", "config": told}


def campaign(trigger: str, *effects: Json, **more: Any) -> Json:
    return {"triggers": [{"type": trigger}], "effects": list(effects), **more}


ROLLING = [
    {"type": "rolling", "days": 5},
    {"type": "rolling", "days": 20},
    {"type": "rolling", "days": 6, "extendedByActivity": True},
]
EXPIRIES = [None, *ROLLING, {"type": "end_of_month"}, {"type": "end_of_quarter"}]
CAPS = [
    [],
    [],
    [{"period": "day", "amount": 90}],
    [{"period": "week", "amount": 150}, {"period": "day", "amount": 100}],
]
MULTIPLIERS = [
    [], [], [{"name": "Weekend", "factor": 1.5, "weekdays": [6, 7]}],
    [{"name": "a", "factor": 1.5}, {"name": "b", "factor": 0.9, "weekdays": [1, 2, 3, 4]}],
]  # fmt: skip


@st.composite
def metrics(draw: Any, *, simple: bool = False) -> Json:
    raw: Json = {
        "expiry": draw(st.sampled_from(EXPIRIES)), "pendingDays": draw(st.sampled_from([0, 0, 3])),
        "minimum": draw(st.sampled_from([0, 0, -30, None])), "maximum": draw(st.sampled_from([None, None, 250])),
        "onReversal": draw(st.sampled_from(["zero", "debt"])),
    }  # fmt: skip
    if not simple:
        raw["earningCaps"] = draw(st.sampled_from(CAPS))
        raw["multipliers"] = draw(st.sampled_from(MULTIPLIERS))
        raw["stacking"] = draw(st.sampled_from(["highest", "multiply", "add"]))
        raw["decimals"] = draw(st.sampled_from([0, 0, 2]))
        raw["default"] = draw(st.sampled_from([0, 0, 0, 25]))
    return raw


def settings(zone: str, **more: Any) -> tuple[str, str, Json]:
    return ("settings", "settings", {"timeZone": zone, **more})


@st.composite
def books(draw: Any) -> Documents:
    """Points alone: earned, spent, and paid for what becomes of them."""
    found: Documents = [
        settings(draw(st.sampled_from(ZONES)), autoEnrol=draw(st.sampled_from([True, True, True, False]))),
        ("metric", "points", draw(metrics())),
        ("metric", "xp", {}),
    ]
    found.append(("campaign", "camp_earn", campaign("earn", config(amount="amount"), priority=9)))
    found.append(("campaign", "camp_spend", campaign("spend", config(amount="-amount"), priority=8)))
    for number, trigger in enumerate(["metric.expired", "metric.released", "user.enrolled"]):
        if draw(st.booleans()):
            paid = draw(st.sampled_from([config(metric="xp", amount=1), config(amount=7)]))
            found.append(("campaign", f"camp_{trigger}", campaign(trigger, paid, priority=7 - number)))
    return found


# ------------------------------------------------------------------------------------------ challenges and streaks

TRIGGERS = ["visit", "buy", "play"]
WINDOWS = [
    None,
    None,
    None,
    {"days": 3},
    {"days": 10},
    {"seconds": 7200},
    {"period": "day"},
    {"period": "week"},
    {"period": "month"},
]
RULES = [
    ("FREQ=WEEKLY;BYDAY=MO,TH", None), ("FREQ=DAILY;INTERVAL=2", 86_400), ("FREQ=WEEKLY;BYDAY=SA", 172_800),
    ("FREQ=MONTHLY;BYMONTHDAY=-1", 600_000), ("FREQ=DAILY", 3_600 * 14),
]  # fmt: skip
AT_LEAST_20 = [{"field": "amount", "operator": ">=", "value": 20}]


@st.composite
def triggers(draw: Any) -> list[Json]:
    """One trigger or two, perhaps of one type, of which both may hold."""
    found = []
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        conditions = draw(st.sampled_from([None, None, AT_LEAST_20]))
        found.append({"type": draw(st.sampled_from(TRIGGERS)), **({"conditions": conditions} if conditions else {})})
    return found


@st.composite
def goals(draw: Any) -> Json:
    kind = draw(st.sampled_from(["count", "count", "count", "sum", "distinct"]))
    target = draw(st.sampled_from({"count": [1, 2, 3], "sum": [50, 120], "distinct": [2, 3]}[kind]))
    goal = {"type": kind, "target": target, "window": draw(st.sampled_from(WINDOWS))}
    return goal if kind == "count" else goal | {"field": "amount" if kind == "sum" else "game"}


@st.composite
def steps(draw: Any) -> list[Json]:
    count = draw(st.integers(1, 3))
    return [
        {"name": f"step {n}", "triggers": draw(triggers()), "goal": draw(goals()),
         "effects": draw(st.sampled_from([[], [config(metric="xp", amount=1)]]))}
        for n in range(count)
    ]  # fmt: skip


@st.composite
def a_challenge(draw: Any) -> Json:
    raw: Json = {"effects": [config(metric="xp", amount=100)]}
    if draw(st.integers(0, 3)):
        raw["steps"] = draw(steps())
        raw["order"] = draw(st.sampled_from(["sequential", "any"]))
        raw["repeatable"] = draw(st.booleans())
        if len(raw["steps"]) > 1 and draw(st.booleans()):
            raw["required"] = len(raw["steps"]) - 1
    else:
        raw["triggers"] = draw(triggers())
        raw["exclusiveGroup"] = draw(st.sampled_from([None, "one"]))
    if raw.get("repeatable", True):  # what comes once is bounded by nothing else
        raw["limit"] = draw(
            st.sampled_from([None, None, {"perUser": 2}, {"perPeriod": {"period": "week", "count": 1}}])
        )
        raw["cooldown"] = draw(st.sampled_from([None, None, 86_400]))
    raw["enrolment"] = draw(st.sampled_from(["open", "open", "open", "required"]))
    if draw(st.integers(0, 3)) == 0:
        rule, seconds = draw(st.sampled_from(RULES))
        raw |= {"mode": "recurring", "startDate": "2026-03-01T09:00:00+00:00", "recurrence": {"rule": rule}}
        if seconds:
            raw["recurrence"]["durationSeconds"] = seconds
    elif draw(st.integers(0, 3)) == 0:
        raw |= {"startDate": "2026-03-10T00:00:00+00:00", "endDate": "2026-04-20T00:00:00+00:00"}
    return {name: value for name, value in raw.items() if value is not None}


@st.composite
def a_streak(draw: Any) -> Json:
    freezes = draw(
        st.sampled_from([None, {"maximum": 2, "atStart": 1}, {"maximum": 1}, {"maximum": 2, "automatic": False}])
    )
    raw: Json = {
        "triggers": draw(triggers()),
        "cadence": draw(st.sampled_from(["daily", "daily", "daily", "weekly", "monthly"])),
        "threshold": draw(st.sampled_from([1, 1, 2])),
        "graceHours": draw(st.sampled_from([0, 0, 3, 24])),
        "milestones": [
            {"length": length, "effects": [config(metric="xp", amount=1000 * length)]}
            for length in draw(st.sampled_from([[], [2, 3]]))
        ],
        "pauses": draw(st.sampled_from([[], [], [{"start": "2026-03-20", "end": "2026-03-26"}]])),
        "repair": draw(st.sampled_from([None, {"days": 4, "price": {"metric": "xp", "amount": 50}}])),
        "freezes": freezes,
    }
    if freezes and draw(st.booleans()):
        raw["freezes"] = {**freezes, "price": {"metric": "xp", "amount": 30}}
    return raw


@st.composite
def challenges(draw: Any, *, with_streaks: bool = False) -> Documents:
    """Campaigns and streaks: what members do, and what follows."""
    found: Documents = [settings(draw(st.sampled_from(ZONES))), ("metric", "points", {}), ("metric", "xp", {})]
    for number in range(0 if with_streaks else draw(st.integers(1, 3))):
        found.append(("campaign", f"camp_{number}", {**draw(a_challenge()), "priority": 9 - number}))
    for number in range(2 if with_streaks else draw(st.integers(0, 1))):
        found.append(("streak", f"streak_{number}", draw(a_streak())))
    for number, trigger in enumerate(
        ["streak.broken", "streak.extended", "campaign.completed", "step.completed", "streak.frozen"]
    ):
        if draw(st.integers(0, 3)) == 0:
            paid = draw(
                st.sampled_from(
                    [config(metric="xp", amount=7), {"type": "grant_freeze", "config": {"streakId": "streak_0"}}]
                )
            )
            if paid["type"] == "add_metric" or ("streak", "streak_0") in [effect[:2] for effect in found]:
                found.append(("campaign", f"camp_{trigger}", campaign(trigger, paid, priority=4 - number)))
    return found


# ----------------------------------------------------------------------------------- ladders, segments, competitions

LADDER_WINDOWS = [
    {"type": "all_time"},
    {"type": "calendar_year"},
    {"type": "membership_year"},
    {"type": "rolling", "days": 10},
]
CRITERIA = [
    {"count": {"trigger": "buy", "withinDays": 7}, "operator": ">=", "value": 2},
    {"count": {"trigger": "visit"}, "operator": ">=", "value": 3},
    {"sum": {"trigger": "buy", "field": "amount", "withinDays": 30}, "operator": ">", "value": 60},
    {"daysSince": {"trigger": "visit"}, "operator": ">=", "value": 5},
    {"daysSince": {"trigger": "buy"}, "operator": "<", "value": 3},
    {"field": "points", "operator": ">=", "value": 100},
    {"field": "ladders.club.rung", "operator": "==", "value": "r2"},
    {"field": "campaigns.camp_earn.completions", "operator": ">=", "value": 3},
    {"field": "streaks.daily.current", "operator": ">=", "value": 2},
]


@st.composite
def a_ladder(draw: Any, *, pays_points: bool) -> Json:
    """Of two ladders by one metric, which is looked at first is nobody's business: only one of them pays the metric."""
    paid = draw(st.sampled_from([config(metric="xp", amount=1), config(metric="xp", amount=1), config(amount=5)]))
    paid = paid if pays_points else config(metric="xp", amount=1)
    bottom = draw(st.sampled_from([0, 0, 20]))
    return {
        "metric": "points", "window": draw(st.sampled_from(LADDER_WINDOWS)), "graceDays": draw(st.sampled_from([0, 0, 4, 12])),
        "softLanding": draw(st.booleans()),
        "rungs": [
            {"rungId": f"r{n}", "name": "R", "threshold": bottom + 80 * n, "effects": [paid], "effectsOnce": draw(st.booleans())}
            for n in range(4)
        ],
    }  # fmt: skip


@st.composite
def a_segment(draw: Any) -> Json:
    found = draw(st.lists(st.sampled_from(CRITERIA), min_size=1, max_size=2))
    excluded = draw(st.lists(st.sampled_from(CRITERIA), max_size=1))
    return {"include": found, "exclude": excluded}


@st.composite
def a_competition(draw: Any) -> Json:
    score = draw(st.sampled_from([{"metric": "points"}, {"trigger": "buy"}, {"trigger": "buy", "field": "amount"}]))
    raw: Json = {"score": score}
    if draw(st.booleans()):
        raw["leagues"] = {
            "divisions": ["bronze", "silver", "gold"], "period": draw(st.sampled_from(["day", "week", "month"])),
            "promote": draw(st.integers(0, 2)), "relegate": draw(st.integers(0, 2)),
        }  # fmt: skip
        prize = {"fromRank": 1, "toRank": 1, "effects": [config(metric="xp", amount=50)]}
        raw["prizes"] = draw(st.sampled_from([[], [prize]]))
    elif draw(st.booleans()):
        raw |= {"startDate": "2025-12-10T00:00:00+00:00", "endDate": "2026-02-10T00:00:00+00:00"}
    raw["segments"] = draw(st.sampled_from([None, None, {"exclude": ["seg_0"]}]))
    return {name: value for name, value in raw.items() if value is not None}


@st.composite
def standings(draw: Any) -> Documents:
    """Ladders, segments and competitions: where members stand."""
    found: Documents = [
        settings(draw(st.sampled_from(ZONES))),
        ("metric", "points", draw(metrics(simple=True))),
        ("metric", "xp", {}),
    ]
    found.append(("campaign", "camp_earn", campaign("buy", config(amount="amount"), priority=9)))
    found.append(("campaign", "camp_spend", campaign("spend", config(amount="-amount"), priority=8)))
    found.append(("streak", "daily", {"triggers": [{"type": "visit"}]}))
    found += [
        ("ladder", name, draw(a_ladder(pays_points=name == "club")))
        for name in ["club", "year"][: draw(st.integers(1, 2))]
    ]
    found += [("segment", f"seg_{n}", draw(a_segment())) for n in range(draw(st.integers(1, 2)))]
    found += [("competition", f"comp_{n}", draw(a_competition())) for n in range(draw(st.integers(0, 2)))]
    told = ["segment.entered", "segment.left", "ladder.rung_changed", "metric.expired", "streak.broken"]
    for number, trigger in enumerate(told):
        if draw(st.integers(0, 2)) == 0:
            paid = draw(
                st.sampled_from([config(metric="xp", amount=7), config(metric="xp", amount=7), config(amount=3)])
            )
            audience = draw(st.sampled_from([None, {"include": ["seg_0"]}]))
            more = {"segments": audience} if audience else {}
            found.append(("campaign", f"camp_{trigger}", campaign(trigger, paid, priority=7 - number, **more)))
    return found


# ------------------------------------------------------------------------------------------------------- late events


@st.composite
def a_patient_challenge(draw: Any) -> Json:
    """One that comes to the same in any order: without limits and rounds, with goals that no event can spoil."""
    return {
        "steps": draw(steps()),
        "order": draw(st.sampled_from(["sequential", "any"])),
        "effects": [config(metric="xp", amount=100)],
    }


@st.composite
def a_patient_streak(draw: Any) -> Json:
    return {
        "triggers": [{"type": "visit"}], "cadence": draw(st.sampled_from(["daily", "daily", "weekly"])),
        "threshold": draw(st.sampled_from([1, 1, 2])),
        "freezes": draw(st.sampled_from([None, {"maximum": 2, "atStart": 1}, {"maximum": 1}])),
        "pauses": draw(st.sampled_from([[], [], [{"start": "2026-03-20", "end": "2026-03-22"}]])),
    }  # fmt: skip


@st.composite
def patient(draw: Any) -> Documents:
    """A programme under which events come to the same in whichever order they are reported."""
    caps = draw(st.sampled_from([[], [], [{"period": "day", "amount": 90}]]))
    # No pause between two events is long enough for anything to expire before the later one arrives: each earns something.
    put_off = {"type": "rolling", "days": 21, "extendedByActivity": True}
    points: Json = {
        "expiry": draw(st.sampled_from([None, {"type": "rolling", "days": 5}, {"type": "end_of_month"}, put_off])), "earningCaps": caps,
        "pendingDays": 0 if caps else draw(st.sampled_from([0, 3])),
    }  # fmt: skip
    found: Documents = [settings(draw(st.sampled_from(ZONES))), ("metric", "points", points), ("metric", "xp", {})]
    amount = 2 if points["expiry"] == put_off else "amount"
    found.append(("campaign", "camp_earn", campaign("buy", config(amount=amount), priority=9)))
    if points["expiry"] == put_off:
        points["earningCaps"] = []
        found += [
            ("campaign", f"camp_{name}", campaign(name, config(amount=1), priority=8)) for name in ("visit", "play")
        ]
    found += [
        ("campaign", f"camp_{n}", {**draw(a_patient_challenge()), "priority": 7 - n})
        for n in range(draw(st.integers(0, 2)))
    ]
    found.append(("streak", "daily", draw(a_patient_streak())))
    freeze = {"type": "grant_freeze", "config": {"streakId": "daily"}}
    found.append(("campaign", "camp_gift", campaign("play", freeze, priority=3)))
    rungs = [{"rungId": f"r{n}", "name": "R", "threshold": 80 * n} for n in range(3)]
    window = draw(st.sampled_from([{"type": "all_time"}, {"type": "rolling", "days": 10}]))
    found.append(("ladder", "club", {"metric": "points", "window": window, "rungs": rungs}))
    criteria = [criterion for criterion in CRITERIA if "ladders" not in str(criterion)]
    found.append(("segment", "seg_0", {"include": draw(st.lists(st.sampled_from(criteria), min_size=1, max_size=2))}))
    score = draw(st.sampled_from([{"metric": "points"}, {"trigger": "buy"}]))
    found.append(("competition", "comp_0", {"score": score, "startDate": "2026-03-10T00:00:00+00:00"}))
    return found
