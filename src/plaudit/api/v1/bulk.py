"""Bulk: files of members, events and codes, of any size, streamed in; jobs that tell how far they are, line by line."""

from collections.abc import AsyncIterable
from typing import Any
from uuid import UUID

import msgspec

from plaudit.api.actions import accepted, action_of
from plaudit.api.operations import CURSOR, LIMIT, PAGING, Call, Operation, Parameter
from plaudit.api.outside import Json, time_text, uuid_in
from plaudit.api.paging import GREATEST_ID, page_size, paged, read_cursor
from plaudit.api.schemas import INTEGER, OBJECTS, TEXT, TIME, object_of, page_schema
from plaudit.engine import imports, jobs
from plaudit.engine.jobs import Job
from plaudit.engine.lines import Line, records
from plaudit.errors import FieldError, Invalid, NotFound, PlauditError, invalid_fields
from plaudit.storage.programs import Live

PREFIX = "job_"
KINDS = ("members", "codes", "events")
EVENTS_AT_ONCE = 1_000


async def import_lines(call: Call) -> Json:
    """Take a file in, as it comes. Sent again with `job` it goes on after the lines that are done."""
    kind = call.query.get("kind", "members")
    if kind not in KINDS:
        raise invalid_fields([FieldError("kind", f"must be one of {', '.join(KINDS)}")])
    return await _streamed(call, kind)


async def update_lines(call: Call) -> Json:
    """Change the profiles of members that there are: the fields given, no others."""
    return await _streamed(call, "update")


async def _streamed(call: Call, kind: str) -> Json:
    assert call.stream is not None
    named = call.query.get("job")
    job_id = None if named is None else uuid_in(named, PREFIX)
    if named is not None and job_id is None:
        raise invalid_fields([FieldError("job", "must be the id of a job")])
    pool = call.services.engine_pool
    job = await jobs.begin(pool, call.org_id, kind, call.by, job_id)
    is_csv = "csv" in call.headers.get("content-type", "")
    parts: AsyncIterable[bytes] = call.stream()
    if kind == "events":
        await _take_events(call, job, parts, is_csv=is_csv)
        return await _shown(call, str(job.job_id))
    async for _ in imports.run_job(pool, call.services.programs, job, parts, is_csv=is_csv):
        pass
    return await _shown(call, str(job.job_id))


async def _take_events(call: Call, job: Job, parts: AsyncIterable[bytes], *, is_csv: bool) -> None:
    """Actions by the line: durable chunk by chunk. One without an id is named by its line, so that it counts once."""
    chunk: list[Line] = []
    done = job.lines
    async for line in records(parts, is_csv=is_csv):
        if line.number > done:
            chunk.append(line.read())
        if len(chunk) == EVENTS_AT_ONCE:
            await _take_chunk(call, job, chunk)
            chunk = []
    if chunk:
        await _take_chunk(call, job, chunk)
    await jobs.end(call.services.engine_pool, job, "finished", None)


async def _take_chunk(call: Call, job: Job, chunk: list[Line]) -> None:
    named = f"{PREFIX}{job.job_id}"
    items = [
        line.error or action_of({"eventId": f"{named}:{line.number}", **line.fields} if line.fields else line.value)
        for line in chunk
    ]
    errors: list[tuple[int, PlauditError]] = []
    for line, result in zip(chunk, await accepted(call, items), strict=True):
        if result["status"] == "refused":
            told = result["error"]
            fields = [FieldError(**one) for one in told.get("details", [])]
            errors.append((line.number, Invalid(told["message"], code=told["code"], fields=fields)))
        elif result["status"] == "accepted":
            job.accepted += 1
        else:
            job.unchanged += 1
    job.lines = chunk[-1].number
    await jobs.move(call.services.engine_pool, job, errors)


async def list_jobs(call: Call) -> Json:
    """The jobs, newest first: also those whose request was never answered."""
    size = page_size(call.query)
    (before,) = read_cursor(call.query, tuple[UUID], (GREATEST_ID,))
    live = await call.services.programs.live(call.org_id)
    async with call.services.pool.acquire() as connection:
        found = await jobs.job_rows(connection, call.org_id, before, size + 1)
    page, cursor = paged(found, size, lambda row: (row["job_id"],))
    return {"jobs": [_state(live, row) for row in page], "cursor": cursor}


async def get_job(call: Call) -> Json:
    """How far a job is, what it refused and why, and whether what was given is what was booked."""
    return await _shown(call, call.path["jobId"].removeprefix(PREFIX))


async def _shown(call: Call, named: str) -> Json:
    job_id = uuid_in(PREFIX + named, PREFIX)
    size = page_size(call.query)
    (after,) = read_cursor(call.query, tuple[int], (0,))
    live = await call.services.programs.live(call.org_id)
    async with call.services.pool.acquire() as connection:
        row = None if job_id is None else await jobs.job_row(connection, call.org_id, job_id)
        if row is None or job_id is None:
            raise NotFound("Job not found", code="job_not_found")
        found = await jobs.errors_of(connection, job_id, after, size + 1)
    page, cursor = paged(found, size, lambda one: (one["line"],))
    errors: list[Any] = [
        {"line": one["line"], "message": one["message"], "details": msgspec.json.decode(one["fields"])} for one in page
    ]
    return _state(live, row) | {"errors": errors, "cursor": cursor}


def _state(live: Live, row: Json) -> Json:
    job = jobs.job_of(row)
    return {
        "jobId": f"{PREFIX}{job.job_id}", "kind": job.kind, "state": row["state"], "lines": job.lines,
        "accepted": job.accepted, "unchanged": job.unchanged, "refused": job.refused,
        "reconciliation": jobs.reconciliation(live, job),
        "begunAt": time_text(row["begun_at"]), "movedAt": time_text(row["moved_at"]), "begunBy": row["begun_by"],
    }  # fmt: skip


_FIELDS: Json = {
    "jobId": TEXT, "kind": TEXT, "state": {"enum": ["running", "finished", "failed"]}, "lines": INTEGER,
    "accepted": INTEGER, "unchanged": INTEGER, "refused": INTEGER, "reconciliation": OBJECTS,
    "begunAt": TIME, "movedAt": TIME, "begunBy": TEXT,
}  # fmt: skip
_ERROR = object_of({"line": INTEGER, "message": TEXT})
_JOB = object_of(_FIELDS | {"errors": {"type": "array", "items": _ERROR}})
_JOB_ID = Parameter("job", "A job that stopped, to be taken up with the same file.", TEXT)

OPERATIONS = [
    Operation(
        method="POST", path="/v1/bulk/import", summary="Import members, events or codes: NDJSON or CSV of any size, streamed",
        run=import_lines, scope="members:write", tag="Bulk", body={"type": "object"}, media="lines", streamed=True,
        answer=_JOB, errors=(400, 413),
        query=(Parameter("kind", "What the lines are.", {"enum": list(KINDS), "default": "members"}), _JOB_ID),
    ),
    Operation(
        method="POST", path="/v1/bulk/update", summary="Change profiles: NDJSON or CSV of any size, streamed",
        run=update_lines, scope="members:write", tag="Bulk", body={"type": "object"}, media="lines", streamed=True,
        answer=_JOB, errors=(400, 413), query=(_JOB_ID,),
    ),
    Operation(
        method="GET", path="/v1/bulk/jobs", summary="The jobs, newest first", run=list_jobs, scope="members:read",
        tag="Bulk", answer=page_schema("jobs", object_of(_FIELDS)), errors=(400,), query=PAGING,
    ),
    Operation(
        method="GET", path="/v1/bulk/jobs/{jobId}", summary="How far a job is, and what it refused, by line",
        run=get_job, scope="members:read", tag="Bulk", answer=_JOB, errors=(400, 404), query=(LIMIT, CURSOR),
    ),
]  # fmt: skip
