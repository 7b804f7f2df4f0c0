"""Two members become one: what each part of the one comes to at the other."""

from typing import Any

import msgspec
import pytest

from plaudit.core.decision import Refusal, TransactionDetails
from plaudit.core.event import GRANT, HOLD, IMPORT, MERGE, PROFILE, REVERSAL, TAKEOVER, TRANSACTION, Event
from plaudit.core.ids import derived_id, member_id_of
from plaudit.core.ledger.lots import Posting
from plaudit.core.ledger.matching import parts_left
from plaudit.core.member import Holding
from plaudit.mechanics.competitions.state import entries_of, standings_of
from plaudit.mechanics.ladders.state import ladders_of
from plaudit.mechanics.segments.state import segments_of
from plaudit.mechanics.streaks.state import streaks_of
from tests.support.existing import existing
from tests.support.factories import ORG, campaign, document, program
from tests.support.life import Life

ROLLING = {"expiry": {"type": "rolling", "days": 30}}
EARN = campaign("earn", "earn", effects=[{"type": "add_points", "config": {"amount": "amount"}}])


def two(*documents, **metrics):
    both = program(*(documents or (EARN,)), **metrics)
    return Life(both, "guest"), Life(both, "ann")


def event_of(follow_up, member_id):
    """What follows from one member, as it comes out of the inbox at another."""
    data = msgspec.json.decode(msgspec.json.encode(follow_up.data))
    return Event(
        event_id=follow_up.event_id, member_id=member_id, user_id=follow_up.user_id, kind=follow_up.kind, trigger=follow_up.trigger,
        occurred_at=follow_up.occurred_at, data=data, metadata=follow_up.metadata, source="engine",
    )  # fmt: skip


def arrive(life, follow_up, local):
    return life.do(local, follow_up.trigger, follow_up.kind, **event_of(follow_up, life.member.member_id).data)


def merge(guest, ann, local="2026-03-01"):
    """`guest` goes on as `ann`. Return what was decided at `ann`."""
    done = guest.do(local, MERGE, MERGE, into=ann.member.user_id)
    assert done.refusal is None
    (follow_up,) = done.follow_ups
    assert (follow_up.kind, follow_up.user_id) == (TAKEOVER, ann.member.user_id)
    return arrive(ann, follow_up, local)


def held(life, metric="points"):
    book = life.member.balances[metric].book
    return [(lot.amount, lot.expires_at and str(lot.expires_at.date())) for lot in book.lots]


def nothing_is_left(guest):
    former = guest.member
    assert all(balance.amount == 0 and balance.earned == 0 for balance in former.balances.values())
    assert not any((former.progress, former.states, standings_of(former), former.holdings, entries_of(former)))
    assert former.due_at is None


def test_lots_arrive_with_their_expiries_and_what_was_earned_goes_along():
    guest, ann = two(points=ROLLING)
    guest.do("2026-02-10", "earn", amount=100)
    guest.do("2026-02-20", TRANSACTION, TRANSACTION, metric="points", amount=-30)
    ann.do("2026-02-15", "earn", amount=50)
    merge(guest, ann)
    assert held(ann) == [(50, "2026-03-18"), (70, "2026-03-13")]
    assert (ann.member.balances["points"].amount, ann.member.balances["points"].earned) == (120, 150)
    assert [(transaction.amount, transaction.reason, transaction.lifetime) for transaction in guest.transactions][
        -1
    ] == (-70, "merged", -100)
    assert [(transaction.amount, transaction.reason, transaction.lifetime) for transaction in ann.transactions][-1] == (
        70,
        "merged",
        100,
    )
    nothing_is_left(guest)
    ann.until("2026-03-14")
    assert ann.balance() == 50  # the guest's expire when they would have


def test_what_is_pending_or_held_stays_so():
    guest, ann = two(points={"pendingDays": 10})
    guest.do("2026-02-10", "earn", amount=40)
    guest.do("2026-02-25", "earn", amount=100)
    guest.do(
        "2026-02-26", HOLD, HOLD, metric="points", holdId="h", action="place", amount=30, until="2026-03-05T00:00:00Z"
    )
    ann.do("2026-02-01", "earn", amount=5)
    merge(guest, ann)
    book = ann.book()
    assert [(lot.amount, lot.available_at is not None) for lot in book.lots] == [(5, False), (40, False), (100, True)]
    assert [(hold.amount, [part.lot for part in hold.parts]) for hold in book.holds] == [(30, [2])]
    ann.until("2026-03-10")
    book = ann.book()
    assert (book.holds, [lot.available_at for lot in book.lots]) == ((), [None, None, None])


@pytest.mark.parametrize(
    ("guest_has", "ann_has", "lots"),
    [(-30, 100, [70]), (100, -30, [70]), (-30, -20, [-50]), (-30, 10, [-20]), (10, -30, [-20])],
)
def test_debt_of_either_is_paid_by_both(guest_has, ann_has, lots):
    guest, ann = two(points={**ROLLING, "minimum": None})
    for life, amount in ((guest, guest_has), (ann, ann_has)):
        life.do("2026-02-10", TRANSACTION, TRANSACTION, metric="points", amount=amount)
    merge(guest, ann)
    assert (ann.lots(), ann.balance()) == (lots, sum(lots))
    for transaction in (*guest.transactions, *ann.transactions):
        assert transaction.amount == sum(part.amount for part in existing(transaction.postings))


def test_amounts_without_lots_are_added():
    guest, ann = two()
    guest.do("2026-02-10", "earn", amount=100)
    ann.do("2026-02-10", "earn", amount=1)
    merge(guest, ann)
    assert (ann.balance(), ann.member.balances["points"].book) == (101, None)


def test_a_guest_who_has_spent_everything_has_earned_it_all_the_same():
    guest, ann = two()
    guest.do("2026-02-10", "earn", amount=100)
    guest.do("2026-02-11", TRANSACTION, TRANSACTION, metric="points", amount=-100)
    ann.do("2026-02-10", "earn", amount=1)
    merge(guest, ann)
    assert (ann.balance(), ann.member.balances["points"].earned) == (1, 101)


def test_caps_count_what_both_have_earned():
    guest, ann = two(points={"earningCaps": [{"amount": 100, "period": "month"}]})
    guest.do("2026-03-01", "earn", amount=70)
    ann.do("2026-03-01", "earn", amount=20)
    merge(guest, ann, "2026-03-02")
    ann.do("2026-03-03", "earn", amount=50)
    assert ann.balance() == 100


def test_a_balance_out_of_its_bounds_refuses_the_merge():
    guest, ann = two(points={"maximum": 100})
    for life in (guest, ann):
        life.do("2026-02-10", "earn", amount=60)
    assert merge(guest, ann).refusal is Refusal.balance_at_maximum
    assert ann.balance() == 60


def test_products_are_added_and_badges_are_had_once():
    badge = document("product", "star", sku="S", type="badge")
    mug = document("product", "mug", sku="M", type="merchandise")
    guest, ann = two(badge, mug)
    for life, day in ((guest, "2026-02-01"), (ann, "2026-02-05")):
        life.do(day, IMPORT, IMPORT, products={"star": 1, "mug": 2})
    merge(guest, ann)
    at = guest.at("2026-02-01"), ann.at("2026-02-05")
    assert ann.member.holdings == {"star": Holding(1, *at), "mug": Holding(4, *at)}


STEPS = [{"name": name, "trigger": name, "goal": {"target": 2}} for name in ("look", "buy")]
CHALLENGE = document(
    "campaign", "ch", order="any", steps=STEPS, effects=[{"type": "add_points", "config": {"amount": 500}}]
)


def test_a_step_counts_from_where_either_is_further():
    guest, ann = two(CHALLENGE)
    for life, trigger in ((guest, "look"), (guest, "look"), (guest, "buy"), (ann, "look")):
        life.do("2026-02-01", trigger)
    merge(guest, ann)
    steps = ann.member.progress["ch"].steps
    assert [(steps[n].value, steps[n].done_at is not None) for n in (0, 1)] == [(2, True), (1, False)]
    ann.do("2026-03-02", "buy")
    assert (ann.balance(), ann.member.progress["ch"].completions) == (500, 1)


def test_steps_done_by_both_together_complete_the_campaign():
    guest, ann = two(CHALLENGE)
    for life, trigger in ((guest, "look"), (guest, "look"), (ann, "buy"), (ann, "buy")):
        life.do("2026-02-01", trigger)
    merge(guest, ann)
    assert (ann.balance(), ann.member.progress["ch"].completions) == (500, 1)


def test_what_both_have_completed_is_not_paid_again():
    guest, ann = two(CHALLENGE)
    for life in (guest, ann):
        for trigger in ("look", "look", "buy", "buy"):
            life.do("2026-02-01", trigger)
    merge(guest, ann)
    assert (ann.balance(), ann.member.progress["ch"].completions) == (1_000, 2)


def test_what_one_of_them_has_completed_is_not_completed_again_by_both():
    guest, ann = two(CHALLENGE)
    for life, triggers in ((guest, ("look", "look", "buy", "buy")), (ann, ("look",))):
        for trigger in triggers:
            life.do("2026-02-01", trigger)
    merge(guest, ann)
    assert (ann.balance(), ann.member.progress["ch"].completions) == (500, 1)


DAILY = document(
    "streak", "daily", triggers=[{"type": "visit"}], freezes={"maximum": 3},
    milestones=[{"length": 4, "effects": [{"type": "add_points", "config": {"amount": 40}}]}],
)  # fmt: skip


def test_days_of_either_count_for_the_streak_and_a_milestone_is_reached_once():
    guest, ann = two(DAILY)
    for life, days in ((guest, (25, 26)), (ann, (27, 28))):
        for day in days:
            life.do(f"2026-02-{day}")
    merge(guest, ann)
    state = streaks_of(ann.member)["daily"]
    assert (state.current, state.longest, state.alive) == (4, 4, True)
    assert ann.balance() == 40
    ann.do("2026-03-01")
    assert (streaks_of(ann.member)["daily"].current, ann.balance()) == (5, 40)
    ann.until("2026-03-04")
    assert streaks_of(ann.member)["daily"].alive is False


def test_freezes_are_added_up_to_what_may_be_held():
    guest, ann = two(DAILY)
    for life in (guest, ann):
        life.do("2026-02-28", "streak", "streak", streakId="daily", action="grant_freeze", quantity=2)
    merge(guest, ann)
    assert streaks_of(ann.member)["daily"].freezes == 3


LADDER = document(
    "ladder", "club", metric="points", window={"type": "calendar_year"},
    rungs=[
        {"rungId": name, "name": name, "threshold": at, "effects": [{"type": "add_metric", "metric": "coins", "amount": 1}]}
        for name, at in (("silver", 100), ("gold", 200), ("black", 1000))
    ],
)  # fmt: skip


@pytest.mark.parametrize(
    ("guest_earns", "ann_earns", "rung", "coins"),
    [(150, 10, 0, 1), (250, 10, 1, 2), (150, 120, 1, 3), (10, 250, 1, 2), (600, 500, 2, 5), (10, 20, -1, 0)],
)
def test_the_higher_rung_stays_and_both_together_may_climb(guest_earns, ann_earns, rung, coins):
    guest, ann = two(EARN, LADDER)
    guest.do("2026-02-01", "earn", amount=guest_earns)
    ann.do("2026-02-01", "earn", amount=ann_earns)
    merge(guest, ann)
    state = ladders_of(ann.member)["club"]
    assert (state.rung, state.earned) == (rung, {"2026": guest_earns + ann_earns})
    assert ann.balance("coins") == coins  # what the guest was given for a rung is not given again


def test_a_rung_by_hand_goes_along():
    guest, ann = two(EARN, LADDER)
    guest.do("2026-02-01", "ladder", "ladder", ladderId="club", rung="gold")
    ann.do("2026-02-01", "earn", amount=1)
    merge(guest, ann)
    assert ladders_of(ann.member)["club"].effective == 1


def test_segments_are_judged_by_both_and_those_by_hand_stay():
    rich = document("segment", "rich", include=[{"field": "points", "operator": ">=", "value": 100}])
    keen = document("segment", "keen", include=[{"count": {"trigger": "earn"}, "operator": ">=", "value": 2}])
    chosen = document("segment", "chosen", include=[{"field": "x", "operator": "==", "value": 1}])
    guest, ann = two(EARN, rich, keen, chosen)
    for life in (guest, ann):
        life.do("2026-02-01", "earn", amount=60)
        assert not any(state.member for state in segments_of(life.member).values())
    guest.do("2026-02-01", "segment", "segment", segmentId="chosen", byHand=True, member=True)
    merge(guest, ann)
    assert {segment_id for segment_id, state in segments_of(ann.member).items() if state.member} == {
        "rich",
        "keen",
        "chosen",
    }


@pytest.mark.parametrize("own", [5, None])
def test_the_score_is_on_the_board_of_the_part_that_the_profile_names(own):
    """The member's own club, or the other's if the member has none."""
    contest = document("competition", "race", score={"metric": "points"}, scopeField="club")
    for club, name in (("Blues", "Blues"), (None, "Reds")):
        guest, ann = two(EARN, contest)
        guest.do("2026-02-01", PROFILE, PROFILE, attributes={"club": "Reds"})
        guest.do("2026-02-10", "earn", amount=30)
        ann.do("2026-02-10", PROFILE, PROFILE, attributes={} if club is None else {"club": club})
        if own:
            ann.do("2026-02-11", "earn", amount=own)
        merge(guest, ann)
        standing = standings_of(ann.member)["race"]
        assert (standing.scope, standing.score) == (name, 30 + (own or 0))


def test_what_either_did_puts_a_late_credit_off():
    """Ann was active all the time, the guest in the middle of it: what is reported late of then lasts as ann's does."""
    guest, ann = two(points={"expiry": {"type": "rolling", "days": 5, "extendedByActivity": True}})
    for day in range(1, 25, 4):
        ann.do(f"2026-02-{day:02}", "earn", amount=10)
    guest.do("2026-02-09", "earn", amount=10)
    guest.do("2026-02-12", "earn", amount=10)
    merge(guest, ann, "2026-02-22")
    late = ann.do("2026-02-10", "earn", amount=7)
    assert [str(existing(part.expires_at).date()) for part in existing(late.transactions[-1].postings)] == [
        "2026-02-27"
    ]
    ann.until("2026-02-26")
    assert ann.transactions[-1].reason != "expired"


def test_scores_and_entries_are_added():
    contest = document("competition", "race", score={"metric": "points"})
    guest, ann = two(EARN, contest)
    guest.do("2026-02-01", "earn", amount=60)
    ann.do("2026-02-02", "earn", amount=50)
    merge(guest, ann)
    standing = standings_of(ann.member)["race"]
    assert (standing.score, standing.reached_at) == (110, ann.at("2026-02-02"))


def test_who_is_excluded_takes_no_score_over():
    guest, ann = two(EARN, document("competition", "race", score={"metric": "points"}, excludedUserIds=["ann"]))
    guest.do("2026-02-01", "earn", amount=60)
    ann.do("2026-02-02", "earn", amount=50)
    merge(guest, ann)
    assert "race" not in standings_of(ann.member)


def test_the_profile_is_filled_in_and_nothing_is_overwritten():
    guest, ann = two()
    guest.do("2026-02-01", "profile", "profile", attributes={"name": "Guest", "size": "M"})
    ann.do("2026-02-01", "profile", "profile", attributes={"name": "Ann"})
    merge(guest, ann)
    assert ann.member.attributes == {"name": "Ann", "size": "M"}


def test_campaigns_can_listen_to_a_merge():
    pay = {"type": "add_points", "config": {"amount": 5}}
    welcome = campaign("welcome", "user.merged", [{"field": "from", "operator": "equals", "value": "guest"}], [pay])
    guest, ann = two(EARN, welcome)
    guest.do("2026-02-01", "earn", amount=60)
    ann.do("2026-02-01", "earn", amount=1)
    merge(guest, ann)
    assert ann.balance() == 66


def test_what_comes_later_is_passed_on_and_nothing_is_decided_twice():
    guest, ann = two()
    guest.do("2026-02-01", "earn", amount=60)
    ann.do("2026-02-01", "earn", amount=1)
    merge(guest, ann)
    done = guest.do("2026-03-02", "earn", amount=10)
    assert (done.refusal, done.transactions) == (Refusal.member_merged, [])
    arrive(ann, done.follow_ups[0], "2026-03-02")
    assert ann.balance() == 71
    again = guest.do("2026-03-02", MERGE, MERGE, into="ann")
    assert (again.refusal, again.follow_ups) == (Refusal.already_merged, [])
    assert guest.do("2026-03-02", IMPORT, IMPORT).follow_ups == []
    assert guest.do("2026-03-02", "earn", reopens=True, amount=1).refusal is Refusal.member_merged


def test_nobody_is_merged_who_is_not_there():
    guest, ann = two()
    assert guest.do("2026-02-01", MERGE, MERGE, into="ann").refusal is Refusal.unknown_user
    guest.do("2026-02-01", "earn", amount=1)
    assert merge(guest, ann).refusal is Refusal.unknown_user


def test_a_merge_that_is_reversed_brings_the_other_back():
    guest, ann = two(points=ROLLING)
    guest.do("2026-02-10", "earn", amount=100)
    ann.do("2026-02-15", "earn", amount=50)
    merge(guest, ann)
    late: dict[str, Any] = {"reopens": True}
    for life, more in ((guest, late), (ann, {})):
        made = life.transactions[-1]
        parts = msgspec.to_builtins(made.postings)
        order: dict[str, Any] = {
            "metric": "points",
            "amount": made.amount,
            "take": 100,
            "parts": parts,
            "whole": True,
            "earned": False,
        }
        done = life.do("2026-03-02", REVERSAL, REVERSAL, transactionId=str(made.transaction_id), **order, **more)
        assert done.refusal is None
    assert (held(guest), held(ann)) == ([(100, "2026-03-13")], [(50, "2026-03-18")])
    assert guest.member.merged_into is None
    guest.do("2026-03-03", "earn", amount=1)
    assert guest.balance() == 101
    assert derived_id(guest.member.member_id, "x") != member_id_of(ORG, "ann")


@pytest.mark.parametrize("amount", [100, -30])
def test_a_transaction_of_before_the_merge_is_reversed_where_the_points_are_now(amount):
    guest, ann = two(points=ROLLING)
    ann.do("2026-02-01", "earn", amount=7)
    guest.do("2026-02-10", "earn", amount=100)
    if amount < 0:
        guest.do("2026-02-20", TRANSACTION, TRANSACTION, metric="points", amount=amount)
    made = guest.transactions[-1]
    merge(guest, ann)
    parts = msgspec.to_builtins(made.postings)
    ann.do(
        "2026-03-01", REVERSAL, REVERSAL, transactionId=str(made.transaction_id), metric="points", amount=amount,
        take=abs(amount), parts=parts, merged=True, earned=amount > 0,
    )  # fmt: skip
    assert held(ann) == ([(7, "2026-03-04")] if amount > 0 else [(7, "2026-03-04"), (100, "2026-03-13")])


def test_every_kind_that_a_grant_makes_survives_json():
    assert GRANT not in (MERGE, TAKEOVER)


def row_of(transaction_id, amount, *parts, reverses=None):
    details = msgspec.json.encode(TransactionDetails(tuple(Posting(*part) for part in parts)))
    return {"transaction_id": transaction_id, "amount": amount, "reverses": reverses, "details": details}


def test_what_was_given_back_of_a_debit_after_a_merge_is_not_given_back_again():
    early, later = (Life(program()).at(day) for day in ("2026-03-10", "2026-03-20"))
    spent = row_of("spent", -100, (1, -60, early), (2, -40, later))
    before = row_of("a", 10, (2, 10, later), reverses="spent")  # at the guest
    after = row_of("b", 50, (7, 30, later), (6, 20, early), reverses="spent")  # where they are others' lots
    assert parts_left(spent, [spent, before], [after]) == (Posting(1, -40, early),)
    assert parts_left(spent, [spent, before]) == (Posting(1, -60, early), Posting(2, -30, later))
