"""A rollback that is killed half-way is continued, and counts what it had done."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from plaudit import clock
from plaudit.chores import rollbacks
from plaudit.chores.rollbacks import Rollbacks, RollbackScope
from plaudit.storage import jobs
from tests.support.existing import existing

USERS = [f"u{number}" for number in range(7)]


async def overpaid(stage) -> RollbackScope:
    await stage.pay()
    await stage.append(*(stage.arrival(user) for user in USERS))
    await stage.drain()
    return RollbackScope("camp_1", clock.now() - timedelta(hours=1), clock.now() + timedelta(hours=1))


async def begun(stage, asked: RollbackScope):
    async with stage.pool.acquire() as connection:
        return await rollbacks.start(connection, stage.org_id, asked, "test")


async def row_of(stage, job_id) -> dict:
    async with stage.pool.acquire() as connection:
        return existing(await jobs.job_row(connection, stage.org_id, job_id))


async def finish(stage) -> None:
    hand = Rollbacks(stage.pool, stage.programmes)
    while await hand.continue_once():
        pass


def counts(row: dict) -> tuple:
    result = msgspec.json.decode(row["result"])
    return row["state"], row["lines"], row["accepted"], row["refused"], result["booked"], result["rollback"]["sums"]


@pytest.mark.parametrize(("after", "seconds"), [(0, 5), (1, 5), (5, -1)])
def test_it_is_continued_where_it_was_killed(database, staged, monkeypatch, after, seconds):
    async def run():
        async with staged(database) as stage:
            monkeypatch.setattr(rollbacks, "MEMBERS_AT_ONCE", 3)
            monkeypatch.setattr(rollbacks, "SECONDS_AT_ONCE", seconds)  # below 0: one member at a time
            job_id = await begun(stage, await overpaid(stage))
            done = []
            undo = Rollbacks.undo

            async def dies(self, programme, doings, key, event_id, *, dry_run):
                if len(done) == after:
                    raise ConnectionError("killed")
                done.append(key)
                return await undo(self, programme, doings, key, event_id, dry_run=dry_run)

            with monkeypatch.context() as killed:
                killed.setattr(Rollbacks, "undo", dies)
                with pytest.raises(ConnectionError):
                    await finish(stage)
            assert (await row_of(stage, job_id))["state"] == "running"
            await finish(stage)
            state, lines, accepted, refused, booked, sums = counts(await row_of(stage, job_id))
            assert (state, lines, accepted, refused, booked) == ("finished", 7, 7, 0, {"points": 70})
            assert sums["numbers"]["completions"] == 7
            assert [await stage.points(user) for user in USERS] == [0] * 7
            (events,) = await stage.fetch(
                "SELECT count(*) FROM events WHERE kind = 'rollback' AND org_id = $1", stage.org_id
            )
            assert events["count"] == 7
            await stage.assert_invariants_hold()

    asyncio.run(run())


def test_a_member_who_cannot_be_worked_out_is_told_and_the_others_go_on(database, staged, monkeypatch):
    async def run():
        async with staged(database) as stage:
            job_id = await begun(stage, await overpaid(stage))
            await stage.fetch(
                "UPDATE members SET sequence = sequence + 1 WHERE org_id = $1 AND user_id = 'u3'", stage.org_id
            )
            await finish(stage)
            row = await row_of(stage, job_id)
            assert (row["state"], row["accepted"], row["refused"]) == ("finished", 6, 1)
            async with stage.pool.acquire() as connection:
                (error,) = await jobs.errors_of(connection, job_id, 0, 10)
            assert error["message"].startswith("u3: ")
            assert [await stage.points(user) for user in ("u2", "u3")] == [0, 10]
            await stage.fetch(
                "UPDATE members SET sequence = sequence - 1 WHERE org_id = $1 AND user_id = 'u3'", stage.org_id
            )

    asyncio.run(run())
