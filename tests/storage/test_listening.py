"""Listening to the server: nothing said is missed while the line is quiet, and a line that ended is made anew at once."""

import asyncio

from structlog.testing import capture_logs

from plaudit.storage import postgres
from plaudit.storage.postgres import connect, listen

END_LISTENERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND (query LIKE 'LISTEN%' OR query = 'SELECT 1')
"""


async def until(holds):
    async with asyncio.timeout(120):
        while not holds():
            await asyncio.sleep(0.01)


def test_a_quiet_line_is_felt_for_and_a_lost_one_is_made_anew(fresh_database, monkeypatch):
    monkeypatch.setattr(postgres, "HEARTBEAT_SECONDS", 0.02)
    heard: list[str] = []
    begun: list[bool] = []

    async def scenario():
        other = await connect(fresh_database)
        listening = asyncio.create_task(
            listen(fresh_database, {"a": heard.append, "b": heard.append}, lambda: begun.append(True))
        )
        try:
            await until(lambda: begun)
            await asyncio.sleep(0.3)  # many pulses
            await other.execute("NOTIFY a, 'one'; NOTIFY b, 'two'")
            await until(lambda: heard == ["one", "two"])
            assert len(begun) == 1
            await other.execute(END_LISTENERS)
            await until(lambda: len(begun) == 2)
            await other.execute("NOTIFY b, 'three'")
            await until(lambda: heard == ["one", "two", "three"])
        finally:  # else what is left open is held against whichever test the collector runs in next
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await other.close()

    with capture_logs() as logs:
        asyncio.run(scenario())
    assert logs == []
