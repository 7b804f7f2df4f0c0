"""Run all due timers of one organisation immediately, after its clock was advanced. (Workers run the others.)"""

from datetime import datetime
from uuid import UUID

from plaudit import clock
from plaudit.core.program import Program
from plaudit.engine import timers
from plaudit.engine.process import process
from plaudit.guard import known
from plaudit.storage.postgres import Pool, with_retries

BATCH_MEMBERS_MAX = 200


async def run_due(pool: Pool, program: Program, org_id: UUID, now: datetime) -> int:
    """Run the timers of an organisation that are due by `now`. Return their number."""
    count = 0
    while True:
        async with pool.acquire() as connection:
            due = await timers.fetch_due_of_org(connection, org_id, now, BATCH_MEMBERS_MAX)
            ticks = [tick for tick in due if tick.member_id not in known.members]
            if not ticks:
                return count
            processed = await with_retries(
                lambda: process(connection, {org_id: program}, ticks, clock.now(), with_decisions=False)  # noqa: B023
            )
            failed = [event for event in processed if event.state == "failed"]
            if failed:
                raise RuntimeError(failed[0].error)
            count += len(processed)
