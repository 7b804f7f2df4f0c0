"""The commands for a whole programme and its members: written out, compared, applied, imported."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import msgspec
import typer
from rich.progress import Progress
from rich.table import Table

from plaudit import clock
from plaudit.errors import PlauditError

from .cli_common import FOLDER, Data, Org, Url, console, in_org, url_of

if TYPE_CHECKING:
    from plaudit.engine.jobs import Job
    from plaudit.storage.postgres import Connection


def add_programme_commands(app: typer.Typer) -> None:
    """The commands of this room."""
    for command in (export, diff, apply):
        app.command()(command)
    app.command("import")(import_file)


def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file, instead of the output.")] = None,
    org: Org = "",
    data: Data = FOLDER,
    database_url: Url = "",
) -> None:
    """The whole programme, as YAML."""
    from plaudit.documents.configuration import as_yaml, written_out
    from plaudit.storage.configuration import configuration

    async def work(connection: "Connection", org_id: UUID) -> str:
        return as_yaml(written_out(await configuration(connection, org_id)))

    text = in_org(work, org, data, database_url)
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


def diff(
    file: Path,
    org: Org = "",
    prune: Annotated[bool, typer.Option("--prune", help="Count what the file does not have as deleted.")] = False,
    data: Data = FOLDER,
    database_url: Url = "",
) -> None:
    """What `apply` would change. Non-zero if there is anything."""
    if _changes(file, org, data, database_url, prune=prune, dry_run=True):
        raise SystemExit(1)


def apply(
    file: Path,
    org: Org = "",
    prune: Annotated[bool, typer.Option("--prune", help="Delete what the file does not have.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")] = False,
    data: Data = FOLDER,
    database_url: Url = "",
) -> None:
    """Make the programme what a YAML file says: all of it or nothing."""
    if not _changes(file, org, data, database_url, prune=prune, dry_run=dry_run):
        console.print("Nothing to change.")


def _changes(file: Path, org: str, data: Path, database_url: str, *, prune: bool, dry_run: bool) -> int:
    """Print what a file changes, or would change. Answers how much that is."""
    from plaudit.documents.configuration import from_yaml
    from plaudit.storage import configuration

    raw = from_yaml(file.read_bytes())

    async def work(connection: "Connection", org_id: UUID) -> list[dict[str, Any]]:
        wanted = await configuration.read(connection, org_id, raw)
        if dry_run:
            return configuration.shown_plan(await configuration.plan(connection, org_id, wanted, prune=prune))
        changes = await configuration.apply(connection, org_id, wanted, prune=prune, by="cli", at=clock.now())
        return configuration.shown_plan(changes)

    changes = in_org(work, org, data, database_url)
    colours = {"created": "green", "updated": "yellow", "deleted": "red"}
    for one in changes:
        console.print(f"{one['change']:<8} {one['kind']} {one['id']}", style=colours[one["change"]], highlight=False)
        if one["change"] == "updated":
            for field in one["fields"]:
                was, now = (msgspec.json.encode(field[side]).decode() for side in ("from", "to"))
                console.print(f"         {field['field']}: {was} -> {now}", highlight=False, markup=False)
    return len(changes)


def import_file(
    file: Path,
    kind: Annotated[str, typer.Option(help="members, update or codes.")] = "members",
    job: Annotated[str, typer.Option(help="A job that stopped, to be taken up with the same file.")] = "",
    org: Org = "",
    data: Data = FOLDER,
    database_url: Url = "",
) -> None:
    """Members or codes out of a file (CSV or NDJSON), with a progress bar and a reconciliation at the end."""
    from plaudit.engine import imports, jobs
    from plaudit.storage.postgres import create_pool
    from plaudit.storage.programs import Programs

    if kind not in ("members", "update", "codes"):
        raise PlauditError("--kind must be members, update or codes")
    size = file.stat().st_size
    url = url_of(data, database_url)

    async def work(_: "Connection", org_id: UUID) -> jobs.Job:
        pool = await create_pool(url, size=4, by_key=True)
        programs = Programs(pool, url)
        begun = await jobs.begin(pool, org_id, kind, "cli", UUID(job.removeprefix("job_")) if job else None)
        console.print(f"job_{begun.job_id}", highlight=False)
        with Progress(console=console, transient=True) as progress, file.open("rb") as opened:
            task = progress.add_task(file.name, total=size)

            async def parts() -> AsyncGenerator[bytes]:
                while part := opened.read(1 << 18):
                    yield part

            done = begun
            async for done in imports.run_job(pool, programs, begun, parts(), is_csv=file.suffix.lower() == ".csv"):
                progress.update(task, completed=opened.tell(), description=f"{done.lines:,} lines")
        live = await programs.live(org_id)
        async with pool.acquire() as connection:
            for one in await jobs.errors_of(connection, done.job_id, 0, 20):
                console.print(f"line {one['line']}: {one['message']}", style="red", highlight=False, markup=False)
        _print_job(done, jobs.reconciliation(live, done))
        await pool.close()
        return done

    if in_org(work, org, data, database_url).refused:
        raise SystemExit(1)


def _print_job(job: "Job", rows: list[dict[str, Any]]) -> None:
    console.print(
        f"{job.lines:,} lines: {job.accepted:,} taken, {job.unchanged:,} as they were, {job.refused:,} refused",
        highlight=False,
    )
    if rows:
        table = Table("metric", "in the file", "in the ledger")
        for row in rows:
            table.add_row(
                row["metric"], f"{row['given']:,}", f"{row['booked']:,}", style="" if row["agrees"] else "red"
            )
        console.print(table)
