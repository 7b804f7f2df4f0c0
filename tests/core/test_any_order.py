"""A history that is reported in any order, with time passing in between, comes to what it comes to in its order."""

from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from plaudit.core.member import Progress
from plaudit.mechanics.segments.state import state_in
from plaudit.mechanics.streaks.state import StreakState, streaks_of
from tests.support.factories import campaign, document, program
from tests.support.life import Life

BEGIN = datetime(2026, 3, 20, tzinfo=UTC)
DAYS = 24

# What happened (its hour and what it was) and how many hours later it was reported.
HOURS = st.integers(0, DAYS * 24)
DELAYS = st.one_of(st.just(0), st.integers(0, 60), st.integers(0, DAYS * 24))


def histories(triggers: list[str], size: int = 24):
    happening = st.tuples(HOURS, st.sampled_from(triggers), st.integers(1, 9), DELAYS)
    return st.lists(happening, min_size=1, max_size=size, unique_by=lambda event: event[0])


def local(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M")


def lived(compiled, history, *, late: bool, timers: bool = True) -> Life:
    """The life of a member: each thing reported at once, or late, with all that falls due by then before it.

    Without `timers` what falls due is seen to by the members' own events only, as when a file is read that has them so.
    """
    ann = Life(compiled)
    ordered = sorted(history, key=lambda entry: (entry[0] + entry[3], entry[0]) if late else (entry[0], 0))
    for hour, trigger, amount, delay in ordered:
        if timers:
            ann.until(local(BEGIN + timedelta(hours=hour + (delay if late else 0))))
        ann.do(local(BEGIN + timedelta(hours=hour)), trigger, amount=amount)
    ann.until(local(BEGIN + timedelta(hours=max(hour + delay for hour, _, _, delay in history))))
    assert not any(decision.faults for decision in ann.decisions)
    return ann


STREAKS = st.fixed_dictionaries(
    {
        "cadence": st.sampled_from(["daily", "daily", "weekly"]),
        "threshold": st.sampled_from([1, 1, 2]),
        "freezes": st.sampled_from(
            [None, {"maximum": 1}, {"maximum": 1, "atStart": 1}, {"maximum": 3, "atStart": 2}, {"maximum": 2}]
        ),
        "pauses": st.sampled_from([[], [{"start": "2026-03-25", "end": "2026-03-27"}]]),
    }
)


NONE = StreakState()


def shown(state: StreakState):
    frozen = tuple(sorted(state.frozen))
    return (
        state.spans, state.counts, state.current, state.longest, state.alive, state.freezes, frozen,
        state.lapsed_at, state.due_at,
    )  # fmt: skip


def streak_program(streak, **points):
    give = {"type": "grant_freeze", "streakId": "daily", "quantity": 1}
    return program(
        campaign("camp_points", trigger="visit", effects=[{"type": "add_points", "amount": 1}]),
        document("streak", "daily", triggers=[{"type": "visit"}], **streak),
        campaign(trigger="gift", effects=[give]),
        document("settings", "settings", timeZone="Europe/London"),
        points=points,
    )


@given(STREAKS, histories(["visit", "visit", "visit", "visit", "gift"], 40))
@settings(max_examples=150, deadline=None)
def test_a_streak(streak, history):
    compiled = streak_program(streak)
    in_order, late = (
        lived(compiled, history, late=late).member.states.get("streak", {}).get("daily", NONE) for late in (False, True)
    )
    assert shown(late) == shown(in_order)


# What of a streak is decided by what is known when something is reported (see the guide); but not by what timers have done.
BY_THEN = st.fixed_dictionaries(
    {
        "graceHours": st.sampled_from([0, 3, 24]),
        "repair": st.sampled_from([None, {"days": 3}]),
        "milestones": st.just([{"length": 2, "effects": [{"type": "add_metric", "metric": "xp", "amount": 1}]}]),
    }
)
LIVELY = {
    "pendingDays": 1,
    "expiry": {"type": "rolling", "days": 2, "remindDays": 1},
}  # points, of which something is often due


@given(STREAKS, BY_THEN, st.sampled_from([{}, LIVELY]), histories(["visit", "visit", "visit", "visit", "gift"], 40))
@settings(max_examples=300, deadline=None)
def test_a_streak_is_the_same_whether_timers_have_run_or_not(streak, by_then, points, history):
    compiled = streak_program({**streak, **by_then}, **points)
    lives = [lived(compiled, history, late=True, timers=timers) for timers in (False, True)]
    without, with_timers = (shown(streaks_of(ann.member).get("daily", NONE)) for ann in lives)
    assert with_timers == without


POINTS = st.builds(
    lambda expiry, more: {"expiry": expiry, "minimum": None, **more},
    st.sampled_from([None, {"type": "rolling", "days": 10}, {"type": "end_of_month"}]),
    st.sampled_from([{}, {"pendingDays": 3}, {"earningCaps": [{"period": "day", "amount": 10}]}]),
)


def point_program(**points):
    return program(
        campaign(trigger="earn", effects=[{"type": "add_points", "amount": "amount"}]),
        campaign("camp_2", trigger="spend", effects=[{"type": "add_points", "amount": "-amount"}]),
        document("settings", "settings", timeZone="Europe/London"),
        points=points,
    )


def books(ann: Life):
    """What a member has and has earned, and what of it expires when; lots are numbered as they came."""
    found = ann.member.balances.get("points")
    if found is None:
        return 0, 0, {}
    lots = [] if found.book is None else found.book.lots
    amounts: dict = {}
    for lot in lots:
        amounts[lot.expires_at, lot.available_at] = amounts.get((lot.expires_at, lot.available_at), 0) + lot.amount
    return found.amount, found.earned, amounts


def expired(ann: Life) -> int:
    return -sum(transaction.amount for transaction in ann.transactions if transaction.reason == "expired")


@given(POINTS, histories(["earn"]))
@settings(max_examples=150, deadline=None)
def test_what_is_earned(points, history):
    compiled = point_program(**points)
    in_order, late = (lived(compiled, history, late=late) for late in (False, True))
    assert books(late) == books(in_order)
    assert expired(late) == expired(in_order)


@given(st.sampled_from([0, 3]), histories(["earn", "spend"]))
@settings(max_examples=150, deadline=None)
def test_what_is_spent_of_what_never_expires(pending, history):
    compiled = point_program(minimum=None, pendingDays=pending)
    in_order, late = (lived(compiled, history, late=late) for late in (False, True))
    assert books(late)[:2] == books(in_order)[:2]


@given(histories(["earn", "spend"]))
@settings(max_examples=150, deadline=None)
def test_what_is_spent_of_what_expires_differs_by_no_more_than_was_spent(history):
    compiled = point_program(minimum=None, expiry={"type": "rolling", "days": 10})
    in_order, late = (lived(compiled, history, late=late) for late in (False, True))
    spent = sum(amount for _, trigger, amount, _ in history if trigger == "spend")
    assert abs(books(late)[0] - books(in_order)[0]) <= spent


@given(histories(["earn", "earn", "look"]))
@settings(max_examples=150, deadline=None)
def test_what_activity_puts_off_differs_by_no_more_than_what_had_expired_by_then(history):
    compiled = point_program(expiry={"type": "rolling", "days": 6, "extendedByActivity": True})
    in_order, late = (lived(compiled, history, late=late) for late in (False, True))
    missing = expired(late) - expired(in_order)
    assert books(in_order)[0] - books(late)[0] == missing >= 0
    if missing == 0:
        assert books(late) == books(in_order)


GOALS = st.one_of(
    st.fixed_dictionaries({"target": st.integers(1, 4)}),
    st.fixed_dictionaries({"type": st.just("sum"), "field": st.just("amount"), "target": st.integers(5, 25)}),
    st.fixed_dictionaries({"type": st.just("distinct"), "field": st.just("amount"), "target": st.integers(1, 4)}),
)
WINDOWS = st.sampled_from([None, {"days": 2}, {"days": 5}, {"period": "week"}, {"period": "month"}])


def step_program(*steps, order: str):
    pay = [{"type": "add_points", "amount": 100}]
    written = [
        {"name": "s", "triggers": [{"type": trigger} for trigger in triggers], "goal": goal, "effects": pay}
        for triggers, goal in steps
    ]
    return program(
        document("campaign", "camp_1", steps=written, order=order, effects=pay),
        document("settings", "settings", timeZone="Europe/London"),
    )


def progressed(ann: Life):
    """How often the campaign was completed, what it paid, and how far each step is that is not done."""
    found = ann.member.progress.get("camp_1", Progress())
    steps = {n: None if step.done_at else step.value for n, step in found.steps.items() if step.done_at or step.value}
    return found.completions, ann.balance(), steps


@given(st.lists(st.tuples(st.sampled_from("ab"), GOALS, WINDOWS), min_size=1, max_size=3), histories(["a", "b"]))
@settings(max_examples=150, deadline=None)
def test_steps_in_any_order(steps, history):
    compiled = step_program(*((trigger, {**goal, "window": window}) for trigger, goal, window in steps), order="any")
    in_order, late = (lived(compiled, history, late=late) for late in (False, True))
    assert progressed(late) == progressed(in_order)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "ab"]), GOALS), min_size=2, max_size=4), histories(["a", "b"], 5))
@example([("b", {"target": 1})] * 3, [(2, "b", 1, 0), (0, "b", 1, 4), (1, "b", 1, 2)])
@example(  # two late events together show that a step was done earlier, neither alone
    [("a", {"type": "sum", "field": "amount", "target": 24}), ("a", {"target": 1})],
    [(1, "a", 6, 0), (0, "a", 8, 5), (3, "a", 1, 2), (2, "a", 9, 0), (4, "a", 9, 0)],
)
@example(  # what came before a step was open is remembered beside what has counted since, on a long way too
    [("b", {"target": 3}), ("ab", {"type": "sum", "field": "amount", "target": 5})],
    [*((hour, trigger, 1, 0) for hour, trigger in ((0, "a"), (1, "b"), (2, "b"), (3, "a"), (5, "b"), (6, "a"))), (4, "b", 1, 3)],
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_steps_in_sequence(steps, history):
    compiled = step_program(*steps, order="sequential")
    in_order, late = (lived(compiled, history, late=late) for late in (False, True))
    assert progressed(late) == progressed(in_order)


AT_LEAST = st.integers(1, 4)
CRITERIA = st.one_of(
    st.builds(
        lambda days, value, operator: {
            "count": {"trigger": "buy", "withinDays": days}, "operator": operator, "value": value
        },
        st.sampled_from([3, 10, None]), AT_LEAST, st.sampled_from([">=", "<"]),
    ),
    st.builds(
        lambda days, value: {
            "sum": {"trigger": "buy", "field": "amount", "withinDays": days}, "operator": ">=", "value": 4 * value
        },
        st.sampled_from([3, 10, None]), AT_LEAST,
    ),
    st.builds(
        lambda value, operator: {"daysSince": {"trigger": "buy"}, "operator": operator, "value": 3 * value},
        AT_LEAST, st.sampled_from([">=", "<"]),
    ),
)  # fmt: skip


@given(st.lists(CRITERIA, min_size=1, max_size=2), st.lists(CRITERIA, max_size=1), histories(["buy", "buy", "look"]))
@settings(max_examples=150, deadline=None)
def test_a_segment(include, exclude, history):
    compiled = program(
        document("segment", "them", include=include, exclude=exclude),
        document("settings", "settings", timeZone="Europe/London"),
    )
    in_order, late = (state_in(lived(compiled, history, late=late).member, "them") for late in (False, True))
    assert (late.member, late.due_at) == (in_order.member, in_order.due_at)
