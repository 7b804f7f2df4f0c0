"""The commands for backups, and for verifying the ledger."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from plaudit.errors import PlauditError

from .common import FOLDER, Child, Data, Existing, Key, Server, Url, console, run
from .places import Json
from .target import Target


def add_backup_commands(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (backup, restore, verify):
        app.command()(command)


def backup(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="The file to write")],
    data: Data = FOLDER,
    database_url: Url = "",
) -> None:
    """Back up the whole database into a file, whether or not a server runs."""
    from plaudit.storage import backup as backups

    with _database(data, database_url) as url:
        run(lambda: backups.backup(url, file))
    console.print(f"{file} has the whole database: {file.stat().st_size:,} bytes.", highlight=False, soft_wrap=True)
    kept = data / "credentials.json"
    if not database_url and kept.exists():
        console.print(f"Not in it: {kept}, the demo organisation's secrets.", highlight=False, soft_wrap=True)


def restore(file: Existing, data: Data = FOLDER, database_url: Url = "") -> None:
    """Restore a backup into an empty database or a new data folder, migrate it, and check its ledger."""
    from plaudit.storage import backup as backups
    from plaudit.storage.migrate import migrate

    async def work(url: str) -> None:
        await backups.restore(url, file)
        console.print(f"{file} is restored.", highlight=False, soft_wrap=True)
        await migrate(url)

    with _database(data, database_url, new=True) as url:
        run(lambda: work(url))
        checks = Target(org="", data=data, database_url=url, url="", key="").place().verify()
    _print(checks)
    _end(checks)


def verify(
    org: Annotated[str, typer.Option("--org", envvar="PLAUDIT_ORG", help="Only this organisation")] = "",
    data: Data = FOLDER,
    database_url: Url = "",
    url: Server = "",
    key: Key = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON")] = False,
    child: Child = False,
) -> None:
    """Check every ledger invariant and replay the log. Exits with 1 on any violation."""
    if (url or key) and not child:
        found = Target(org=org, data=data, database_url=database_url, url=url, key=key).place().verify()
    else:  # whether or not a server runs
        with _database(data, database_url) as there:
            found = Target(org=org, data=data, database_url=there, url="", key="").place().verify()
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        _print(found)
    _end(found)


def _end(checks: list[Json]) -> None:
    if any(check["violations"] for check in checks):
        raise SystemExit(1)


def _print(checks: list[Json]) -> None:
    table = Table("invariant", "counted", "violations")
    for check in checks:
        table.add_row(check["name"], f"{check['counted']:,}", str(check["violations"]), style=_style(check))
    console.print(table)
    for check in checks:
        for example in check["examples"]:
            console.print(f"{check['name']}: {example}", style=_style(check), highlight=False, markup=False)
        if check["violations"]:
            console.print(f"{check['name']}: what to do: {check['remedy']}", highlight=False, markup=False)


def _style(check: Json) -> str:
    return "red" if check["violations"] else ""


@contextmanager
def _database(data: Path, database_url: str, *, new: bool = False) -> Generator[str]:
    """Return the database's URL. Start the embedded server while it is needed, unless it runs.

    The folder must have a database, unless it may be `new`. Raise PlauditError.
    """
    from plaudit.storage.embedded import DataFolderLock, EmbeddedPostgres, running_url

    running = database_url or running_url(data / "postgres")
    if running:
        yield running
        return
    if not new and not (data / "postgres").is_dir():
        raise PlauditError(f"there is no database in {data}: name the folder by --data, or yours by --database-url")
    lock = DataFolderLock(data)
    embedded = EmbeddedPostgres(data / "postgres")
    try:
        yield embedded.start()
    finally:
        embedded.stop()
        lock.release()
