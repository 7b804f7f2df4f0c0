"""Files of actions: durable chunk by chunk. A line without an id is named by its number, so that it counts once."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence

from plaudit.errors import PlauditError
from plaudit.storage.postgres import Pool, as_sent
from plaudit.storage.programs import Programs

from . import jobs
from .actions import accepted, action_of
from .imports import columns_of
from .inbox import Inbox
from .jobs import Job
from .lines import Line, Records

EVENTS_AT_ONCE = 1_000


async def take_events(
    pool: Pool, programs: Programs, inbox: Inbox, job: Job, parts: AsyncIterable[bytes], *, is_csv: bool,
    correlation_id: str = "",
) -> AsyncGenerator[Job]:  # fmt: skip
    """Work through a stream of actions. Yield the job after each chunk, whose actions are then durable."""
    live = await programs.live(as_sent(job.org_id))
    records = Records(parts, columns_of(job.kind, live) if is_csv else None)

    async def take(chunk: Sequence[Line]) -> None:
        items = [line.error or action_of(_named(job, line)) for line in chunk]
        errors: list[tuple[int, PlauditError]] = []
        live = await programs.live(as_sent(job.org_id))
        results = await accepted(pool, inbox, live, items, correlation_id, job.job_id)
        for line, result in zip(chunk, results, strict=True):
            if isinstance(result, PlauditError):
                errors.append((line.number, result))
            elif result.new:
                job.accepted += 1
            else:
                job.unchanged += 1
        job.lines = chunk[-1].number
        await jobs.move(pool, job, errors)

    chunk: list[Line] = []
    try:
        async for line in records.after(job.lines):
            chunk.append(line.read())
            if len(chunk) == EVENTS_AT_ONCE:
                await take(chunk)
                chunk = []
                yield job
        if chunk:
            await take(chunk)
        jobs.check_counts(job, records.count)
    except Exception as error:
        await jobs.fail(pool, job, error)
        raise
    await jobs.end(pool, job, "finished", None)
    yield job


def _named(job: Job, line: Line) -> object:
    return {"eventId": f"job_{job.job_id}:{line.number}", **line.fields} if line.fields else line.value
