"""Random programmes, random histories: books balance, and importing is living.

A life that is imported in one go, in batches, or lived with the clock moved day by day comes out the same, byte for byte:
the members, the transactions, and the log with the timers in it.
"""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.core.decide import decide, run_due_timers
from plaudit.core.event import ACTION, Event
from plaudit.core.ids import derived_id, member_id_of
from plaudit.core.member import Member
from tests.support.factories import ORG, campaign, document, program

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 120

METRICS = st.fixed_dictionaries(
    {
        "expiry": st.sampled_from([
            None, {"type": "rolling", "days": 20, "remindDays": 3}, {"type": "end_of_month"},
            {"type": "rolling", "days": 15, "extendedByActivity": True},
        ]),
        "pendingDays": st.sampled_from([0, 0, 5]),
        "earningCaps": st.sampled_from([[], [{"period": "week", "amount": 120}]]),
        "maximum": st.sampled_from([None, 300]),
        "onReversal": st.sampled_from(["zero", "debt"]),
    }
)  # fmt: skip
STREAKS = st.fixed_dictionaries(
    {
        "cadence": st.sampled_from(["daily", "weekly"]),
        "graceHours": st.sampled_from([0, 3]),
        "freezes": st.sampled_from([None, {"maximum": 2, "atStart": 1}]),
    }
)
LADDERS = st.fixed_dictionaries(
    {
        "window": st.sampled_from([{"type": "all_time"}, {"type": "calendar_year"}, {"type": "rolling", "days": 30}]),
        "graceDays": st.sampled_from([0, 5]),
        "softLanding": st.booleans(),
    }
)
HISTORY = st.lists(
    st.tuples(
        st.integers(0, DAYS * 24), st.sampled_from(["visit", "earn", "earn", "spend"]), st.integers(1, 100)
    ), max_size=40,
).map(sorted)  # fmt: skip


def programme(metric, streak, ladder):
    pay = {"type": "add_metric", "metric": "xp", "amount": 1}
    rungs = [{"rungId": f"r{n}", "name": "R", "threshold": n * 100, "effects": [pay]} for n in range(3)]
    step = {
        "name": "s",
        "trigger": "earn",
        "goal": {"type": "sum", "field": "amount", "target": 90, "window": {"days": 10}},
    }
    return program(
        campaign(trigger="earn", effects=[{"type": "add_points", "amount": "amount"}]),
        campaign("camp_2", trigger="spend", effects=[{"type": "add_points", "amount": "-amount"}]),
        campaign("camp_3", trigger="streak.broken", effects=[{"type": "add_points", "amount": 7}]),
        campaign("camp_4", trigger="segment.entered", effects=[pay], segments={"exclude": ["rich"]}),
        document("campaign", "camp_5", steps=[step, {**step, "trigger": "visit", "goal": {"target": 3}}], order="any",
                 repeatable=True, effects=[pay]),
        document("streak", "s", triggers=[{"type": "visit"}], milestones=[{"length": 2, "effects": [pay]}], **streak),
        document("ladder", "l", rungs=rungs, **ladder),
        document("segment", "rich", include=[{"field": "points", "operator": ">=", "value": 100}]),
        document("segment", "active", include=[
            {"count": {"trigger": "visit", "withinDays": 7}, "operator": ">=", "value": 2}]),
        document("segment", "away", include=[{"daysSince": {"trigger": "visit"}, "operator": ">=", "value": 10}]),
        document("settings", "settings", timeZone="America/New_York"),
        points=metric,
    )  # fmt: skip


def events(history) -> list[Event]:
    member_id = member_id_of(ORG, "ann")
    return [
        Event(
            event_id=derived_id(member_id, f"event:{n}"), member_id=member_id, user_id="ann", kind=ACTION,
            trigger=trigger, occurred_at=BEGIN + timedelta(hours=hours), data={"amount": amount},
        )
        for n, (hours, trigger, amount) in enumerate(history)
    ]  # fmt: skip


def lived(compiled, history, *, every_hours: int | None) -> tuple[Member, list]:
    """The member at the end, and everything decided; with the clock looked at every so many hours, or not at all."""
    member, decided, looked_at = Member(member_id=member_id_of(ORG, "ann"), user_id="ann"), [], BEGIN
    for event in events(history):
        while every_hours and looked_at + timedelta(hours=every_hours) <= event.occurred_at:
            looked_at += timedelta(hours=every_hours)
            for timer, decision in run_due_timers(compiled, member, looked_at):
                member = decision.member
                decided.append((timer, decision))
        for happened, decision in decide(compiled, member, event):
            member = decision.member
            decided.append((happened, decision))
    for timer, decision in run_due_timers(compiled, member, BEGIN + timedelta(days=2 * DAYS)):
        member = decision.member
        decided.append((timer, decision))
    return member, decided


@given(METRICS, STREAKS, LADDERS, HISTORY)
@settings(max_examples=120, deadline=None)
def test_importing_a_year_gives_what_living_it_gives_byte_for_byte(metric, streak, ladder, history):
    compiled = programme(metric, streak, ladder)
    imported = msgspec.json.encode(lived(compiled, history, every_hours=None))
    assert msgspec.json.encode(lived(compiled, history, every_hours=24)) == imported
    assert msgspec.json.encode(lived(compiled, history, every_hours=7)) == imported


@given(METRICS, STREAKS, LADDERS, HISTORY)
@settings(max_examples=120, deadline=None)
def test_the_books_balance_whatever_happens(metric, streak, ladder, history):
    member, decided = lived(programme(metric, streak, ladder), history, every_hours=None)
    transactions = [transaction for _, decision in decided for transaction in decision.transactions]
    assert len({transaction.transaction_id for transaction in transactions}) == len(transactions)
    assert len({event.event_id for event, _ in decided}) == len(decided)
    for metric_id, balance in member.balances.items():
        own = [transaction for transaction in transactions if transaction.metric == metric_id]
        assert balance.amount == sum(transaction.amount for transaction in own)
        assert balance.amount >= 0
        if balance.book is not None and balance.book.lots:
            assert balance.amount == sum(lot.amount for lot in balance.book.lots)
            assert all(lot.amount > 0 for lot in balance.book.lots)
        for transaction in own:
            assert (
                transaction.postings is None or sum(part.amount for part in transaction.postings) == transaction.amount
            )
    assert member.due_at is None or member.due_at > BEGIN + timedelta(days=2 * DAYS)
