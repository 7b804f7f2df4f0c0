"""What members have earned is worked out anew from the ledger, for rows that earlier versions have written."""

import asyncio

from plaudit import clock
from plaudit.core.event import RECEIPT, REVERSAL, TRANSACTION
from plaudit.engine.arrival import Payload, arrival_from_client
from plaudit.history.replay import replay
from plaudit.storage.schema import MIGRATIONS

# As the table was when the migration was written.
CAUSES_IN_ONE_COLUMN = """
    ALTER TABLE transactions ADD COLUMN campaign_id text;
    UPDATE transactions SET campaign_id = CASE cause_kind WHEN 'campaign' THEN cause_id ELSE cause_kind END
"""
EARNED = (MIGRATIONS / "versions" / "20261126_1900_earned.sql").read_text()


def test_rows_of_earlier_versions_come_to_what_is_decided_today(staged, fresh_database):
    async def book(stage, kind, **data) -> str:
        now = clock.now()
        arrival = arrival_from_client(
            org_id=stage.org_id, user_id="ann", kind=kind, trigger=kind, occurred_at=now, received_at=now,
            payload=Payload({"metric": "points", **data}), source="test", event_id=clock.new_uuid7(), event_key=None,
        )  # fmt: skip
        await stage.append(arrival)
        await stage.drain()
        (row,) = await stage.fetch("SELECT transaction_id FROM transactions WHERE event_id = $1", arrival.event_id)
        return str(row["transaction_id"])

    async def scenario():
        async with staged(fresh_database) as stage:
            await book(stage, TRANSACTION, amount=100)
            received = await book(stage, RECEIPT, amount=500)
            spent = await book(stage, TRANSACTION, amount=-60)
            back = await book(stage, REVERSAL, transactionId=spent, amount=-60, take=60)
            await book(stage, REVERSAL, transactionId=back, amount=60, take=20)
            await book(stage, REVERSAL, transactionId=received, amount=500, take=500)
            await stage.fetch("UPDATE balances SET earned = 660")  # as an earlier version would have it: all credits
            async with stage.pool.acquire() as connection:
                await connection.execute(
                    f"{CAUSES_IN_ONE_COLUMN}; {EARNED}; ALTER TABLE transactions DROP COLUMN campaign_id"
                )
                assert (await replay(connection)).differences == []
            assert [row["earned"] for row in await stage.fetch("SELECT earned FROM balances")] == [100]
            await stage.assert_invariants_hold()

    asyncio.run(scenario())
