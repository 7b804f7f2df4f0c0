"""A history written in batches of any size gives the same rows, with all mechanics live at once."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

from plaudit.core.event import ACTION
from plaudit.core.ids import derived_id
from plaudit.engine.arrival import Payload, arrival_from_client
from plaudit.engine.process import process

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
TABLES = {
    "members": "member_id, attributes::text, enrolled_at, latest_at, sequence, due_at",
    "balances": "member_id, metric, amount, earned, book::text",
    "progress": "member_id, kind, key, state::text",
    "transactions": "member_id, position, ordinal, transaction_id, metric, amount, balance_after, cause_kind, cause_id, event_id, details::text",
    "events": "member_id, position, event_id, kind, trigger, occurred_at, state, outcome::text",
    "segment_members": "member_id, segment_id, since",
    "standings": "member_id, competition_id, score, reached_at, scope",
    "notifications": "member_id, notification_id, message",
}


async def a_programme(stage) -> None:
    await stage.change("metric", "points", expiry={"type": "rolling", "days": 20}, pendingDays=2)
    await stage.pay("camp_earn", "earn", [{"type": "add_points", "amount": "amount"}])
    await stage.pay("camp_told", "streak.broken", [{"type": "notify", "message": "Broken"}])
    await stage.write("streak", "daily", triggers=[{"type": "visit"}], freezes={"maximum": 1, "atStart": 1})
    await stage.write("ladder", "club", window={"type": "rolling", "days": 30}, rungs=[
        {"rungId": "silver", "name": "Silver", "threshold": 100}])  # fmt: skip
    await stage.write("segment", "active", include=[
        {"count": {"trigger": "visit", "withinDays": 7}, "operator": ">=", "value": 2}])  # fmt: skip
    await stage.write("competition", "cup", score={"metric": "points"})
    await stage.write("campaign", "camp_steps", effects=[{"type": "add_metric", "metric": "xp", "amount": 1}], steps=[
        {"name": "Visits", "trigger": "visit", "goal": {"target": 5}}])  # fmt: skip


def history(org_id, count: int = 200) -> list:
    chance = random.Random(7)
    hours = sorted(chance.randrange(24 * 90) for _ in range(count))
    return [
        arrival_from_client(
            org_id=org_id, user_id=f"user_{chance.randrange(6)}", kind=ACTION, trigger=chance.choice(["visit", "earn"]),
            occurred_at=BEGIN + timedelta(hours=hour), received_at=BEGIN, source="test",
            payload=Payload({"amount": chance.randrange(1, 60)}), event_id=derived_id(org_id, f"{n}"),
        )
        for n, hour in enumerate(hours)
    ]  # fmt: skip


def test_batches_of_any_size_give_the_same_rows(staged, fresh_database):
    async def scenario():
        async with staged(fresh_database) as stage:
            await a_programme(stage)
            program = await stage.program()
            arrivals = history(stage.org_id)
            found = []
            async with stage.pool.acquire() as connection:
                for size in (1, 7, len(arrivals)):
                    whole = connection.transaction()
                    await whole.start()
                    for start in range(0, len(arrivals), size):
                        await process(connection, {stage.org_id: program}, arrivals[start : start + size], BEGIN)
                    found.append({
                        table: sorted(map(tuple, await connection.fetch(f"SELECT {columns} FROM {table}")), key=str)
                        for table, columns in TABLES.items()
                    })  # fmt: skip
                    if size < len(arrivals):
                        await whole.rollback()
                    else:
                        await whole.commit()
            assert found[0] == found[1] == found[2]
            assert all(found[0].values())
            await stage.assert_invariants_hold()

    asyncio.run(scenario())
