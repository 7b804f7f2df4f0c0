"""Listening to the server: nothing said is missed while the line is quiet, and a line that ended is made anew at once."""

import asyncio

from structlog.testing import capture_logs

from plaudit.storage import postgres
from plaudit.storage.postgres import connect, listen
from tests.support.eventually import eventually_async

PROBES = "SELECT query_start FROM pg_stat_activity WHERE datname = current_database() AND query = 'SELECT 1'"
END_LISTENERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND (query LIKE 'LISTEN%' OR query = 'SELECT 1')
"""


async def probed(other, probes: set[object]) -> bool:
    """Note when the listening connection was probed last, and return whether that was many times."""
    probes.update(row["query_start"] for row in await other.fetch(PROBES))
    return len(probes) > 5


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
            await eventually_async(lambda: begun)
            probes: set[object] = set()
            await eventually_async(lambda: probed(other, probes), show=lambda: probes)
            await other.execute("NOTIFY a, 'one'; NOTIFY b, 'two'")
            await eventually_async(lambda: heard == ["one", "two"])
            assert len(begun) == 1
            await other.execute(END_LISTENERS)
            await eventually_async(lambda: len(begun) == 2)
            await other.execute("NOTIFY b, 'three'")
            await eventually_async(lambda: heard == ["one", "two", "three"])
        finally:  # else what is left open is held against whichever test the collector runs in next
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await other.close()

    with capture_logs() as logs:
        asyncio.run(scenario())
    assert logs == []
