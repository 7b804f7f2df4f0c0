"""Run import jobs: turn files of any size into events, in constant memory.

    bytes ──records──► chunks ──batches, by bucket──► importers ──process()──► the job's progress is saved

A resumed job continues after its last finished line. A line that was imported before with the same values changes
nothing, since its event is already in the log. So an import can be repeated as often as necessary.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.core.ids import bucket_of, member_id_of
from plaudit.documents import export_lines
from plaudit.documents.columns import CODE_COLUMNS, Columns, EventColumns, member_columns, profile_columns
from plaudit.documents.lenient import id_text
from plaudit.errors import PlauditError
from plaudit.storage import jobs
from plaudit.storage.jobs import Job
from plaudit.storage.postgres import Pool, to_driver_uuid
from plaudit.storage.programmes import Programme, Programmes
from plaudit.tasks import cancel

from .batch import BatchResult, ImportBatch
from .file_lines import EXPORTED_LINE_BYTES_MAX, LINE_BYTES_MAX
from .moving import PREFIX
from .reader import InputLine, Records
from .workers import ImportPool, ImportSubprocess, LocalImporter

CHUNK_LINES = 4_000
CHUNK_BYTES = 32 << 20  # of NDJSON: a few very long lines are as much work as a full chunk
LOCAL_IMPORTERS = 3  # in this process, each with its own connection
CHUNKS_IN_FLIGHT = 3
SINGLE_BATCH_LINES_MAX = 500  # fewer lines are imported as a single batch

Importers = Sequence[LocalImporter | ImportSubprocess]


class _ChunkInProgress(Struct, frozen=True):
    """A chunk being imported: the number of its last line, and its batches."""

    last: int
    batches: Sequence[asyncio.Task[BatchResult]]


async def run_job(
    pool: Pool, programmes: Programmes, job: Job, parts: AsyncIterable[bytes], *, is_csv: bool
) -> AsyncGenerator[Job]:
    """Import a stream. Yield the job after each chunk. Finished chunks stay imported even if the stream breaks off."""
    org_id = to_driver_uuid(job.org_id)
    columns = columns_of(job.kind, await programmes.current(job.org_id)) if is_csv else None
    at_most = EXPORTED_LINE_BYTES_MAX if job.kind.startswith(PREFIX) else LINE_BYTES_MAX
    records = Records(parts, columns, at_most)
    importers: Importers = [LocalImporter(pool, programmes) for _ in range(LOCAL_IMPORTERS)]
    subprocesses = ImportPool(programmes.url)
    in_progress: deque[_ChunkInProgress] = deque()

    async def finish_first() -> Job:
        await _finish(pool, job, in_progress[0])
        in_progress.popleft()
        return job

    async def import_chunks() -> AsyncGenerator[Job]:
        nonlocal importers
        async for chunk in _chunks(records, job.lines):
            if len(chunk) == CHUNK_LINES:  # a shorter file is finished before subprocesses are ready
                subprocesses.start()
            available = subprocesses.ready() or importers
            few = len(chunk) < SINGLE_BATCH_LINES_MAX
            # A member's lines may go to another importer now: finish earlier chunks first, to keep their order.
            while in_progress and (few or available is not importers):
                yield await finish_first()
            importers = available
            in_progress.append(_start(org_id, job.kind, chunk, importers[:1] if few else importers))
            # While subprocesses are starting, run one chunk at a time, to leave the rest for them.
            while len(in_progress) >= (1 if subprocesses.starting else CHUNKS_IN_FLIGHT):
                yield await finish_first()

    try:
        broken: PlauditError | None = None
        try:
            async for progress in import_chunks():
                yield progress
        except PlauditError as error:  # even if the stream breaks off, finish the chunks in progress
            broken = error
        while in_progress:
            yield await finish_first()
        if broken is not None:
            raise broken
        jobs.check_counts(job, records.count)
    except Exception as error:
        await jobs.fail(pool, job, error)
        raise
    finally:
        await cancel(task for chunk in in_progress for task in chunk.batches)
        subprocesses.close()
    await jobs.finish(pool, job, "finished", None)
    yield job


def columns_of(kind: str, programme: Programme) -> Columns:
    """Return the columns that a CSV file for a kind of job can have."""
    if kind.startswith(PREFIX):
        return export_lines.columns_of(kind.removeprefix(PREFIX))
    match kind:
        case "members":
            return member_columns(programme.profiles)
        case "update":
            return profile_columns(programme.profiles)
        case "codes":
            return CODE_COLUMNS
        case _:
            return EventColumns(programme.triggers)


async def _chunks(records: Records, done: int) -> AsyncGenerator[list[InputLine]]:
    """Yield chunks of the records after line `done`."""
    chunk: list[InputLine] = []
    size = 0
    async for line in records.after(done):
        chunk.append(line)
        size += len(line.value) if isinstance(line.value, bytes) else 0
        if len(chunk) == CHUNK_LINES or size > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _start(org_id: UUID, kind: str, chunk: Sequence[InputLine], importers: Importers) -> _ChunkInProgress:
    """Split a chunk among the importers. A member's lines always go to the same importer, which keeps their order."""
    shares: list[list[InputLine]] = [[] for _ in importers]
    for line in chunk:
        shares[_bucket(org_id, line) % len(importers)].append(line)
    batches = [
        asyncio.create_task(importer.work(ImportBatch(org_id, kind, lines)))
        for importer, lines in zip(importers, shares, strict=True)
        if lines
    ]
    return _ChunkInProgress(chunk[-1].number, batches)


class _UserIdOnly(Struct):
    userId: str | int | float | None = None  # noqa: N815 (the field's name in the file)


_USER_ID = msgspec.json.Decoder(_UserIdOnly)


def _bucket(org_id: UUID, line: InputLine) -> int:
    """Return the bucket of a line's member, or 0 if the line names none."""
    if isinstance(line.value, bytes):
        try:
            user_id = id_text(_USER_ID.decode(line.value).userId)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the importer reports it
            return 0
    else:
        user_id = id_text(line.fields.get("userId"))
    return bucket_of(member_id_of(org_id, user_id)) if isinstance(user_id, str) else 0


async def _finish(pool: Pool, job: Job, chunk: _ChunkInProgress) -> None:
    """Wait for a chunk, then save the job's progress. If saving fails, the chunk is repeated, but counts only once."""
    results = await asyncio.gather(*chunk.batches)
    job.lines = chunk.last
    for result in results:
        job.accepted += result.accepted
        job.unchanged += result.unchanged
        job.given = dict(Counter(job.given) + result.given)
        job.booked = dict(Counter(job.booked) + result.booked)
    await jobs.save_progress(
        pool, job, sorted((error for result in results for error in result.errors), key=lambda item: item[0])
    )
