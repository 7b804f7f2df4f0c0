"""Suspects: what a process had in hand when it ended is noted with whose it is."""

import asyncio
from uuid import uuid4

from plaudit import clock
from plaudit.storage.suspects import Noted, note

WAITING = """
INSERT INTO inbox (bucket, event_id, org_id, member_id, user_id, kind, trigger, occurred_at, received_at, source, payload)
VALUES (1, $1, $2, $3, 'ann', 'action', 'purchase', $4, $4, 'api', '{}')
"""


def test_an_event_that_waits_is_noted_with_its_organisation_at_once(fresh_database, staged):
    async def scenario():
        async with staged(fresh_database) as stage, stage.pool.acquire() as connection:
            waiting, unknown, hung, org_id = uuid4(), uuid4(), uuid4(), uuid4()
            await connection.execute(WAITING, waiting, stage.org_id, uuid4(), clock.now())
            found = [Noted(waiting, "event"), Noted(unknown, "event"), Noted(hung, "event", org_id, certain=True)]
            tries = await note(connection, found, "it was killed", clock.now())
            assert tries == {waiting: 1, unknown: 1, hung: 2}
            await note(connection, [Noted(waiting, "event")], "it was killed", clock.now())
            rows = await connection.fetch("SELECT suspect_id, org_id, tries FROM suspects")
            noted = {row["suspect_id"]: (row["org_id"], row["tries"]) for row in rows}
            assert noted == {waiting: (stage.org_id, 2), unknown: (None, 1), hung: (org_id, 2)}

    asyncio.run(scenario())
