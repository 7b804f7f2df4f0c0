"""Bulk jobs: import files of members, events and codes of any size while they arrive, and report progress by line."""

from collections.abc import AsyncIterable
from uuid import UUID

from plaudit.api.http.operations import CURSOR, LIMIT, PAGING, Call, Operation, Parameter
from plaudit.api.http.paging import GREATEST_ID
from plaudit.api.http.schemas import TEXT
from plaudit.api.http.wire import uuid_in
from plaudit.api.views.base import Page, view_from
from plaudit.api.views.jobs import PREFIX, Job, JobList, JobReport, RejectedLine, job_view
from plaudit.documents.export_lines import LINES
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.imports import runner
from plaudit.imports.event_files import import_events
from plaudit.imports.moving import PREFIX as PREFIX_OF_MOVED
from plaudit.imports.reader import is_csv_type
from plaudit.storage import jobs

KINDS = ("members", "codes", "events")
EXPORT = "export"
# The additional scope that each kind of file needs.
SCOPES = {"events": "actions:write", "codes": "admin:write"}


async def import_lines(call: Call) -> Job:
    """Import a file while it arrives. With `job`, resume that import after its last completed line."""
    kind, origin = call.query.get("kind", "members"), call.query.get("from")
    if origin not in (None, EXPORT):
        raise invalid_fields([FieldError("from", f"must be {EXPORT}, or absent (got {origin[:64]!r})")])
    kinds = KINDS if origin is None else tuple(LINES)
    if kind not in kinds:
        expected = f"must be one of {', '.join(kinds)}" + (
            f", or from={EXPORT} must also be given" if kind in LINES else ""
        )
        raise invalid_fields([FieldError("kind", expected)])
    assert call.caller is not None
    if origin is not None:
        call.caller.require("admin:write", "An import of an export")
        return await _run_streamed(call, f"{PREFIX_OF_MOVED}{kind}")
    if kind in SCOPES:
        call.caller.require(SCOPES[kind], f"An import of {kind}")
    return await _run_streamed(call, kind)


async def update_lines(call: Call) -> Job:
    """Update the given fields of existing members' profiles."""
    return await _run_streamed(call, "update")


async def _run_streamed(call: Call, kind: str) -> Job:
    assert call.stream is not None
    job_name = call.query.get("job")
    job_id = None if job_name is None else uuid_in(job_name, PREFIX)
    if job_name is not None and job_id is None:
        raise invalid_fields([FieldError("job", "must be a job id such as job_…")])
    pool = call.services.engine_pool
    job = await jobs.start(pool, call.org_id, kind, call.caller_name, job_id)
    is_csv = is_csv_type(call.headers.get("content-type", ""))
    parts: AsyncIterable[bytes] = call.stream
    programmes = call.services.programmes
    if kind == "events":
        inbox, correlation_id = call.services.inbox, call.correlation_id
        progress = import_events(pool, programmes, inbox, job, parts, is_csv=is_csv, correlation_id=correlation_id)
    else:
        progress = runner.run_job(pool, programmes, job, parts, is_csv=is_csv)
    async for _ in progress:
        pass
    return await _job_response(call, str(job.job_id))


async def list_jobs(call: Call) -> Page:
    """Return the jobs, newest first. Includes those whose request was interrupted."""
    page = call.page(tuple[UUID], (GREATEST_ID,))
    programme = await call.programme()
    async with call.connection() as connection:
        rows = await jobs.job_rows(connection, call.org_id, *page.start, page.limit)
    rows, cursor = page.cut(rows, lambda row: (row["job_id"],))
    return JobList.of([job_view(programme, row) for row in rows], cursor=cursor)


async def get_job(call: Call) -> Job:
    """Return a job's progress, its rejected lines with reasons, and whether the stored totals match the file's."""
    return await _job_response(call, call.path["jobId"].removeprefix(PREFIX))


async def _job_response(call: Call, job_name: str) -> Job:
    job_id = uuid_in(PREFIX + job_name, PREFIX)
    page = call.page(tuple[int], (0,))
    programme = await call.programme()
    async with call.connection() as connection:
        row = None if job_id is None else await jobs.job_row(connection, call.org_id, job_id)
        if row is None or job_id is None:
            raise NotFound("Job not found", code="job_not_found")
        records = await jobs.errors_of(connection, job_id, *page.start, page.limit)
    records, cursor = page.cut(records, lambda record: (record["line"],))
    errors = [view_from(RejectedLine, jobs.error_view(record)) for record in records]
    return job_view(programme, row, JobReport, errors=errors, cursor=cursor)


async def cancel_job(call: Call) -> Job:
    """Cancel an import that has not finished."""
    job_name = call.path["jobId"].removeprefix(PREFIX)
    job_id = uuid_in(PREFIX + job_name, PREFIX)
    if job_id is None:
        raise NotFound("Job not found", code="job_not_found")
    await jobs.cancel(call.services.engine_pool, call.org_id, job_id)
    return await _job_response(call, job_name)


_JOB_ID = Parameter("job", "Resume this job with the same file", TEXT)

OPERATIONS = [
    Operation(
        name="importRecords", method="POST", path="/v1/bulk/import",
        summary="Import members, events or codes from a file",
        description="Streams NDJSON or CSV of any size. Send the same file with `job` to resume.", run=import_lines,
        scope="members:write", tag="Bulk jobs", body={"type": "object"}, media="lines", streams_request=True, response=JobReport,
        errors=(400, 413), query=(
            Parameter("kind", "What the lines contain", {"enum": [*KINDS, *(name for name in LINES if name not in KINDS)], "default": "members"}),
            Parameter("from", "Whether the lines come from an export and are imported unchanged.", {"enum": [EXPORT]}),
            _JOB_ID,
        ),
    ),
    Operation(
        name="updateRecords", method="POST", path="/v1/bulk/update", summary="Update profiles from a file",
        description="Streams NDJSON or CSV of any size. Send the same file with `job` to resume.",
        run=update_lines, scope="members:write", tag="Bulk jobs", body={"type": "object"}, media="lines", streams_request=True,
        response=JobReport, errors=(400, 413), query=(_JOB_ID,),
    ),
    Operation(
        name="listJobs", method="GET", path="/v1/bulk/jobs", summary="List bulk jobs", run=list_jobs,
        scope="members:read", tag="Bulk jobs", response=JobList, errors=(400,), query=PAGING,
    ),
    Operation(
        name="getJob", method="GET", path="/v1/bulk/jobs/{jobId}", summary="Get a bulk job and its rejected lines",
        run=get_job, scope="members:read", tag="Bulk jobs", response=JobReport, errors=(400, 404), query=(LIMIT, CURSOR),
    ),
    Operation(
        name="cancelJob", method="POST", path="/v1/bulk/jobs/{jobId}/cancel", run=cancel_job, scope="members:write",
        tag="Bulk jobs", summary="Cancel a bulk job that has not finished",
        description="What the job has imported stays. The timers of its members run again.", response=JobReport,
        errors=(400, 404, 409),
    ),
]  # fmt: skip
