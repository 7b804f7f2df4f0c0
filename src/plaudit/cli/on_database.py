"""`Local`: commands work on a database directly."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from plaudit import clock
from plaudit.errors import PlauditError
from plaudit.tracebacks import facts_of

from .common import run, url_of, with_org
from .places import Json, OnProgress, SimulationInput

if TYPE_CHECKING:
    from plaudit.history.simulate import Simulation
    from plaudit.history.verify import InvariantResult
    from plaudit.storage.jobs import Job
    from plaudit.storage.postgres import Connection, Pool
    from plaudit.storage.programmes import Programme, Programmes

ERRORS_SHOWN = 20


class Local:
    """An organisation in a database; see `Place`."""

    def __init__(self, org: str, data: Path, database_url: str) -> None:
        self._where = (org, data, database_url)

    def programme(self) -> Json:
        """Return the whole programme, by sections."""
        from plaudit.documents.programme_file import to_file
        from plaudit.storage.programme_changes import current_documents

        async def work(connection: "Connection", org_id: UUID) -> Json:
            return to_file(await current_documents(connection, org_id))

        return with_org(work, *self._where)

    def change(self, programme: Any, *, prune: bool, dry_run: bool) -> list[Json]:
        """Apply a programme document, or only return what would change."""
        from plaudit.storage import programme_changes

        async def work(connection: "Connection", org_id: UUID) -> list[Json]:
            desired = await programme_changes.read(connection, org_id, programme)
            if dry_run:
                return programme_changes.describe_plan(
                    await programme_changes.plan(connection, org_id, desired, prune=prune)
                )
            changes = await programme_changes.apply(connection, org_id, desired, prune=prune, by="cli", at=clock.now())
            return programme_changes.describe_plan(changes)

        return with_org(work, *self._where)

    def import_file(self, file: Path, kind: str, job: str, on_progress: OnProgress) -> Json:
        """Import a file. Return the job, with the first lines that were refused."""
        from plaudit.storage import jobs
        from plaudit.storage.postgres import UNREACHABLE, create_pool
        from plaudit.storage.programmes import Programmes

        url = url_of(*self._where[1:])

        async def work(_: "Connection", org_id: UUID) -> Json:
            pool = await create_pool(url, size=4, by_key=True)
            running_job = await jobs.start(pool, org_id, kind, "cli", _job_id(job))
            try:
                await _run_import(pool, Programmes(pool, url), running_job, file, on_progress)
                view = await _job_view(pool, org_id, running_job)
                await pool.close()
            except (PlauditError, *UNREACHABLE, OSError):
                pool.terminate()
                raise
            except Exception as error:  # without its message, which may contain a member's data
                pool.terminate()
                raise PlauditError(
                    f"The import broke off after line {running_job.lines:,} because of an error ({facts_of(error)}); "
                    f"resume it with --job job_{running_job.job_id}"
                ) from None
            return view

        return with_org(work, *self._where)

    def simulate(self, inputs: SimulationInput, on_progress: Callable[[int, int], None]) -> Json:
        """Simulate another programme on past events."""
        from plaudit.history import backtest

        async def work(connection: "Connection", org_id: UUID) -> Json:
            programme = await _simulated_programme(connection, org_id, inputs)

            def tell(simulation: "Simulation") -> None:
                on_progress(simulation.events, simulation.total)

            campaign = inputs.campaign or None
            return await backtest.run_backtest(
                connection, programme, inputs.days, campaign, sample=inputs.sample, on_progress=tell
            )

        return with_org(work, *self._where)

    def verify(self) -> list[Json]:
        """Verify the ledger of the named organisation, or of all."""
        from plaudit.history.verify import verify
        from plaudit.storage.postgres import connect

        if self._where[0]:
            return with_org(lambda connection, org_id: _checked(verify(connection, org_id)), *self._where)

        async def work() -> list[Json]:
            connection = await connect(url_of(*self._where[1:]))
            try:
                return await _checked(verify(connection))
            finally:
                await connection.close()

        return run(work)


async def _checked(checks: "Awaitable[list[InvariantResult]]") -> list[Json]:
    return [msgspec.structs.asdict(check) for check in await checks]


def _job_id(name: str) -> UUID | None:
    try:
        return UUID(name.removeprefix("job_")) if name else None
    except ValueError:
        raise PlauditError(f"--job must be a job id such as job_… (got {name!r})") from None


async def _run_import(pool: "Pool", programmes: "Programmes", job: "Job", file: Path, on_progress: OnProgress) -> None:
    """Import a file, updating the job."""
    from plaudit.engine.inbox import Inbox
    from plaudit.imports.event_files import import_events
    from plaudit.imports.reader import is_csv_name
    from plaudit.imports.runner import run_job

    is_csv = is_csv_name(file.name)
    with file.open("rb") as opened:

        async def parts() -> AsyncGenerator[bytes]:
            while part := opened.read(1 << 18):
                yield part

        if job.kind == "events":
            progress = import_events(pool, programmes, Inbox(pool), job, parts(), is_csv=is_csv)
        else:
            progress = run_job(pool, programmes, job, parts(), is_csv=is_csv)
        async for _ in progress:
            on_progress(opened.tell(), f"{job.lines:,} lines")


async def _job_view(pool: "Pool", org_id: UUID, job: "Job") -> Json:
    """Return a job as the API shows it."""
    from plaudit.storage import jobs
    from plaudit.storage.programmes import load_programme

    async with pool.acquire() as connection:
        programme = await load_programme(connection, org_id)
        errors = await jobs.errors_of(connection, job.job_id, 0, ERRORS_SHOWN)
    return {
        "jobId": f"job_{job.job_id}", "lines": job.lines, "accepted": job.accepted, "unchanged": job.unchanged,
        "refused": job.refused, "reconciliation": jobs.reconciliation(programme, job),
        "errors": [jobs.error_view(error) for error in errors],
    }  # fmt: skip


async def _simulated_programme(connection: "Connection", org_id: UUID, inputs: SimulationInput) -> "Programme":
    from plaudit.history import backtest
    from plaudit.storage import programme_changes

    if inputs.campaign:
        return await backtest.with_campaign(connection, org_id, inputs.campaign, inputs.changes)
    documents = await programme_changes.read(connection, org_id, inputs.programme)
    return await backtest.with_programme(connection, org_id, documents)
