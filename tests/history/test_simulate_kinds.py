"""A simulation replays every kind of event of the log: what is done by hand, between members, and what is taken back."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from plaudit import clock
from plaudit.chores.due_members import run_due
from plaudit.core.cause import campaign_cause
from plaudit.core.event import (
    ACTION,
    CAMPAIGN_ENROLMENT,
    ENROLMENT,
    GRANT,
    HOLD,
    MERGE,
    PROFILE,
    REDEMPTION,
    REVERSAL,
    TRANSACTION,
    TRANSFER,
)
from plaudit.engine.arrival import Payload, arrival_from_client
from plaudit.history import backtest
from plaudit.mechanics.ladders.commands import LADDER
from plaudit.mechanics.segments.commands import SEGMENT
from plaudit.mechanics.streaks.commands import STREAK
from plaudit.reads import transactions
from plaudit.storage.orgs import create_org

from .test_simulate_time import (
    assert_lived_as_simulated,
    assert_the_same,
    booked,
    given_by,
    simulated,
    write_programme,
    xp,
)

DAYS, MEMBERS, PER_DAY = 24, 5, 6
# Campaigns on what follows from what is done by hand.
MORE = ["metric.changed", "product.redeemed", "user.updated", "user.enrolled", "user.referred", "reward.granted"]


async def write_more(stage) -> None:
    await stage.write("product", "scarf", sku="S", type="merchandise", allocatedStock=9, pointsCost=5)
    await stage.write("reward", "gift", rewardType="points", config={"amount": 4})
    await stage.pay("camp_joined", trigger="visit", enrolment="required", effects=xp(23))
    for number, trigger in enumerate(MORE):
        await stage.write(
            "campaign", f"camp_{trigger.replace('.', '_')}", triggers=[listening(trigger)], effects=xp(100 + number)
        )


def listening(trigger):
    """Only to points: else who comes first to `camp_first`, by chance, tells here too."""
    conditions = [{"field": "metric", "operator": "==", "value": "points"}] if trigger == "metric.changed" else []
    return {"type": trigger, "conditions": conditions}


def commands(chance, user):
    """What may be done to a member by hand: the kind, and the order."""
    other = f"user_{chance.randrange(MEMBERS)}"
    amount = chance.choice([3, 20, -8])
    told = [
        (TRANSACTION, {"metric": "points", "amount": amount, "reason": "By hand"}),
        (HOLD, {"metric": "points", "holdId": "h", "action": chance.choice(["place", "capture", "release"]), "amount": 4,
                "until": (clock.now() + timedelta(days=40)).isoformat()}),
        (GRANT, {"rewardId": "gift"}),
        (PROFILE, {"attributes": {"timezone": chance.choice(["Europe/London", "Asia/Tokyo"])}}),
        (STREAK, {"streakId": "daily", "action": chance.choice(["check_in", "grant_freeze"])}),
        (LADDER, {"ladderId": "club", "rung": chance.choice(["r0", "r2", None])}),
        (SEGMENT, {"segmentId": "busy", "byHand": True, "member": chance.choice([True, False, None])}),
        (CAMPAIGN_ENROLMENT, {"campaignId": "camp_joined"}),
        (REDEMPTION, {"productId": "scarf", "quantity": 1}),
        (ENROLMENT, {"attributes": {}, "bonus": {"points": 7}, "referredBy": other}),
    ]  # fmt: skip
    if other != user:
        told.append((TRANSFER, {"metric": "points", "amount": 4, "to": other}))
    return chance.choice(told)


async def reversal(stage, chance, user):
    """The order to take back one of a member's transactions; none if there is none."""
    rows = await stage.fetch(
        "SELECT * FROM transactions WHERE org_id = $1 AND user_id = $2 AND amount > 0 AND reverses IS NULL"
        " AND cause_kind NOT IN ('opening', 'manual') AND metric = 'points' ORDER BY position, ordinal",
        stage.org_id, user,
    )  # fmt: skip
    if not rows:
        return None
    row = dict(rows[chance.randrange(len(rows))])
    async with stage.pool.acquire() as connection:
        parts = msgspec.to_builtins(await transactions.left_of(connection, row))
        expired = await transactions.expired_of(connection, row)
    return REVERSAL, {
        "transactionId": str(row["transaction_id"]), "metric": "points", "amount": row["amount"], "take": row["amount"],
        "parts": parts, "expired": expired, "earned": True, "countedAt": row["occurred_at"].isoformat(),
    }  # fmt: skip


async def live_through(stage, chance, now) -> None:
    """Some weeks, a day at a time; what is due in the last days has not been seen to yet."""
    for day in range(DAYS):
        at = now - timedelta(days=DAYS + 4 - day)
        for hours in sorted(chance.randrange(20) for _ in range(PER_DAY)):
            user = f"user_{chance.randrange(MEMBERS)}"
            kind, data = ACTION, {}
            match chance.randrange(10):
                case 0 | 1 | 2 | 3 | 4:
                    kind, data = commands(chance, user)
                case 5:
                    kind, data = await reversal(stage, chance, user) or (kind, data)
                case 6 if day == DAYS - 2 and user != "user_0":
                    kind, data = MERGE, {"into": "user_0"}
            trigger = chance.choice(["visit", "visit", "spend"]) if kind == ACTION else kind
            await stage.append(happened(stage, user, at + timedelta(hours=hours), kind, trigger, data))
        while await stage.fetch("SELECT FROM inbox WHERE org_id = $1 LIMIT 1", stage.org_id):
            await stage.drain()
        await run_due(stage.pool, await stage.program(), stage.org_id, at + timedelta(hours=23))


def happened(stage, user, at, kind, trigger, data):
    return arrival_from_client(
        org_id=stage.org_id, user_id=user, kind=kind, trigger=trigger, occurred_at=at, received_at=clock.now(),
        payload=Payload(data), source="api", event_id=clock.new_uuid7(), event_key=None,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_what_is_done_by_hand_simulated_against_itself_gives_what_was(staged, fresh_database, seed):
    async def main():
        async with staged(fresh_database) as stage:
            chance = random.Random(seed)
            await write_programme(stage, chance)
            await write_more(stage)
            now = clock.now()
            await live_through(stage, chance, now)
            programme = await stage.programmes.current(stage.org_id)
            found = await simulated(stage, programme, now - timedelta(days=1))
            assert_the_same(found)
            await run_due(stage.pool, programme.compiled, stage.org_id, clock.now())
            assert given_by(found.actual) == await booked(stage, now - timedelta(days=1))
            fired = {cause.text for cause, tally in found.actual.items() if tally.fired}
            assert {f"camp_{name.replace('.', '_')}" for name in MORE} | {
                "camp_joined",
                "manual",
                "redemption",
            } <= fired

    asyncio.run(main())


@pytest.mark.parametrize("trigger", MORE)
def test_a_draft_on_what_is_done_by_hand_is_simulated_as_it_would_have_been_lived(staged, fresh_database, trigger):
    async def write(organisation, chance, status):
        await write_programme(organisation, chance)
        await write_more(organisation)
        effects = [{"type": "add_metric", "config": {"metric": "coins", "amount": 25}}]
        listens = {"triggers": [listening(trigger)], "effects": effects, "status": status}
        await organisation.write("campaign", "camp_draft", **listens)

    async def main():
        async with staged(fresh_database) as stage:
            found = await assert_lived_as_simulated(stage, write, live_through, seed=5)
            coins = found.simulated[campaign_cause("camp_draft")].metrics["coins"]
            assert sum(case.after.metrics["coins"] for case in found.cases) == coins > 0

    asyncio.run(main())


def points(amount):
    return [{"type": "add_points", "config": {"amount": amount}}]


async def send_back_and_on(stage, paid) -> None:
    """Two visits; 15 points are sent on, if there are as many; a visit is taken back; the receiver becomes another."""
    await stage.pay("camp_visit", trigger="visit", effects=points(paid))

    async def does(user, kind=ACTION, trigger="visit", **data):
        await stage.append(happened(stage, user, clock.now(), kind, trigger, data))
        while await stage.fetch("SELECT FROM inbox WHERE org_id = $1 LIMIT 1", stage.org_id):
            await stage.drain()

    for user in ("ann", "ann", "bob", "carl"):
        await does(user)
    await does("ann", TRANSFER, TRANSFER, metric="points", amount=15, to="bob")
    (row, *_) = await stage.fetch(
        "SELECT * FROM transactions WHERE org_id = $1 AND user_id = 'ann' ORDER BY position LIMIT 1", stage.org_id
    )
    taken = {"transactionId": str(row["transaction_id"]), "amount": row["amount"], "take": row["amount"]}
    await does("ann", REVERSAL, REVERSAL, metric="points", earned=True, **taken)
    await does("bob", MERGE, MERGE, into="carl")
    await does("ann")


@pytest.mark.parametrize(("paid", "otherwise"), [(10, 5), (5, 10)])
def test_what_is_taken_back_sent_on_and_handed_over_is_what_would_be_there(staged, fresh_database, paid, otherwise):
    async def main():
        async with staged(fresh_database) as stage:
            async with stage.pool.acquire() as connection:
                other = await create_org(connection, "Otherwise", clock.now())
            lived = replace(stage, org_id=other.org_id)
            await send_back_and_on(stage, paid)
            await send_back_and_on(lived, otherwise)
            async with stage.pool.acquire() as connection:
                changed = await backtest.with_campaign(
                    connection, stage.org_id, "camp_visit", {"effects": points(otherwise)}
                )
            since = clock.now() - timedelta(days=1)
            found = await simulated(stage, changed, since)
            assert given_by(found.actual) == await booked(stage, since)
            assert given_by(found.simulated) == await booked(lived, since)

    asyncio.run(main())
