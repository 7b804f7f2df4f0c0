"""The commands `move-out` and `move-in`: export an organisation to a folder, and import it on another server."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from plaudit.errors import PlauditError

from .common import FOLDER, Data, Org, Url, console, url_of, with_org

if TYPE_CHECKING:
    from plaudit.storage.postgres import Connection

FORMATS = ("ndjson", "csv")


def add_moving_commands(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("move-out")(move_out)
    app.command("move-in")(move_in)


def move_out(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="The folder to write to, new or empty")],
    file_format: Annotated[str, typer.Option("--format", help="Format of the files: ndjson or csv")] = "ndjson",
    org: Org = "",
    data: Data = FOLDER,
    database_url: Url = "",
) -> None:
    """Export members, their history and the rest of an organisation to a new folder, one file per kind."""
    from plaudit.documents.export_lines import LINES, as_csv, as_ndjson, header_of
    from plaudit.reads.exports import lines_after
    from plaudit.storage.postgres import create_pool

    if file_format not in FORMATS:
        raise PlauditError(f"--format must be one of {', '.join(FORMATS)} (got {file_format})")
    if folder.exists() and any(folder.iterdir()):
        raise PlauditError(f"{folder} must be a new or empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    url, is_csv = url_of(data, database_url), file_format == "csv"
    write = as_csv if is_csv else as_ndjson

    async def work(_: "Connection", org_id: UUID) -> None:
        pool = await create_pool(url, size=1)
        for kind in LINES:
            count = 0
            with (folder / f"{kind}.{file_format}").open("xb") as file:
                file.write(header_of(kind) if is_csv else b"")
                async for lines in lines_after(pool, org_id, kind, None):
                    file.write(b"".join(map(write, lines)))
                    count += len(lines)
            console.print(f"{kind:<13} {count:>12,} lines", highlight=False)
        await pool.close()

    with_org(work, org, data, database_url)


def move_in(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="The folder that move-out wrote")],
    org: Org = "",
    data: Data = FOLDER,
    database_url: Url = "",
) -> None:
    """Import a folder of `move-out` into an organisation with the same id (plaudit org create NAME --id ID)."""
    from plaudit.documents.export_lines import LINES

    files: list[tuple[str, Path]] = []
    for kind in LINES:
        paths = [path for name in FORMATS if (path := folder / f"{kind}.{name}").exists()]
        if len(paths) != 1:
            raise PlauditError(f"{folder} must have one file {kind}.ndjson or {kind}.csv (got {len(paths)})")
        files.append((kind, paths[0]))
    url = url_of(data, database_url)

    async def work(_: "Connection", org_id: UUID) -> bool:
        for kind, path in files:
            if not await _import_file(url, org_id, kind, path):
                return False
        return True

    if not with_org(work, org, data, database_url):
        raise SystemExit(1)


async def _import_file(url: str, org_id: UUID, kind: str, path: Path) -> bool:
    """Import one file. Return whether all of its lines were imported or unchanged."""
    from plaudit.imports import runner
    from plaudit.imports.moving import PREFIX
    from plaudit.imports.reader import is_csv_name
    from plaudit.storage import jobs
    from plaudit.storage.postgres import create_pool
    from plaudit.storage.programmes import Programmes

    pool = await create_pool(url, size=4, by_key=True)
    try:
        with path.open("rb") as opened:

            async def parts() -> AsyncGenerator[bytes]:
                while part := opened.read(1 << 18):
                    yield part

            job = await jobs.start(pool, org_id, PREFIX + kind, "cli", None)
            async for progress in runner.run_job(
                pool, Programmes(pool, url), job, parts(), is_csv=is_csv_name(path.name)
            ):
                job = progress
        async with pool.acquire() as connection:
            refused = await jobs.errors_of(connection, job.job_id, 0, 20)
        counted = f"{job.accepted:,} imported, {job.unchanged:,} unchanged, {job.refused:,} refused"
        console.print(f"{kind:<13} {counted}", highlight=False)
        for row in refused:
            console.print(
                f"{path.name}, line {row['line']}: {row['message']}", style="red", highlight=False, markup=False
            )
        return not job.refused
    finally:
        with suppress(Exception):
            pool.terminate()
