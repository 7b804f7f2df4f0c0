"""A programme simulated against itself gives what was, also of what time alone brings about: over whole programmes.

Lives of some months, lived day by day under programmes drawn at random (streaks, expiry, pending points, segments,
ladders, leagues, challenges), with campaigns that listen to what time does.
"""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from plaudit import clock
from plaudit.chores.due_members import run_due
from plaudit.core.cause import Cause, campaign_cause
from plaudit.history import backtest
from plaudit.history.simulate import simulate
from plaudit.storage.orgs import create_org

DAYS, MEMBERS, PER_DAY = 60, 4, 3
LATE = {"streak.broken": 7, "metric.expired": 11, "segment.left": 13, "ladder.rung_changed": 17, "metric.released": 19}


def xp(amount):
    return [{"type": "add_metric", "config": {"metric": "xp", "amount": amount}}]


async def write_programme(stage, chance) -> None:
    """A whole programme, in which much happens by itself."""
    await stage.change(
        "metric", "points",
        expiry=chance.choice([
            {"type": "rolling", "days": 12}, {"type": "end_of_month"}, {"type": "rolling", "days": 9, "extendedByActivity": True},
        ]),
        pendingDays=chance.choice([0, 0, 4]),
        earningCaps=chance.choice([[], [{"period": "week", "amount": 90}]]),
    )  # fmt: skip
    milestone = {"length": 3, "effects": [{"type": "add_points", "config": {"amount": 30}}]}
    await stage.write(
        "streak", "daily", triggers=[{"type": "visit"}], graceHours=chance.choice([0, 5]), milestones=[milestone],
        freezes=chance.choice([None, {"maximum": 2, "atStart": 1}]),
    )  # fmt: skip
    rungs = [{"rungId": f"r{n}", "name": "R", "threshold": 60 * n, "effects": xp(1)} for n in range(4)]
    window = chance.choice([{"type": "rolling", "days": 20}, {"type": "calendar_year"}])
    await stage.write("ladder", "club", metric="points", window=window, rungs=rungs, softLanding=chance.random() < 0.5)
    busy = {"count": {"trigger": "visit", "withinDays": 10}, "operator": ">=", "value": 4}
    await stage.write("segment", "busy", include=[busy])
    await stage.write("segment", "rich", include=[{"field": "points", "operator": ">=", "value": 80}])
    leagues = {"period": "week", "divisions": ["one", "two"], "promote": 1, "relegate": 1}
    await stage.write("competition", "league", score={"metric": "points"}, leagues=leagues)
    await stage.write(
        "campaign", "camp_steps", repeatable=True,
        steps=[
            {"name": "a", "triggers": [{"type": "visit"}], "goal": {"target": 2}, "effects": xp(2)},
            {"name": "b", "triggers": [{"type": "streak.broken"}], "effects": xp(3)},
        ],
    )  # fmt: skip
    await stage.pay("camp_visit", trigger="visit", limit={"perUser": 40})
    await stage.pay("camp_spend", trigger="spend", effects=[{"type": "add_points", "config": {"amount": -15}}])
    for trigger, amount in LATE.items():
        await stage.pay(f"camp_{trigger.replace('.', '_')}", trigger=trigger, effects=xp(amount))
    await stage.pay("camp_first", trigger="metric.expired", effects=xp(100), limit={"overall": 3})


async def live_through(stage, chance, now, *, half_way=lambda: None) -> None:
    """Some months, whose timers run when they are due; what is due in the last two weeks has not been seen to yet."""
    for day in range(DAYS):
        at = now - timedelta(days=DAYS + 14 - day)
        events = [
            structs.replace(
                stage.arrival(f"user_{chance.randrange(MEMBERS)}", chance.choice(["visit", "visit", "visit", "spend"])),
                occurred_at=at + timedelta(hours=hours),
            )
            for hours in sorted(chance.randrange(20) for _ in range(PER_DAY if day % 17 < 11 else 0))
        ]
        await stage.append(*events)
        await stage.drain()
        await run_due(stage.pool, await stage.program(), stage.org_id, at + timedelta(hours=23))
        if day == DAYS // 2:
            half_way()


async def simulated(stage, programme, since, **more):
    async with stage.pool.acquire() as connection:
        return [simulation async for simulation in simulate(connection, programme, since, **more)][-1]


async def booked(stage, since) -> dict:
    """What the ledger has since, by cause and metric."""
    rows = await stage.fetch(
        "SELECT cause_kind, cause_id, metric, sum(amount) AS amount FROM transactions WHERE org_id = $1 AND created_at >= $2"
        " GROUP BY 1, 2, 3 HAVING sum(amount) <> 0", stage.org_id, since,
    )  # fmt: skip
    return {(Cause(row["cause_kind"], row["cause_id"]), row["metric"]): int(row["amount"]) for row in rows}


FIRST = campaign_cause("camp_first")


def given_by(tallies) -> dict:
    return {
        (cause, metric): amount
        for cause, tally in tallies.items()
        for metric, amount in tally.metrics.items()
        if amount
    }


def assert_the_same(found) -> None:
    """Nothing would have gone otherwise. (Who of those whose time came at once got the last of something is chance.)"""
    was, would = found.actual[FIRST], found.simulated[FIRST]  # nothing, if no month ended in these weeks
    del found.actual[FIRST], found.simulated[FIRST]
    assert (was.fired, was.metrics) == (would.fired, would.metrics)
    assert found.actual == found.simulated
    assert {case.cause for case in found.cases} <= {FIRST}
    found.actual[FIRST], found.simulated[FIRST] = was, would


async def assert_lived_as_simulated(stage, write, programme, *, seed):
    """Live the same life twice: beside a draft, and in another organisation in which it is active.

    What the simulation of the draft says must be what the other has. Return the simulation.
    """
    async with stage.pool.acquire() as connection:
        other = await create_org(connection, "With it", clock.now())
    lived = replace(stage, org_id=other.org_id)
    now = clock.now()
    for organisation, status in ((stage, "draft"), (lived, "active")):
        chance = random.Random(seed)
        await write(organisation, chance, status)
        await programme(organisation, chance, now)
    since = now - timedelta(days=1)
    async with stage.pool.acquire() as connection:
        draft = await backtest.with_campaign(connection, stage.org_id, "camp_draft", {})
    found = await simulated(stage, draft, since, campaign_id="camp_draft")
    await run_due(lived.pool, await lived.program(), lived.org_id, clock.now())
    assert given_by(found.simulated) == await booked(lived, since)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_programme_simulated_against_itself_gives_what_was(staged, fresh_database, seed):
    async def main():
        async with staged(fresh_database) as stage:
            chance = random.Random(seed)
            await write_programme(stage, chance)
            now, since = clock.now(), []
            await live_through(stage, chance, now, half_way=lambda: since.append(clock.now()))
            programme = await stage.programmes.current(stage.org_id)
            begun = clock.now() - timedelta(days=1)
            for start in (begun, since[0]):
                assert_the_same(await simulated(stage, programme, start))
            whole = await simulated(stage, programme, begun)
            # What was due and not done yet has been counted: when it is done, the ledger says the same.
            assert await run_due(stage.pool, programme.compiled, stage.org_id, clock.now()) > 0
            assert given_by(whole.actual) == await booked(stage, begun)
            again = await simulated(stage, programme, begun)
            assert given_by(again.actual) == given_by(whole.actual)
            assert_the_same(again)
            fired = {cause.text for cause, tally in again.actual.items() if tally.fired}
            assert {"camp_streak_broken", "camp_metric_expired", "camp_segment_left", "camp_steps"} <= fired

    asyncio.run(main())


@pytest.mark.parametrize("trigger", ["streak.broken", "metric.expired", "segment.left"])
def test_a_draft_on_what_time_does_is_simulated_as_it_would_have_been_lived(staged, fresh_database, trigger):
    """The same life with the campaign and without: what the simulation says without it is what there is with it."""

    async def write(organisation, chance, status):
        await write_programme(organisation, chance)
        effects = [{"type": "add_points", "config": {"amount": 25}}]
        await organisation.pay("camp_draft", trigger=trigger, effects=effects, status=status)

    async def main():
        async with staged(fresh_database) as stage:
            found = await assert_lived_as_simulated(stage, write, live_through, seed=7)
            assert found.simulated[campaign_cause("camp_draft")].fired > 2
            assert (
                sum(case.after.metrics["points"] for case in found.cases)
                == found.simulated[campaign_cause("camp_draft")].metrics["points"]
            )
            assert all(case.arrival.trigger == "timer" or trigger == "segment.left" for case in found.cases)

    asyncio.run(main())
