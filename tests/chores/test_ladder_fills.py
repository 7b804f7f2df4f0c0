"""A new or changed ladder is filled from the ledger: once, quietly, and as if it had always been there."""

import asyncio
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from plaudit import clock
from plaudit.chores.fill_segments import fill_next_bucket
from plaudit.core.event import ACTION, REVERSAL, TRANSACTION, TRANSFER
from plaudit.core.ids import bucket_of, member_id_of
from plaudit.documents.kinds import KINDS
from plaudit.engine.arrival import Payload, arrival_from_client
from plaudit.history.replay import replay
from plaudit.history.verify import verify
from plaudit.mechanics.ladders.state import LadderState
from plaudit.storage import documents, jobs
from plaudit.storage.documents import Change
from tests.support.existing import existing

RUNGS = [
    {"rungId": "bronze", "name": "Bronze", "threshold": 0},
    {"rungId": "silver", "name": "Silver", "threshold": 100, "effects": [{"type": "add_metric", "config": {"metric": "xp", "amount": 1}}]},
    {"rungId": "gold", "name": "Gold", "threshold": 500, "effects": [{"type": "add_metric", "config": {"metric": "xp", "amount": 10}}]},
]  # fmt: skip
WINDOWS = {
    "all_time": {"type": "all_time"},
    "year": {"type": "calendar_year"},
    "membership": {"type": "membership_year"},
    "rolling": {"type": "rolling", "days": 40},
}


def happens(stage, kind=ACTION, user_id="ann", trigger=None, days_ago=0, **data):
    at = clock.now() - timedelta(days=days_ago)
    return arrival_from_client(
        org_id=stage.org_id, user_id=user_id, kind=kind, trigger=trigger or kind, occurred_at=at, received_at=at,
        payload=Payload(data), source="api", event_id=clock.new_uuid7(), event_key=None,
    )  # fmt: skip


def earns(stage, amount, user_id="ann", days_ago=0):
    return happens(stage, trigger="earn", user_id=user_id, days_ago=days_ago, amount=amount)


async def settled(stage):
    """Decide all that waits, and what it leads to."""
    while await stage.fetch("SELECT FROM inbox LIMIT 1"):
        await stage.drain()


async def live(stage, *arrivals):
    for arrival in arrivals:
        await stage.append(arrival)
        await settled(stage)


async def filled(stage) -> int:
    """Fill what is to be filled, and decide what comes of it. Return how many members were looked at."""
    before = await stage.fetch("SELECT count(*) AS n FROM events WHERE kind IN ('ladder', 'segment')")
    while await fill_next_bucket(stage.pool, stage.programmes):
        pass
    await settled(stage)
    after = await stage.fetch("SELECT count(*) AS n FROM events WHERE kind IN ('ladder', 'segment')")
    return after[0]["n"] - before[0]["n"]


async def on(stage, ladder_id, user_id="ann") -> LadderState | None:
    member_id = member_id_of(stage.org_id, user_id)
    rows = await stage.fetch(
        "SELECT state FROM progress WHERE bucket = $1 AND member_id = $2 AND kind = 'ladder' AND key = $3",
        bucket_of(member_id), member_id, ladder_id,
    )  # fmt: skip
    return msgspec.json.decode(rows[0]["state"], type=LadderState) if rows else None


async def rung(stage, ladder_id, user_id="ann") -> str | None:
    state = await on(stage, ladder_id, user_id)
    return None if state is None else state.rung_ids[state.rung]


async def balance(stage, metric, user_id="ann") -> int:
    member_id = member_id_of(stage.org_id, user_id)
    rows = await stage.fetch(
        "SELECT amount FROM balances WHERE bucket = $1 AND member_id = $2 AND metric = $3",
        bucket_of(member_id), member_id, metric,
    )  # fmt: skip
    return rows[0]["amount"] if rows else 0


async def pays(stage):
    await stage.pay(trigger="earn", effects=[{"type": "add_points", "config": {"amount": "amount"}}])


def run(staged, url, scenario):
    async def whole():
        async with staged(url) as stage:
            await pays(stage)
            await scenario(stage)
            async with stage.pool.acquire() as connection:
                assert [
                    invariant_result for invariant_result in await verify(connection) if not invariant_result.holds
                ] == []
                assert (await replay(connection)).differences == []

    asyncio.run(whole())


async def reverses(stage, number):
    """Take the credit back that ann got first, second …"""
    rows = await stage.fetch(
        "SELECT * FROM transactions WHERE metric = 'points' AND amount > 0 ORDER BY position, ordinal OFFSET $1 LIMIT 1",
        number,
    )
    row = rows[0]
    order = {
        "transactionId": str(row["transaction_id"]), "metric": "points", "amount": row["amount"], "take": row["amount"],
        "earned": True, "countedAt": row["occurred_at"].isoformat(),
    }  # fmt: skip
    await live(stage, happens(stage, REVERSAL, **order))


@pytest.mark.parametrize("window", WINDOWS)
def test_a_new_ladder_stands_as_one_that_was_there_all_the_time(staged, fresh_database, window):
    async def scenario(stage):
        await stage.write("ladder", "always", rungs=RUNGS, window=WINDOWS[window])
        await live(
            stage,
            happens(stage, TRANSACTION, "bob", metric="points", amount=900, days_ago=500),
            earns(stage, 450, days_ago=420), earns(stage, 200, days_ago=30), earns(stage, 100, days_ago=30), earns(stage, 250, days_ago=3),
            happens(stage, TRANSACTION, metric="points", amount=-300, days_ago=2),
            happens(stage, TRANSFER, "bob", metric="points", amount=600, to="ann", days_ago=1),
        )  # fmt: skip
        await reverses(stage, 2)
        await stage.write("ladder", "new", rungs=RUNGS, window=WINDOWS[window])
        had = await balance(stage, "xp")
        assert await on(stage, "new") is None
        assert await filled(stage) >= 4  # the other one is filled as well; two looks in one batch are three
        assert await filled(stage) == 0
        assert await balance(stage, "xp") == had
        for user_id in ("ann", "bob"):
            always, new = [existing(await on(stage, name, user_id)) for name in ("always", "new")]
            assert always.earned == new.earned
            assert (always.rung, always.ends_at) == (new.rung, new.ends_at)

    run(staged, fresh_database, scenario)


def test_what_is_decided_in_the_same_batch_as_the_look_is_counted_once(staged, fresh_database):
    async def scenario(stage):
        await live(stage, earns(stage, 450))
        await stage.write("ladder", "new", rungs=RUNGS)
        await stage.write("segment", "buyers", include=[{"count": {"trigger": "earn"}, "operator": ">=", "value": 2}])
        await stage.append(earns(stage, 49))  # waits when the looks come behind it
        while await fill_next_bucket(stage.pool, stage.programmes):
            pass
        await stage.append(earns(stage, 1))
        await settled(stage)
        assert existing(await on(stage, "new")).earned == {"": 500}
        assert await rung(stage, "new") == "gold"
        rows = await stage.fetch("SELECT state FROM progress WHERE kind = 'segment' AND key = 'buyers'")
        (tallied,) = msgspec.json.decode(rows[0]["state"])[2].values()
        assert tallied == {"0": 3}

    run(staged, fresh_database, scenario)


def test_pending_points_count_from_when_they_are_released(staged, fresh_database):
    async def scenario(stage):
        await stage.change("metric", "points", pendingDays=10)
        await live(stage, earns(stage, 100, days_ago=12), earns(stage, 400, days_ago=3))
        await stage.write("ladder", "new", rungs=RUNGS)
        await filled(stage)
        assert existing(await on(stage, "new")).earned == {"": 100}

    run(staged, fresh_database, scenario)


def test_a_change_of_thresholds_or_window_fills_again_and_a_change_of_name_does_not(staged, fresh_database):
    async def scenario(stage):
        await live(stage, earns(stage, 450, days_ago=400))
        await stage.write("ladder", "club", rungs=RUNGS)
        assert await filled(stage) == 1
        await stage.change("ladder", "club", name="The club")
        assert await filled(stage) == 0
        lower = [*RUNGS[:2], RUNGS[2] | {"threshold": 400}]
        await stage.change("ladder", "club", rungs=lower)
        assert (await filled(stage), await rung(stage, "club"), await balance(stage, "xp")) == (1, "gold", 0)
        await stage.change("ladder", "club", window={"type": "rolling", "days": 30})
        assert (await filled(stage), await rung(stage, "club")) == (1, "gold")
        ends_at = existing(existing(await on(stage, "club")).ends_at)
        assert clock.now() + timedelta(days=28) < ends_at < clock.now() + timedelta(days=31)
        await live(stage, earns(stage, 100))
        assert await rung(stage, "club") == "gold"

    run(staged, fresh_database, scenario)


def test_members_stay_on_their_rungs_before_and_after_a_changed_ladder_is_filled(staged, fresh_database):
    async def scenario(stage):
        await stage.write("ladder", "club", rungs=RUNGS)
        await filled(stage)
        await live(stage, earns(stage, 100), earns(stage, 500, "bob"))
        amber = {"rungId": "amber", "name": "Amber", "threshold": 80}
        for rungs, ann, bob in (
            ([RUNGS[0], amber, *RUNGS[1:]], "silver", "gold"),  # one is put in
            ([RUNGS[0], RUNGS[2]], "bronze", "gold"),  # and two are taken out
            ([RUNGS[0], amber, RUNGS[2]], "amber", "gold"),
        ):
            await stage.change("ladder", "club", rungs=rungs)
            await live(stage, happens(stage, user_id="bob", trigger="look"))
            assert await rung(stage, "club", "bob") == bob
            await filled(stage)
            assert (await rung(stage, "club"), await rung(stage, "club", "bob")) == (ann, bob)
        assert await balance(stage, "xp", "bob") == 11

    run(staged, fresh_database, scenario)


def test_a_ladder_that_was_archived_meanwhile_is_filled_with_what_it_has_missed(staged, fresh_database):
    async def scenario(stage):
        await stage.write("ladder", "club", rungs=RUNGS)
        await live(stage, earns(stage, 90))
        await stage.change("ladder", "club", status="archived")
        await live(stage, earns(stage, 10))
        await filled(stage)
        assert await rung(stage, "club") == "bronze"
        await stage.change("ladder", "club", status="active")
        await filled(stage)
        assert (await rung(stage, "club"), existing(await on(stage, "club")).earned) == ("silver", {"": 100})

    run(staged, fresh_database, scenario)


@pytest.mark.breaks_tables("takes what the first document led to out of the tables, which the log has")
@pytest.mark.parametrize("kind", ["ladder", "segment"])
def test_another_document_of_the_same_id_is_filled_too(staged, fresh_database, kind):
    async def scenario(stage):
        raw = (
            {"rungs": RUNGS} if kind == "ladder" else {"include": [{"field": "points", "operator": ">=", "value": 50}]}
        )
        await live(stage, earns(stage, 90))
        await stage.write(kind, "one", **raw)
        assert await filled(stage) == 1
        async with stage.pool.acquire() as connection:
            change = Change(org_id=stage.org_id, kind=KINDS[kind], id="one", by="test", at=clock.now())
            await documents.delete(connection, change)
        await stage.programmes.refresh(stage.org_id)
        await stage.fetch("DELETE FROM progress WHERE kind = $1 AND key = 'one'", kind)
        await stage.write(kind, "one", **raw)
        assert await filled(stage) == 1

    async def without_replay():
        async with staged(fresh_database) as stage:
            await pays(stage)
            await scenario(stage)

    asyncio.run(without_replay())


def test_who_was_merged_brings_along_what_they_earned(staged, fresh_database):
    async def scenario(stage):
        await live(stage, earns(stage, 60, "guest"), earns(stage, 50))
        await live(stage, happens(stage, "merge", "guest", into="ann"))
        await stage.write("ladder", "club", rungs=RUNGS)
        await filled(stage)
        assert existing(await on(stage, "club")).earned == {"": 110}

    run(staged, fresh_database, scenario)


def test_a_ladder_of_before_is_left_as_it_is_until_what_places_its_members_changes(staged, fresh_database):
    async def scenario(stage):
        await live(stage, earns(stage, 450))
        await stage.write("ladder", "club", rungs=RUNGS)
        await stage.fetch("DELETE FROM segment_fills")  # as an earlier version would have left it
        await stage.change("ladder", "club", description="Ours")
        assert (await filled(stage), await on(stage, "club")) == (0, None)

    run(staged, fresh_database, scenario)


def test_members_of_other_organisations_are_not_looked_at(staged, fresh_database):
    async def scenario(stage):
        await live(stage, earns(stage, 450))
        await stage.write("ladder", "club", rungs=RUNGS)
        await filled(stage)
        rows = await stage.fetch("SELECT DISTINCT org_id FROM events WHERE kind = 'ladder'")
        assert [row["org_id"] for row in rows] == [UUID(str(stage.org_id))]

    run(staged, fresh_database, scenario)


def test_no_time_passes_by_a_fill_for_who_is_being_imported(staged, fresh_database):
    async def scenario(stage):
        await stage.change("metric", "points", expiry={"type": "rolling", "days": 30})
        job = await jobs.start(stage.pool, stage.org_id, jobs.EVENTS, "test", None)
        past = earns(stage, 120, days_ago=100)
        async with stage.pool.acquire() as connection:
            await jobs.take_members(connection, job.job_id, [(past.bucket, past.member_id)])
        await live(stage, past)
        await stage.write("ladder", "club", rungs=RUNGS)
        counts = {"count": {"trigger": "earn"}, "operator": ">=", "value": 1}
        await stage.write("segment", "earners", name="Earners", include=[counts])
        await filled(stage)
        assert (await rung(stage, "club"), await balance(stage, "points")) == ("silver", 120)
        await jobs.finish(stage.pool, job, "finished", None)
        await live(stage, earns(stage, 1))
        assert await balance(stage, "points") == 1  # the others have expired by then

    run(staged, fresh_database, scenario)
