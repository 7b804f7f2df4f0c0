"""What scores and lifetime amounts come to in awkward histories: one rule of what is earned, whatever becomes of lots."""

from datetime import timedelta

import pytest

from plaudit.core.decision import Refusal, Trace
from plaudit.core.event import ACTION, IMPORT, RECEIPT, TAKEOVER, TRANSACTION
from plaudit.core.ledger.earned import Booked, counted_at, is_earned, is_scored
from plaudit.core.mechanic_rules import documents_that_counted
from plaudit.mechanics.competitions.state import standings_of
from plaudit.mechanics.ladders.state import ladders_of
from plaudit.mechanics.segments.commands import SEGMENT
from tests.core.test_ledger import scored
from tests.core.test_metrics import reverse
from tests.support.factories import document, program
from tests.support.life import Life

PENDING = {"pendingDays": 10}


def earn(day: int, amount: int):
    return lambda ann: ann.do(on(day), "earn", amount=amount)


def spend(day: int, amount: int):
    return lambda ann: ann.do(on(day), "debit", TRANSACTION, metric="points", amount=-amount)


def imported(day: int, amount: int, pending: int = 0):
    def bring(ann: Life):
        lot = {"amount": amount} | ({"availableAt": f"{on(day + pending)}T12:00:00Z"} if pending else {})
        ann.do(on(day), IMPORT, IMPORT, lots={"points": [lot]})

    return bring


def undo(day: int, number: int, **more):
    """Reverse a transaction by its number, as the API asks for it (see api/admin/ledger)."""

    def take_back(ann: Life):
        transaction = origin = ann.transactions[number]
        while origin.reverses is not None:
            origin = next(
                transaction for transaction in ann.transactions if transaction.transaction_id == origin.reverses
            )
        pending = ann.program.metrics["points"].pending_days
        at = origin.occurred_at + timedelta(days=pending)
        values = {"earned": origin.amount > 0, "scored": origin.cause.kind != "import", "countedAt": at.isoformat()}
        reverse(ann, on(day), transaction, abs(transaction.amount), **(values | more))

    return take_back


def on(day: int) -> str:
    return f"2026-01-{day:02}"


CASES = [
    ("what was imported does not count, nor does its reversal", {},
     [earn(1, 50), imported(2, 100), undo(3, 1)], 50, 50),
    ("nor does it when it was imported pending, and is released", PENDING,
     [earn(1, 50), imported(2, 100, 5)], 50, 150),
    ("in one lot with what was earned, only that counts", PENDING,
     [earn(1, 50), imported(1, 100, 10)], 50, 150),
    ("pending imports that are taken back leave what was earned", PENDING,
     [earn(1, 50), imported(1, 100, 10), undo(2, 1)], 50, 50),
    ("a reversal that takes another's pending points costs scores once", PENDING,
     [earn(1, 100), spend(12, 100), earn(13, 60), undo(14, 0)], 100, 100),
    ("also if the other is then cancelled: of it, nothing is left to take", PENDING,
     [earn(1, 100), spend(12, 100), earn(13, 60), undo(14, 0), undo(15, 2)], 100, 100),
    ("also if the other is then cancelled, and there are more points to take", PENDING,
     [earn(1, 100), spend(12, 100), earn(13, 60), undo(14, 0), earn(14, 70), undo(15, 2)], 110, 110),
    ("a reversal of that gives back what it took", PENDING,
     [earn(1, 100), spend(12, 100), earn(13, 60), undo(14, 0), undo(15, 3)], 160, 160),
    ("a pending credit that was cancelled, and is not after all, counts", PENDING,
     [earn(1, 60), undo(2, 0), undo(3, 1)], 60, 60),
]  # fmt: skip


@pytest.mark.parametrize(("metric", "steps", "score", "lifetime"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_counts(metric, steps, score, lifetime):
    ann = scored(metric)
    for step in steps:
        step(ann)
    ann.until("2026-01-29")
    assert (standings_of(ann.member)["cup"].score, ann.member.balances["points"].earned) == (score, lifetime)
    assert sum(ladders_of(ann.member)["year"].earned.values()) == score


def cup(**raw):
    """A competition is saved: what counts in it from now on."""

    def save(ann: Life):
        ann.program = scored(**raw).program

    return save


def vip(day: int, inside: bool):
    return lambda ann: ann.do(on(day), SEGMENT, SEGMENT, segmentId="vips", byHand=True, member=inside)


VIPS = {"segments": {"include": ["vips"]}}
COMPETITIONS = [
    ("made after the purchase: its reversal does not count",
     [cup(status="draft"), earn(1, 100), cup(), earn(4, 30), undo(5, 0, countedIn=[])], 30),
    ("that has counted the purchase: it counts less",
     [earn(1, 100), earn(4, 30), undo(5, 0, countedIn=["cup", "other"])], 30),
    ("that has not counted a reversal, as it was a draft then: nor does it count the reversal of that",
     [earn(1, 100), cup(status="draft"), undo(2, 0, countedIn=["cup"]), cup(), undo(3, 1, countedIn=[])], 100),
    ("for a segment that the member has entered since the purchase",
     [cup(**VIPS), earn(1, 100), vip(2, True), earn(4, 30), undo(5, 0, countedIn=[])], 30),
    ("for a segment that the member has left since",
     [cup(**VIPS), vip(1, True), earn(2, 100), earn(3, 30), vip(4, False), undo(5, 0, countedIn=["cup"])], 30),
    ("of an order of an earlier version, which does not say: by the segment now",
     [cup(**VIPS), vip(1, True), earn(2, 100), earn(3, 30), vip(4, False), undo(5, 0)], 130),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "score"), [c[1:] for c in COMPETITIONS], ids=[c[0] for c in COMPETITIONS])
def test_a_competition(steps, score):
    ann = scored()
    for step in steps:
        step(ann)
    assert standings_of(ann.member)["cup"].score == score


NOON = Life(program()).at("2026-01-10")
COUNTING = [
    ("open", {}, True),
    ("not yet opened", {"status": "draft"}, False),
    ("by another metric", {"score": {"metric": "xp"}}, False),
    ("begun since the purchase", {"startDate": "2026-01-10T00:00:00Z"}, False),
    ("over when the purchase was", {"endDate": "2026-01-05T00:00:00Z"}, False),
    ("over now", {"endDate": "2026-01-09T00:00:00Z"}, False),
    ("without the member", {"excludedUserIds": ["ann"]}, False),
]


@pytest.mark.parametrize(("raw", "counts"), [c[1:] for c in COUNTING], ids=[c[0] for c in COUNTING])
def test_which_competitions_counted_a_purchase(raw, counts):
    made = program(document("competition", "cup", **({"score": {"metric": "points"}} | raw)))
    assert (documents_that_counted(made, [], "points", "ann", NOON, NOON - timedelta(days=4)) == {"cup"}) == counts


def test_a_competition_for_others_says_that_it_did_not_count():
    ann = scored(**VIPS)
    decision = ann.do("2026-01-10", "earn", amount=10)
    assert Trace("competition.cup", 0, 0, Refusal.not_in_segment) in decision.trace
    assert documents_that_counted(ann.program, decision.trace, "points", "ann", NOON, NOON) == frozenset()
    assert standings_of(ann.member) == {}


RULE = [
    ("a credit of a campaign", (10, "camp_1", ACTION), (True, True)),
    ("a credit by hand", (10, "manual", TRANSACTION), (True, True)),
    ("what another member sent", (10, "manual", RECEIPT), (False, False)),
    ("what a campaign pays for what was sent", (10, "camp_1", RECEIPT), (True, True)),
    ("what a member started with", (10, "opening", ACTION), (True, False)),
    ("what was imported", (10, "import", IMPORT), (True, False)),
    ("what a merge moved", (10, "merge", TAKEOVER), (False, False)),
    ("a debit", (-10, "camp_1", ACTION), (False, False)),
]


@pytest.mark.parametrize(("booked", "wanted"), [c[1:] for c in RULE], ids=[c[0] for c in RULE])
def test_what_is_earned_and_what_is_scored(booked, wanted):
    amount, cause, kind = booked
    booking = Booked(amount, cause, kind, NOON)
    assert (is_earned(booking), is_scored(booking)) == wanted


@pytest.mark.parametrize(("campaign", "kind", "own", "days"), [
    ("camp_1", ACTION, False, 10), ("manual", TRANSACTION, False, 10), ("manual", TRANSACTION, True, 0),
    ("camp_1", TRANSACTION, True, 10),
])  # fmt: skip
def test_when_a_credit_counts(campaign, kind, own, days):
    metric = program(points=PENDING).metrics["points"]
    assert counted_at(Booked(10, campaign, kind, NOON, own), metric, "UTC") == NOON + timedelta(days=days)
