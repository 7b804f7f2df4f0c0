"""Import files of actions, chunk by chunk. A line without an id gets one from its line number, so it counts once."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence

from plaudit.core.event import FILE
from plaudit.engine.inbox import Inbox
from plaudit.errors import PlauditError
from plaudit.ingest.actions import accept_actions, parse_action
from plaudit.storage import jobs
from plaudit.storage.jobs import Job
from plaudit.storage.postgres import Pool, to_driver_uuid
from plaudit.storage.programmes import Programmes

from .reader import InputLine, Records
from .runner import columns_of

CHUNK_EVENTS = 1_000


async def import_events(
    pool: Pool, programmes: Programmes, inbox: Inbox, job: Job, parts: AsyncIterable[bytes], *, is_csv: bool,
    correlation_id: str = "",
) -> AsyncGenerator[Job]:  # fmt: skip
    """Import a stream of actions. Yield the job after each chunk has been stored durably."""
    programme = await programmes.current(to_driver_uuid(job.org_id))
    records = Records(parts, columns_of(job.kind, programme) if is_csv else None)

    async def import_chunk(chunk: Sequence[InputLine]) -> None:
        items = [line.error or parse_action(_with_event_id(job, line)) for line in chunk]
        errors: list[tuple[int, PlauditError]] = []
        programme = await programmes.current(to_driver_uuid(job.org_id))
        results = await accept_actions(
            pool, inbox, programme, items, source=FILE, correlation_id=correlation_id, job_id=job.job_id
        )
        for line, result in zip(chunk, results, strict=True):
            if isinstance(result, PlauditError):
                errors.append((line.number, result))
            elif result.new:
                job.accepted += 1
            else:
                job.unchanged += 1
        job.lines = chunk[-1].number
        await jobs.save_progress(pool, job, errors)

    chunk: list[InputLine] = []
    try:
        async for line in records.after(job.lines):
            chunk.append(line.read())
            if len(chunk) == CHUNK_EVENTS:
                await import_chunk(chunk)
                chunk = []
                yield job
        if chunk:
            await import_chunk(chunk)
        jobs.check_counts(job, records.count)
    except Exception as error:
        await jobs.fail(pool, job, error)
        raise
    await jobs.finish(pool, job, "finished", None)
    yield job


def _with_event_id(job: Job, line: InputLine) -> object:
    return {"eventId": f"job_{job.job_id}:{line.number}", **line.fields} if line.fields else line.value
