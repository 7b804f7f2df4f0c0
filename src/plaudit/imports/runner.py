"""Imports: lines of any number, in constant memory, into events.

    bytes ──records──► chunks ──parts, by bucket──► hands ──process()──► then the job is moved on

A job that is taken up again goes on after the lines that are done. A line that comes again as it was is no error: its
event is in the log already. So an import can be run as often as one likes.
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
CHUNK_BYTES = 32 << 20  # of NDJSON: a few lines of many megabytes are as much work
LOCAL_IMPORTERS = 3  # of this process, each with a connection
CHUNKS_IN_FLIGHT = 3  # chunks at a time
SINGLE_BATCH_LINES_MAX = 500  # no more lines than these are worth two transactions

Hands = Sequence[LocalImporter | ImportSubprocess]


class _ChunkInProgress(Struct, frozen=True):
    """A chunk being imported: the number of its last line, and its parts."""

    last: int
    parts: Sequence[asyncio.Task[BatchResult]]


async def run_job(
    pool: Pool, programmes: Programmes, job: Job, parts: AsyncIterable[bytes], *, is_csv: bool
) -> AsyncGenerator[Job]:
    """Work through a stream. Yields the job after each chunk; what was done stays done, whatever happens to the stream."""
    org_id = to_driver_uuid(job.org_id)
    columns = columns_of(job.kind, await programmes.current(job.org_id)) if is_csv else None
    at_most = EXPORTED_LINE_BYTES_MAX if job.kind.startswith(PREFIX) else LINE_BYTES_MAX
    records = Records(parts, columns, at_most)
    hands: Hands = [LocalImporter(pool, programmes) for _ in range(LOCAL_IMPORTERS)]
    helpers = ImportPool(programmes.url)
    begun: deque[_ChunkInProgress] = deque()

    async def finish_first() -> Job:
        await _finish(pool, job, begun[0])
        begun.popleft()
        return job

    async def work_through() -> AsyncGenerator[Job]:
        nonlocal hands
        async for chunk in _chunks(records, job.lines):
            if len(chunk) == CHUNK_LINES:  # a shorter file is done before they would be ready
                helpers.start()
            there = helpers.there() or hands
            few = len(chunk) < SINGLE_BATCH_LINES_MAX
            while begun and (few or there is not hands):  # the first line about a member comes first, whoever has it
                yield await finish_first()
            hands = there
            begun.append(_begin(org_id, job.kind, chunk, hands[:1] if few else hands))
            # While helpers are being started, what is left is left for them.
            while len(begun) >= (1 if helpers.expected else CHUNKS_IN_FLIGHT):
                yield await finish_first()

    try:
        broken: PlauditError | None = None
        try:
            async for moved in work_through():
                yield moved
        except PlauditError as error:  # also when the stream breaks off: what is begun is finished
            broken = error
        while begun:
            yield await finish_first()
        if broken is not None:
            raise broken
        jobs.check_counts(job, records.count)
    except Exception as error:
        await jobs.fail(pool, job, error)
        raise
    finally:
        await cancel(task for item in begun for task in item.parts)
        helpers.close()
    await jobs.finish(pool, job, "finished", None)
    yield job


def columns_of(kind: str, programme: Programme) -> Columns:
    """Return the columns that a CSV file of a kind may have."""
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
    """The records after the lines that are done."""
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


def _begin(org_id: UUID, kind: str, chunk: Sequence[InputLine], hands: Hands) -> _ChunkInProgress:
    """Split a chunk among the importers. A member's lines always go to the same importer, which keeps their order."""
    shares: list[list[InputLine]] = [[] for _ in hands]
    for line in chunk:
        shares[_share(org_id, line) % len(hands)].append(line)
    begun = [
        asyncio.create_task(hand.work(ImportBatch(org_id, kind, lines)))
        for hand, lines in zip(hands, shares, strict=True)
        if lines
    ]
    return _ChunkInProgress(chunk[-1].number, begun)


class _UserIdOnly(Struct):
    userId: str | int | float | None = None  # noqa: N815 (the line's word)


_NAMED = msgspec.json.Decoder(_UserIdOnly)


def _share(org_id: UUID, line: InputLine) -> int:
    """The bucket of the member that a line is about; 0 for what is about nobody."""
    if isinstance(line.value, bytes):
        try:
            user_id = id_text(_NAMED.decode(line.value).userId)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # told by who reads it
            return 0
    else:
        user_id = id_text(line.fields.get("userId"))
    return bucket_of(member_id_of(org_id, user_id)) if isinstance(user_id, str) else 0


async def _finish(pool: Pool, job: Job, chunk: _ChunkInProgress) -> None:
    """Finish a chunk, then save the job's progress. If saving fails, the chunk is repeated but is posted only once."""
    done = await asyncio.gather(*chunk.parts)
    job.lines = chunk.last
    for part in done:
        job.accepted += part.accepted
        job.unchanged += part.unchanged
        job.given = dict(Counter(job.given) + part.given)
        job.booked = dict(Counter(job.booked) + part.booked)
    await jobs.save_progress(
        pool, job, sorted((error for part in done for error in part.errors), key=lambda item: item[0])
    )
