"""The commands `backup`, `restore` and `verify`."""

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
    """Back up the whole database to a file, with or without a running server."""
    from plaudit.storage import backup as backups

    with _database(data, database_url) as url:
        run(lambda: backups.backup(url, file))
    console.print(
        f"{file} contains the whole database: {file.stat().st_size:,} bytes.", highlight=False, soft_wrap=True
    )
    credentials = data / "credentials.json"
    if not database_url and credentials.exists():
        console.print(f"Not in it: {credentials}, the demo organisation's secrets.", highlight=False, soft_wrap=True)


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
    _exit_on_violations(checks)


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
        checks = Target(org=org, data=data, database_url=database_url, url=url, key=key).place().verify()
    else:  # works with and without a running server
        with _database(data, database_url) as running_url:
            checks = Target(org=org, data=data, database_url=running_url, url="", key="").place().verify()
    if as_json:
        typer.echo(msgspec.json.encode(checks).decode())
    else:
        _print(checks)
    _exit_on_violations(checks)


def _exit_on_violations(checks: list[Json]) -> None:
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
    """Yield the database's URL. Meanwhile, run the embedded server unless it is already running.

    Raise PlauditError if the folder contains no database, unless it may be `new`.
    """
    from plaudit.storage.embedded import DataFolderLock, EmbeddedPostgres, running_url

    running = database_url or running_url(data / "postgres")
    if running:
        yield running
        return
    if not new and not (data / "postgres").is_dir():
        raise PlauditError(
            f"there is no database in {data}: pass its folder with --data, or your own with --database-url"
        )
    lock = DataFolderLock(data)
    embedded = EmbeddedPostgres(data / "postgres")
    try:
        yield embedded.start()
    finally:
        embedded.stop()
        lock.release()
