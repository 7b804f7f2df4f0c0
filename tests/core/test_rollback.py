"""What a campaign has led to is undone at a member: found by deciding the log again without it, decided as one event."""

from datetime import timedelta

import msgspec
import pytest

from plaudit.core.cause import ROLLBACK as ROLLBACK_CAUSE
from plaudit.core.commands.rollback import Coupon, Rollback, data_of
from plaudit.core.decision import Refusal
from plaudit.core.doings import Doings, Happened
from plaudit.core.event import REDEMPTION, REVERSAL, ROLLBACK, TRANSACTION
from plaudit.core.member import Member, Progress
from plaudit.core.without import undoing
from plaudit.mechanics.competitions.state import entries_of, standings_of
from plaudit.mechanics.ladders.commands import LADDER
from plaudit.mechanics.ladders.state import ladders_of
from plaudit.mechanics.streaks.commands import STREAK
from plaudit.mechanics.streaks.state import streaks_of
from tests.support.existing import existing
from tests.support.factories import campaign, document, program
from tests.support.life import Life

DEBT = {"onReversal": "debt"}


def points(amount):
    return {"type": "add_points", "config": {"amount": amount}}


PAY = campaign("pay", "buy", effects=[points(100)])
KEEP = campaign("keep", "visit", effects=[points(5)])


class Logged(Life):
    """A member's life that keeps its log: what the engine reads it from again."""

    def __init__(self, *documents, **metrics):
        super().__init__(program(*documents, **metrics))
        self.log = []

    def _keep(self, event, decision):
        super()._keep(event, decision)
        self.log.append(Happened(event, self.program, frozenset(), decision.refusal is not None))

    def plan(self, local="2026-03-10", campaign_id="pay", since="2026-03-01 00:00", until="2026-03-05 00:00", **of):
        times = of or {"since": self.at(since), "until": self.at(until)}
        blank = Member(member_id=self.member.member_id, user_id=self.member.user_id)
        return undoing(self.log, blank, Doings(campaign_id, **times), self.program, self.at(local))[0]

    def order(self, order, local="2026-03-10"):
        """Carry an order out, as it comes out of the log: through JSON."""
        data = msgspec.json.decode(msgspec.json.encode(data_of(order)))
        return self.do(local, ROLLBACK, ROLLBACK, **data)

    def roll_back(self, local="2026-03-10", **which):
        order = self.plan(local, **which)
        assert order is not None
        done = self.order(order, local)
        assert done.refusal is None
        assert self.plan(local, **which) is None  # twice is once
        return done.trace[-1].progress if done.trace[-1].cause == ROLLBACK_CAUSE else rollback_progress(done)


def rollback_progress(done):
    return next(trace.progress for trace in done.trace if trace.cause == ROLLBACK_CAUSE)


def test_what_was_paid_within_the_time_is_taken_back_under_the_campaigns_name():
    life = Logged(PAY, KEEP)
    for day in ("2026-02-28", "2026-03-01", "2026-03-04", "2026-03-05"):
        life.do(day, "buy")
    life.do("2026-03-02", "visit")
    done = life.roll_back()
    assert (life.balance(), life.member.balances["points"].earned) == (205, 205)
    assert done == {"campaignId": "pay", "metrics": {"points": 200}, "completions": 2}
    assert [(transaction.cause.text, transaction.amount) for transaction in life.transactions[-2:]] == [
        ("pay", -100),
        ("pay", -100),
    ]
    assert life.member.progress["pay"].completions == 2


@pytest.mark.parametrize(
    ("metric", "spent", "left", "earned", "lost"),
    [
        ({}, 0, 0, 0, {}),
        ({}, 70, 0, 70, {"points": 70}),
        (DEBT, 70, -70, 0, {}),
        ({"expiry": {"type": "rolling", "days": 60}}, 70, 0, 70, {"points": 70}),
        (DEBT | {"expiry": {"type": "rolling", "days": 60}}, 70, -70, 0, {}),
        ({"pendingDays": 30}, 0, 0, 0, {}),
    ],
)
def test_what_is_spent_comes_back_as_the_metric_says(metric, spent, left, earned, lost):
    life = Logged(PAY, points=metric)
    life.do("2026-03-02", "buy")
    if spent:
        life.do("2026-03-03", TRANSACTION, TRANSACTION, metric="points", amount=-spent)
    done = life.roll_back()
    assert (life.balance(), life.member.balances["points"].earned) == (left, earned)
    assert done.get("lostMetrics", {}) == lost


def test_what_has_expired_is_not_taken_again():
    life = Logged(PAY, KEEP, points={"expiry": {"type": "rolling", "days": 5}})
    life.do("2026-03-02", "buy")
    life.do("2026-03-09", "visit")
    life.roll_back("2026-03-10")
    assert life.balance() == 5


def test_a_transaction_that_was_reversed_by_hand_is_not_taken_back_again():
    life = Logged(PAY)
    paid = life.do("2026-03-02", "buy").transactions[0]
    life.do("2026-03-02", "buy")
    given = {"metric": "points", "amount": 100, "take": 60, "earned": True}
    life.do("2026-03-03", REVERSAL, REVERSAL, transactionId=str(paid.transaction_id), **given)
    assert life.roll_back()["metrics"] == {"points": 140}
    assert life.balance() == 0


def test_a_penalty_comes_back():
    life = Logged(KEEP, campaign("pay", "buy", effects=[points(-4)]))
    life.do("2026-03-01", "visit")
    life.do("2026-03-02", "buy")
    assert life.balance() == 1
    assert life.roll_back()["metrics"] == {"points": -4}
    assert (life.balance(), life.member.balances["points"].earned) == (5, 5)


def test_cascades_and_what_follows_from_them_go_too():
    hello = campaign("hello", "user.badge_earned", effects=[points(7)])
    life = Logged(
        document("product", "gold", type="badge", sku="GOLD"),
        campaign("pay", "buy", effects=[{"type": "award_product", "config": {"productId": "gold"}}]),
        hello,
        campaign("other", "buy", effects=[{"type": "emit", "config": {"trigger": "pinged"}}]),
        document("trigger", "pinged", key="pinged"),
        campaign("pong", "pinged", effects=[points(3)]),
    )
    life.do("2026-03-02", "buy")
    assert (life.balance(), set(life.member.holdings)) == (10, {"gold"})
    done = life.roll_back()
    assert (life.balance(), life.member.holdings) == (3, {})
    assert life.member.progress["hello"] == Progress()
    assert life.member.progress["pong"].completions == 1
    assert done == {"campaignId": "pay", "metrics": {"points": 7}, "products": 1, "completions": 2}


LADDER_DOC = document(
    "ladder", "status", metric="points", window={"type": "all_time"},
    rungs=[
        {"rungId": "bronze", "name": "B", "threshold": 0},
        {"rungId": "gold", "name": "G", "threshold": 100, "effects": [{"type": "add_metric", "config": {"metric": "coins", "amount": 9}}]},
    ],
)  # fmt: skip


def test_a_rung_that_was_reached_goes_with_what_it_brought():
    life = Logged(PAY, KEEP, LADDER_DOC)
    life.do("2026-03-01", "visit")
    life.do("2026-03-02", "buy")
    assert (ladders_of(life.member)["status"].rung, life.balance("coins")) == (1, 9)
    done = life.roll_back()
    state = ladders_of(life.member)["status"]
    assert (state.rung, state.reached, life.balance("coins"), life.balance()) == (0, (), 0, 5)
    assert done["rungs"] == 1
    life.do("2026-03-11", "buy")  # honestly, this time
    assert (ladders_of(life.member)["status"].rung, life.balance("coins")) == (1, 9)


def test_a_rung_by_hand_stays():
    life = Logged(PAY, LADDER_DOC)
    life.do("2026-03-02", "buy")
    life.do("2026-03-03", LADDER, LADDER, ladderId="status", rung="gold")
    life.roll_back()
    assert ladders_of(life.member)["status"].effective == 1


def test_a_challenge_is_as_far_as_without_what_counted():
    steps = [{"name": "s", "triggers": [{"type": "buy"}], "goal": {"type": "count", "target": 3}}]
    life = Logged(document("campaign", "pay", steps=steps, effects=[points(50)]))
    for day in ("2026-02-20", "2026-03-01", "2026-03-02"):
        life.do(day, "buy")
    assert (life.balance(), life.member.progress["pay"].completions) == (50, 1)
    life.roll_back()
    progress = life.member.progress["pay"]
    assert (life.balance(), progress.completions, progress.steps[0].value) == (0, 0, 1)
    life.do("2026-03-11", "buy")
    life.do("2026-03-12", "buy")
    assert life.balance() == 50


def test_what_another_campaign_would_have_paid_instead_is_not_paid_and_not_counted():
    more = {"exclusiveGroup": "g"}
    life = Logged(campaign("pay", "buy", effects=[points(100)], priority=10, **more), campaign("second", "buy", **more))
    life.do("2026-03-02", "buy")
    life.roll_back()
    assert life.balance() == 0
    assert life.member.progress.get("second", Progress()) == Progress()


def test_a_streak_is_as_if_it_had_not_counted():
    streak = document(
        "streak", "s", cadence="daily", triggers=[{"type": "visit"}],
        milestones=[{"length": 2, "effects": [points(11)]}],
    )  # fmt: skip
    check_in = campaign("pay", "buy", effects=[{"type": "check_in", "config": {"streakId": "s"}}])
    life = Logged(streak, check_in)
    life.do("2026-03-02", "visit")
    life.do("2026-03-03", "buy")
    assert (streaks_of(life.member)["s"].current, life.balance()) == (2, 11)
    life.roll_back("2026-03-03 13:00")
    assert (streaks_of(life.member)["s"].current, life.balance()) == (1, 0)
    life.do("2026-03-03 14:00", "visit")
    assert (streaks_of(life.member)["s"].current, life.balance()) == (2, 11)


def test_coupons_notifications_entries_and_fields_of_the_profile_are_taken_back():
    life = Logged(
        document("code_pool", "pool", productId="mug"),
        document("competition", "draw", status="active"),
        campaign(
            "pay", "buy",
            effects=[
                {"type": "issue_coupon", "config": {"codePoolId": "pool"}},
                {"type": "add_entries", "config": {"competitionId": "draw", "entries": 3}},
                {"type": "set_attribute", "config": {"name": "mood", "value": "x"}},
                {"type": "notify", "message": "Well done"},
            ],
        ),
    )  # fmt: skip
    issued = life.do("2026-03-02", "buy")
    order = life.plan()
    assert order is not None
    assert [coupon.coupon_id for coupon in order.coupons] == [issued.coupons[0].coupon_id]
    done = life.order(order)
    assert [claim.kind for claim in done.claims] == ["unused"]
    assert done.withdrawn is not None
    assert done.withdrawn.coupons == (issued.coupons[0].coupon_id,)
    assert done.withdrawn.notifications == tuple(notification.notification_id for notification in issued.notifications)
    assert (life.member.coupons, entries_of(life.member), life.member.attributes) == ({}, {}, {})
    assert life.plan() is None


def test_a_coupon_that_the_member_does_not_have_is_refused():
    ann = Logged(PAY)
    ann.do("2026-03-02", "buy")
    coupon = Coupon(coupon_id=ann.member.member_id, origin_id="cup", code="SAVE")
    assert ann.order(Rollback(coupons=(coupon,), whole=True)).refusal is Refusal.coupon_not_found


def test_nothing_is_set_off_by_it():
    life = Logged(
        PAY,
        campaign("sorry", "metric.changed", effects=[{"type": "add_metric", "config": {"metric": "xp", "amount": 1}}]),
    )
    life.do("2026-03-02", "buy")
    assert life.balance("xp") == 1
    life.roll_back()
    assert (life.balance(), life.balance("xp")) == (0, 0)


def test_who_has_moved_on_is_worked_out_again():
    life = Logged(PAY)
    life.do("2026-03-02", "buy")
    order = life.plan()
    life.do("2026-03-03", "buy")
    assert life.order(order).refusal is Refusal.member_moved_on
    assert life.balance() == 200


def test_the_doings_for_one_event_are_undone():
    life = Logged(PAY)
    life.do("2026-03-02", "buy")
    second = life.do("2026-03-02", "buy")
    done = life.roll_back(of_event=second.event_id)
    assert (done["metrics"], life.balance(), life.member.progress["pay"].completions) == ({"points": 100}, 100, 1)


def test_times_that_overlap_take_nothing_twice():
    life = Logged(PAY)
    for day in ("2026-03-01", "2026-03-03", "2026-03-05"):
        life.do(day, "buy")
    assert life.roll_back(until="2026-03-04 00:00")["metrics"] == {"points": 200}
    assert life.roll_back(since="2026-03-02 00:00", until="2026-03-09 00:00")["metrics"] == {"points": 100}
    assert (life.balance(), life.member.progress["pay"].completions) == (0, 0)


def test_a_product_bought_with_the_points_stays():
    life = Logged(PAY, document("product", "mug", type="merchandise", sku="MUG", pointsCost=60))
    life.do("2026-03-02", "buy")
    assert life.do("2026-03-03", REDEMPTION, REDEMPTION, productId="mug").refusal is None
    done = life.roll_back()
    assert (life.balance(), done["lostMetrics"], set(life.member.holdings)) == (0, {"points": 60}, {"mug"})


def test_a_limit_for_all_is_given_back():
    life = Logged(campaign("pay", "buy", effects=[points(1)], limit={"overall": 5}))
    life.do("2026-03-02", "buy")
    order = existing(life.plan())
    assert order.caps == {"pay": 1}
    assert existing(life.order(order).withdrawn).returned == (("cap", "pay", 1),)


def test_nothing_to_undo_is_no_order():
    life = Logged(PAY, KEEP)
    life.do("2026-03-02", "visit")
    life.do("2026-03-08", "buy")
    assert life.plan() is None
    assert life.at("2026-03-08") - life.at("2026-03-02") == timedelta(days=6)
    assert STREAK != ROLLBACK


def test_a_competition_that_had_not_counted_what_was_paid_loses_nothing():
    life = Logged(PAY)
    life.do("2026-03-01", "buy")
    life.program = program(PAY, document("competition", "cup", score={"metric": "points"}))
    life.do("2026-03-02", "buy")
    life.do("2026-03-06", "buy")
    life.roll_back()
    assert standings_of(life.member)["cup"].score == 100
