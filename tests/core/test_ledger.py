"""Holds, debt, releases, reversals and transfers: what they do to lots, in awkward histories."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from plaudit.core.decision import Refusal
from plaudit.core.event import HOLD, RECEIPT, TRANSFER
from plaudit.core.ids import derived_id
from plaudit.core.ledger import lots
from plaudit.core.ledger.matching import matched
from plaudit.core.ledger.post import available
from plaudit.core.soundness import unsound
from plaudit.mechanics.competitions.state import standings_of
from plaudit.mechanics.ladders.compiled import ladders_in
from plaudit.mechanics.ladders.rules import score
from plaudit.mechanics.ladders.state import ladders_of
from tests.core.test_metrics import ROLLING, life, reverse
from tests.support.existing import existing
from tests.support.factories import ORG, campaign, document, program
from tests.support.life import Life

NO_MINIMUM = {**ROLLING, "minimum": None}


def held(ann: Life, local: str, action: str, amount: int = 0, until: str = "2026-03-01T00:00:00Z", hold_id="h"):
    return ann.do(local, "hold", HOLD, metric="points", holdId=hold_id, action=action, amount=amount, until=until)


def free(ann: Life) -> int:
    return available(ann.member.balances["points"])


def invariants_hold(ann: Life) -> None:
    """What `plaudit verify` checks of a balance."""
    balance = ann.member.balances.get("points")
    if balance is None:
        return
    assert list(unsound(ann.member, ann.program.metrics)) == []
    assert balance.amount == sum(
        transaction.amount for transaction in ann.transactions if transaction.metric == "points"
    )
    for transaction in ann.transactions:
        assert transaction.postings is None or transaction.amount == sum(part.amount for part in transaction.postings)
    if balance.book is not None and balance.book.lots:
        assert balance.amount == sum(lot.amount for lot in balance.book.lots)
        assert all((lot.number == lots.DEBT) == (lot.amount < 0) for lot in balance.book.lots)
        by_lot: dict[int, int] = {}
        for part in (part for transaction in ann.transactions for part in transaction.postings or ()):
            by_lot[part.lot] = by_lot.get(part.lot, 0) + part.amount
        assert {lot.number: lot.amount for lot in balance.book.lots} == {n: a for n, a in by_lot.items() if a}


# ------------------------------------------------------------------------------------------------------------ holds


def test_what_is_held_does_not_expire_before_the_hold_ends():
    ann = life(**ROLLING)
    ann.do("2026-01-01", "earn", amount=100)
    held(ann, "2026-01-20", "place", 60)
    ann.until("2026-02-10")
    assert (ann.balance(), free(ann)) == (60, 0)
    held(ann, "2026-02-11", "capture", 50)
    assert ann.balance() == 0  # 50 are spent, and the 10 that only the hold has kept expire
    assert [transaction.amount for transaction in ann.transactions] == [100, -40, -50, -10]
    invariants_hold(ann)


@pytest.mark.parametrize("way", ["release", "over"])
def test_what_has_only_been_held_expires_when_the_hold_ends(way):
    ann = life(**ROLLING)
    ann.do("2026-01-01", "earn", amount=100)
    held(ann, "2026-01-20", "place", 100)
    if way == "release":
        held(ann, "2026-02-11", "release")
    else:
        assert ann.until("2026-02-28 23:59").balance() == 100
        ann.until("2026-03-01")
    assert (ann.balance(), free(ann)) == (0, 0)
    assert ann.member.due_at is None
    invariants_hold(ann)


def test_what_is_held_cannot_be_reversed():
    ann = life(**ROLLING, onReversal="zero")
    ann.do("2026-01-01", "earn", amount=100)
    earned = ann.transactions[0]
    held(ann, "2026-01-02", "place", 80)
    reverse(ann, "2026-01-03", earned, 100)
    assert (ann.balance(), free(ann)) == (80, 0)
    held(ann, "2026-01-04", "capture")
    assert ann.balance() == 0
    invariants_hold(ann)


def test_a_reversal_that_may_lead_into_debt_leaves_what_is_held_as_well():
    ann = life(**ROLLING, onReversal="debt")
    ann.do("2026-01-01", "earn", amount=100)
    held(ann, "2026-01-02", "place", 80)
    reverse(ann, "2026-01-03", ann.transactions[0], 100)
    assert (ann.balance(), ann.lots()) == (0, [-80, 80])
    held(ann, "2026-01-04", "capture")
    assert (ann.balance(), ann.lots()) == (-80, [-80])
    invariants_hold(ann)


@pytest.mark.parametrize("way", ["release", "capture", "over"])
def test_what_is_no_longer_held_pays_off_debt(way):
    ann = life(**ROLLING, onReversal="debt")
    ann.do("2026-01-01", "earn", amount=100)
    held(ann, "2026-01-02", "place", 80, until="2026-01-20T00:00:00Z")
    reverse(ann, "2026-01-03", ann.transactions[0], 100)
    assert ann.lots() == [-80, 80]
    if way == "release":
        held(ann, "2026-01-04", "release")
    elif way == "capture":
        held(ann, "2026-01-04", "capture", 50)
    else:
        ann.until("2026-01-21")
    left = {"release": [], "capture": [-50], "over": []}[way]
    assert (ann.balance(), ann.lots()) == (sum(left), left)
    assert (ann.transactions[-1].amount, ann.transactions[-1].reason) == (0, "released")
    invariants_hold(ann)


def test_a_hold_from_before_a_metric_kept_lots_holds_some_when_it_does():
    ann = life()
    ann.do("2026-01-01", "earn", amount=100)
    held(ann, "2026-01-02", "place", 80)
    ann.program = life(**ROLLING).program
    ann.do("2026-01-03", "earn", amount=10)
    (hold,) = ann.book().holds
    assert [(part.lot, part.amount) for part in hold.parts] == [(1, 80)]
    assert free(ann) == 30


def test_others_are_spent_while_some_are_held_and_a_second_hold_replaces_the_first():
    ann = life(**ROLLING)
    ann.do("2026-01-01", "earn", amount=50)
    ann.do("2026-01-02", "earn", amount=50)
    held(ann, "2026-01-03", "place", 50)
    ann.do("2026-01-04", "spend", amount=50)
    assert existing(ann.transactions[-1].postings)[0].lot == 2
    assert held(ann, "2026-01-05", "place", 51).refusal is Refusal.balance_insufficient
    assert held(ann, "2026-01-05", "place", 30).refusal is None
    assert free(ann) == 20
    invariants_hold(ann)


# -------------------------------------------------------------------------------------------------------- matching


def test_a_debit_without_lots_is_of_the_earliest_credits():
    ids = [derived_id(ORG, f"row:{number}") for number in range(4)]
    rows = [
        {"transaction_id": row_id, "amount": amount, "details": None, "reverses": None}
        for row_id, amount in zip(ids, (10, 5, -12, -2), strict=True)
    ]
    assert [(ids.index(match.credit), ids.index(match.debit), match.amount) for match in matched(rows)] == [
        (0, 2, 10), (1, 2, 2), (1, 3, 2),
    ]  # fmt: skip


# --------------------------------------------------------------------------------------------------------- activity


@pytest.mark.parametrize(
    ("day", "active"),
    [
        (30, ((10, 10), (30, 32))), (33, ((10, 10), (30, 33))), (15, ((10, 15), (30, 32))), (20, ((10, 10), (20, 20), (30, 32))),
        (25, ((10, 10), (25, 32))), (9, ((9, 10), (30, 32))),
    ],
)  # fmt: skip
def test_days_of_activity_are_one_time_with_those_that_are_near(day, active):
    book = lots.Book(active=((10, 10), (30, 32)))
    assert lots.with_activity(book, day, 5).active == active


# ------------------------------------------------------------------------------------------------- releases and debt


def test_released_points_pay_off_debt_first():
    ann = life(**ROLLING, pendingDays=5, onReversal="debt")
    ann.do("2026-01-01", "earn", amount=100)
    earned = ann.transactions[0]
    ann.until("2026-01-07")
    ann.do("2026-01-07", "spend", amount=70)
    ann.do("2026-01-08", "earn", amount=60)
    reverse(ann, "2026-01-09", earned, 100)  # 30 of its own, 60 pending, 10 that all lots lack
    assert ann.lots() == [-10]
    ann.do("2026-01-10", "earn", amount=40)
    assert ann.lots() == [-10, 40]
    ann.until("2026-01-15 12:00")
    assert (ann.balance(), ann.lots(), free(ann)) == (30, [30], 30)
    assert (ann.transactions[-1].amount, ann.transactions[-1].reason) == (0, "released")
    invariants_hold(ann)


def test_released_points_that_reach_a_rung_which_pays_the_same_metric_lose_nothing():
    rungs = [
        {"rungId": "base", "name": "B", "threshold": 0},
        {"rungId": "gold", "name": "G", "threshold": 100, "effects": [{"type": "add_points", "amount": 25}]},
    ]
    ladder = document("ladder", "club", rungs=rungs, metric="points")
    pay = campaign(trigger="earn", effects=[{"type": "add_points", "amount": "amount"}])
    ann = Life(program(pay, ladder, points={**ROLLING, "pendingDays": 5}))
    ann.do("2026-01-01", "earn", amount=100)
    ann.until("2026-01-08")
    assert (ann.balance(), sorted(ann.lots())) == (125, [25, 100])
    ann.until("2026-04-01")
    assert ann.balance() == 0
    invariants_hold(ann)


def club(**metric) -> Life:
    """A ladder of which the first rung's effect leads on to the second."""
    rungs = [
        {"rungId": "gold", "name": "G", "threshold": 100, "effects": [{"type": "add_points", "amount": 100}]},
        {
            "rungId": "top",
            "name": "T",
            "threshold": 200,
            "effects": [{"type": "add_metric", "metric": "xp", "amount": 7}],
        },
    ]
    ladder = document("ladder", "club", rungs=rungs, metric="points", window={"type": "rolling", "days": 30})
    pay = campaign(trigger="earn", effects=[{"type": "add_points", "amount": "amount"}])
    told = document("webhook", "told", url="https://example.com/", events=["metric.changed"])
    return Life(program(pay, ladder, told, points=metric))


def test_a_rung_that_the_effects_of_another_led_to_has_been_reached_for_good():
    ann = club()
    ann.do("2026-01-01", "earn", amount=100)
    assert (ann.balance(), ann.balance("xp"), ladders_of(ann.member)["club"].reached) == (200, 7, (0, 1))
    ann.until("2026-03-01")
    assert ladders_of(ann.member)["club"].effective == -1
    ann.do("2026-03-02", "earn", amount=200)  # up again: effects that are for the first time only do not come again
    assert (ann.balance(), ann.balance("xp")) == (400, 7)


def test_a_change_is_told_before_those_that_follow_from_it():
    ann = club()
    decision = ann.do("2026-01-01", "earn", amount=100)
    told = [message.data["balance"] for message in decision.messages if message.type == "metric.changed"]
    assert told == [transaction.balance_after for transaction in decision.transactions] == [100, 200, 7]


# -------------------------------------------------------------------------------------------------------- reversals


def test_a_spending_into_debt_is_given_back_to_what_paid_for_it():
    ann = life(**NO_MINIMUM)
    ann.do("2026-01-01", "earn", amount=10)
    ann.do("2026-01-02", "spend", amount=30)
    assert ann.lots() == [-20]
    reverse(ann, "2026-01-03", ann.transactions[-1], 30)
    assert (ann.balance(), ann.lots()) == (10, [10])
    invariants_hold(ann)


def test_debt_that_was_paid_off_meanwhile_comes_back_as_a_credit():
    ann = life(**NO_MINIMUM)
    ann.do("2026-01-01", "earn", amount=10)
    ann.do("2026-01-02", "spend", amount=30)
    spent = ann.transactions[-1]
    ann.do("2026-01-10", "earn", amount=20)
    assert ann.balance() == 0
    reverse(ann, "2026-01-20", spent, 30)
    assert sorted(ann.lots()) == [10, 20]
    assert ann.until("2026-02-10").balance() == 20
    assert ann.until("2026-02-20").balance() == 0
    invariants_hold(ann)


def test_what_is_given_back_with_an_expiry_of_its_own_expires_also_where_nothing_else_does():
    ann = life()
    ann.do("2026-01-01", "earn", amount=10)
    ann.do("2026-01-02", "spend", amount=4)
    reverse(ann, "2026-01-03", ann.transactions[-1], 4, expiresAt="2026-01-20T00:00:00Z")
    assert (ann.balance(), sorted(ann.lots())) == (10, [4, 6])
    assert ann.until("2026-01-20").balance() == 6
    assert list(unsound(ann.member, ann.program.metrics)) == []


def test_debt_is_only_what_all_lots_lack():
    ann = life(**ROLLING, onReversal="debt")
    ann.do("2026-01-01", "earn", amount=100)
    earned = ann.transactions[0]
    ann.do("2026-01-02", "spend", amount=100)
    ann.do("2026-01-10", "earn", amount=70)
    reverse(ann, "2026-01-11", earned, 100)
    assert (ann.balance(), ann.lots()) == (-30, [-30])
    assert ann.until("2026-04-01").balance() == -30  # nothing is left that could expire
    invariants_hold(ann)


@pytest.mark.parametrize("metric", [ROLLING, {}], ids=["lots", "plain"])
@pytest.mark.parametrize(("minimum", "left"), [(0, 0), (-50, -50), (20, 20)])
def test_without_debt_a_reversal_goes_down_to_the_minimum_with_lots_and_without(metric, minimum, left):
    ann = life(**metric, onReversal="zero", minimum=minimum, default=max(minimum, 0))
    ann.do("2026-01-01", "earn", amount=100)
    earned = ann.transactions[-1]
    ann.do("2026-01-02", "spend", amount=60)
    reverse(ann, "2026-01-03", earned, 100)
    assert ann.balance() == left
    invariants_hold(ann)


def test_what_has_expired_of_a_credit_is_not_taken_again():
    ann = life(**ROLLING)
    ann.do("2026-01-01", "earn", amount=100)
    earned = ann.transactions[0]
    ann.do("2026-01-20", "earn", amount=50)
    ann.until("2026-02-02")
    reverse(ann, "2026-02-03", earned, 100, expired=100)
    assert (ann.balance(), ann.transactions[-1].amount) == (50, 0)
    assert reverse(ann, "2026-02-03", earned, 1, expired=100).refusal is Refusal.reversal_too_large
    invariants_hold(ann)


def test_a_debit_that_a_maximum_leaves_no_room_for_can_be_given_back_later():
    ann = life(**ROLLING, maximum=100)
    ann.do("2026-01-01", "earn", amount=100)
    ann.do("2026-01-02", "spend", amount=40)
    spent = ann.transactions[-1]
    ann.do("2026-01-03", "earn", amount=30)
    reverse(ann, "2026-01-04", spent, 40)
    assert ann.balance() == 100
    assert reverse(ann, "2026-01-04", spent, 30).refusal is Refusal.balance_at_maximum
    ann.do("2026-01-05", "spend", amount=50)
    reverse(ann, "2026-01-06", spent, 30)
    assert ann.balance() == 80
    invariants_hold(ann)


# ------------------------------------------------------------------------------------- where a reversal counts


def scored(metric=None, **cup) -> Life:
    """Two ladders and a competition by points; its segment is of members put in by hand."""
    rungs = [{"rungId": "base", "name": "B", "threshold": 0}, {"rungId": "gold", "name": "G", "threshold": 100}]
    pay = campaign(trigger="earn", effects=[{"type": "add_points", "amount": "amount"}])
    rolling = document("ladder", "month", rungs=rungs, metric="points", window={"type": "rolling", "days": 30})
    yearly = document("ladder", "year", rungs=rungs, metric="points", window={"type": "calendar_year"})
    ranked = document("competition", "cup", score={"metric": "points"}, **cup)
    vips = document("segment", "vips", include=[{"field": "user.vip", "operator": "==", "value": True}])
    return Life(program(pay, rolling, yearly, ranked, vips, points=metric or {}))


def month(ann: Life, local: str) -> int:
    return score(ladders_in(ann.program)["month"], ladders_of(ann.member)["month"], ann.at(local), "UTC", None)


def undo(ann: Life, local: str, transaction, counted: str, **more):
    reverse(
        ann, local, transaction, abs(transaction.amount), earned=True, countedAt=ann.at(counted).isoformat(), **more
    )


def test_a_reversal_counts_in_the_window_and_the_year_of_its_original():
    ann = scored()
    ann.do("2025-12-01", "earn", amount=40)
    ann.do("2026-01-10", "earn", amount=100)
    undo(ann, "2026-01-20", ann.transactions[0], "2025-12-01")
    assert month(ann, "2026-01-20") == 100
    assert ladders_of(ann.member)["year"].earned == {"2025": 0, "2026": 100}


def test_a_reversal_counts_in_the_competition_of_its_original():
    ann = scored(startDate="2026-01-05T00:00:00Z", endDate="2026-02-01T00:00:00Z")
    ann.do("2026-01-01", "earn", amount=70)
    ann.do("2026-01-10", "earn", amount=30)
    undo(ann, "2026-01-20", ann.transactions[0], "2026-01-01")
    assert standings_of(ann.member)["cup"].score == 30
    undo(ann, "2026-01-21", ann.transactions[1], "2026-01-10")
    assert standings_of(ann.member)["cup"].score == 0
    undo(ann, "2026-01-22", ann.transactions[3], "2026-01-10")  # the reversal is reversed
    assert (standings_of(ann.member)["cup"].score, ann.balance()) == (30, 30)
    undo(ann, "2026-02-02", ann.transactions[4], "2026-01-10")
    assert standings_of(ann.member)["cup"].score == 30  # what is over is over


def test_a_reversal_counts_in_the_round_of_its_original():
    ann = scored(leagues={"divisions": ["one", "two"], "period": "week", "promote": 0, "relegate": 0})
    ann.do("2026-01-07", "earn", amount=50)
    ann.do("2026-01-14", "earn", amount=20)
    undo(ann, "2026-01-15", ann.transactions[0], "2026-01-07")
    standing = standings_of(ann.member)["cup"]
    assert (standing.score, standing.previous_score) == (20, 0)


def test_a_pending_credit_that_is_reversed_lowers_no_score_that_it_never_raised():
    ann = scored({"pendingDays": 14})
    ann.do("2026-01-01", "earn", amount=60)
    ann.until("2026-01-16")
    ann.do("2026-01-20", "earn", amount=40)
    undo(ann, "2026-01-21", ann.transactions[-1], "2026-02-03")
    assert (month(ann, "2026-01-21"), standings_of(ann.member)["cup"].score, ann.balance()) == (60, 60, 60)
    undo(ann, "2026-01-22", ann.transactions[0], "2026-01-15")
    assert (month(ann, "2026-01-22"), standings_of(ann.member)["cup"].score, ann.balance()) == (0, 0, 0)


def test_what_is_pending_again_cannot_be_spent_before_it_is_released():
    ann = scored({"pendingDays": 14})
    ann.do("2026-01-01", "earn", amount=60)
    undo(ann, "2026-01-02", ann.transactions[0], "2026-01-15 12:00")
    undo(ann, "2026-01-03", ann.transactions[1], "2026-01-15 12:00", pending=True)  # the reversal is reversed
    assert (ann.balance(), free(ann)) == (60, 0)
    ann.until("2026-01-15 12:00")
    assert (ann.balance(), free(ann), month(ann, "2026-01-15")) == (60, 60, 60)
    invariants_hold(ann)


# -------------------------------------------------------------------------------------------------------- transfers


def transferred(ann: Life, bob: Life, local: str, amount: int):
    (follow_up,) = ann.do(local, "transfer", TRANSFER, metric="points", amount=amount, to="bob").follow_ups
    return bob.do(local, follow_up.trigger, RECEIPT, **follow_up.data)


def test_a_transfer_arrives_whole_also_what_its_sender_owes_for_it():
    ann = life(**ROLLING, minimum=-50)
    bob = Life(ann.program, "bob")
    ann.do("2026-01-01", "earn", amount=10)
    transferred(ann, bob, "2026-01-10", 30)
    assert (ann.balance(), bob.balance()) == (-20, 30)
    assert bob.until("2026-02-01").balance() == 20  # what ann had for it keeps its expiry
    assert bob.until("2026-02-10").balance() == 0
    invariants_hold(ann)
    invariants_hold(bob)


def test_a_transfer_that_cannot_arrive_comes_back_with_its_lots():
    ann = life(**ROLLING, maximum=100)
    bob = Life(ann.program, "bob")
    ann.do("2026-01-01", "earn", amount=100)
    bob.do("2026-01-05", "earn", amount=80)
    decision = transferred(ann, bob, "2026-01-10", 30)
    assert (decision.refusal, bob.balance(), ann.balance()) == (Refusal.balance_at_maximum, 80, 70)
    (back,) = decision.follow_ups
    assert back.user_id == "ann"
    ann.do("2026-01-11", "earn", amount=30)
    ann.do("2026-01-12", back.trigger, RECEIPT, **back.data)
    assert ann.balance() == 130  # what was ann's comes back whatever the maximum is
    assert ann.until("2026-02-01").balance() == 30
    invariants_hold(ann)


def test_nobody_joins_by_a_transfer_where_actions_enrol_nobody():
    ann = Life(
        program(
            campaign(trigger="earn", effects=[{"type": "add_points", "amount": "amount"}]),
            document("settings", "settings", autoEnrol=False),
        )
    )
    ann.member.enrolled_at = ann.at("2026-01-01")
    bob = Life(ann.program, "bob")
    ann.do("2026-01-01", "earn", amount=100)
    decision = transferred(ann, bob, "2026-01-10", 30)
    assert (decision.refusal, decision.member.enrolled_at) == (Refusal.unknown_user, None)
    assert [follow_up.user_id for follow_up in decision.follow_ups] == ["ann"]


# --------------------------------------------------------------------------------------------------------- any order


class Ledger(RuleBasedStateMachine):
    """Earning, spending, holding, reversing and waiting in any order: the books hold after each."""

    amounts = st.integers(1, 100)

    def __init__(self) -> None:
        super().__init__()
        self.begun: Life | None = None

    @precondition(lambda self: self.begun is None)
    @rule(
        expiry=st.sampled_from([None, {"type": "rolling", "days": 5}, {"type": "rolling", "days": 4, "extendedByActivity": True}]),
        pending=st.sampled_from([0, 3]), policy=st.sampled_from(["zero", "debt"]),
        minimum=st.sampled_from([0, None, -40]), maximum=st.sampled_from([None, 150]),
    )  # fmt: skip
    def begin(self, expiry, pending, policy, minimum, maximum):
        self.begun = life(expiry=expiry, pendingDays=pending, onReversal=policy, minimum=minimum, maximum=maximum)
        self.hours = 0

    @property
    def ann(self) -> Life:
        return existing(self.begun)

    def now(self) -> str:
        return f"2026-01-{1 + self.hours // 24:02} {self.hours % 24:02}:00"

    @precondition(lambda self: self.begun)
    @rule(hours=st.integers(1, 40))
    def wait(self, hours):
        self.hours = min(self.hours + hours, 30 * 24)
        self.ann.until(self.now())

    @precondition(lambda self: self.begun)
    @rule(amount=amounts, trigger=st.sampled_from(["earn", "earn", "spend"]))
    def act(self, amount, trigger):
        self.ann.do(self.now(), trigger, amount=amount)

    @precondition(lambda self: self.begun)
    @rule(
        amount=amounts, action=st.sampled_from(["place", "place", "capture", "release"]),
        name=st.sampled_from(["h1", "h2"]), days=st.integers(1, 9),
    )  # fmt: skip
    def hold(self, amount, action, name, days):
        until = self.ann.at(self.now()).replace(month=2, day=days)
        held(self.ann, self.now(), action, amount, until.isoformat(), name)

    @precondition(lambda self: self.begun and any(transaction.amount for transaction in self.ann.transactions))
    @rule(data=st.data())
    def take_back(self, data):
        transaction = data.draw(
            st.sampled_from([transaction for transaction in self.ann.transactions if transaction.amount])
        )
        reverse(self.ann, self.now(), transaction, data.draw(st.integers(1, abs(transaction.amount))))

    @invariant()
    def invariants_hold(self):
        if self.begun is None:
            return
        invariants_hold(self.ann)
        balance = self.ann.member.balances.get("points")
        metric = self.ann.program.metrics["points"]
        if balance is not None:
            assert metric.into_debt or metric.minimum is None or balance.amount >= metric.minimum
            assert metric.maximum is None or balance.amount <= metric.maximum
            assert metric.into_debt or metric.minimum is None or free(self.ann) >= min(metric.minimum, 0)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
