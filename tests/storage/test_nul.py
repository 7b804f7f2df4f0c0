"""What earlier versions took with U+0000 in it neither breaks the search of others nor fails the member's events."""

import asyncio
from pathlib import Path

from plaudit import clock
from plaudit.core.event import PROFILE
from plaudit.engine.arrival import Payload, arrival_from_client
from plaudit.reads import members
from plaudit.storage import migrations

REPAIR = Path(migrations.__file__).parent / "versions" / "20261126_1910_texts_without_nul.sql"


def test_a_profile_of_then_is_repaired_and_the_log_gives_the_same(staged, fresh_database):
    async def scenario():
        async with staged(fresh_database) as stage:
            await stage.pay(effects=[{"type": "notify", "config": {"message": "Hi {{ user.displayName }}"}}])
            given = {"displayName": "a\0b\0\0", "city": "Bonn", "path": "c:\\u0000", "x\0": [{"y": "\0"}]}
            profile = arrival_from_client(
                org_id=stage.org_id, user_id="bad", kind=PROFILE, trigger="profile.set", occurred_at=clock.now(),
                received_at=clock.now(), payload=Payload({"attributes": given, "identities": {}}), source="test",
                event_id=clock.new_uuid7(),
            )  # fmt: skip
            await stage.append(profile)
            await stage.drain()
            wanted = {"displayName": "ab", "city": "Bonn", "path": "c:\\u0000", "x": [{"y": ""}]}
            async with stage.pool.acquire() as connection:
                # As the earlier version kept it.
                await connection.execute(
                    "UPDATE members SET attributes = $1", '{"displayName":"a\\u0000b\\u0000\\u0000","city":"Bonn",'
                    '"path":"c:\\\\u0000","x\\u0000":[{"y":"\\u0000"}]}',
                )  # fmt: skip
                await connection.execute(REPAIR.read_text())
                first = profile.occurred_at.replace(year=2000), clock.new_uuid7()
                (found,) = await members.fetch_page(connection, stage.org_id, first, 10, {"city": "Bonn"})
            assert found.attributes == wanted
            await stage.append(stage.arrival("bad"))
            await stage.drain()
            states = {row["state"] for row in await stage.fetch("SELECT state FROM events")}
            assert states == {"processed"}
            await stage.assert_invariants_hold()

    asyncio.run(scenario())
