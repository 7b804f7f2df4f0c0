"""The command `import`: files of members, events and codes."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import Progress
from rich.table import Table

from .common import FOLDER, Data, Existing, Key, Org, Server, Url, console
from .places import Json
from .target import Target

ERRORS_SHOWN = 20


def add_import_command(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("import")(import_file)


def import_file(
    file: Existing,
    kind: Annotated[
        Literal["members", "update", "codes", "events"],
        typer.Option(help="What the file contains (update: changes to the profiles of existing members)"),
    ] = "members",
    job: Annotated[str, typer.Option(help="Resume this job with the same file")] = "",
    org: Org = "",
    data: Data = FOLDER,
    database_url: Url = "",
    url: Server = "",
    key: Key = "",
) -> None:
    """Import members, events or codes from a CSV or NDJSON file, and reconcile the totals.

    A file can be imported again: lines that were imported before stay unchanged. Exits with 1 if lines were refused.
    """
    place = Target(org=org, data=data, database_url=database_url, url=url, key=key).place()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(file.name, total=file.stat().st_size)

        def show_progress(read: int, description: str) -> None:
            progress.update(task, completed=read, description=description)

        result = place.import_file(file, kind, job, show_progress)
    _print(file, result)
    if result["refused"]:
        raise SystemExit(1)


def _print(file: Path, job: Json) -> None:
    console.print(job["jobId"], highlight=False)
    for error in job["errors"][:ERRORS_SHOWN]:
        line = f"{file.name}:{error['line']}: {error['message']}"
        console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
        if len(error["details"]) > 1:
            for field in error["details"]:
                detail = f"  {field['field']} {field['message']}"
                console.print(detail, style="red", highlight=False, markup=False, soft_wrap=True)
    if job["refused"] > ERRORS_SHOWN:
        console.print(f"… and {job['refused'] - ERRORS_SHOWN:,} more: GET /v1/bulk/jobs/{job['jobId']}", style="red")
    records = job["accepted"] + job["unchanged"] + job["refused"]
    console.print(
        f"{records:,} records in {job['lines']:,} lines: {job['accepted']:,} imported, {job['unchanged']:,} unchanged, "
        f"{job['refused']:,} refused",
        highlight=False,
    )
    if job["reconciliation"]:
        table = Table("metric", "in the file", "in the ledger")
        for row in job["reconciliation"]:
            style = "" if row["agrees"] else "red"
            table.add_row(row["metric"], f"{row['given']:,}", f"{row['booked']:,}", style=style)
        console.print(table)
