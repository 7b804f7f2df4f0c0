"""The commands for a whole programme: written out, compared, applied."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import msgspec
import typer

from plaudit import clock

from .cli_common import FOLDER, Data, Org, Url, console, in_org

if TYPE_CHECKING:
    from plaudit.storage.postgres import Connection


def add_programme_commands(app: typer.Typer) -> None:
    """The commands of this room."""
    for command in (export, diff, apply):
        app.command()(command)


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
    from plaudit.documents.configuration import from_yaml
    from plaudit.storage import configuration

    raw = from_yaml(file.read_bytes())

    async def work(connection: "Connection", org_id: UUID) -> list[dict[str, Any]]:
        wanted = await configuration.read(connection, org_id, raw)
        return configuration.shown_plan(await configuration.plan(connection, org_id, wanted, prune=prune))

    if _print_changes(in_org(work, org, data, database_url)):
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
    from plaudit.documents.configuration import from_yaml
    from plaudit.storage import configuration

    raw = from_yaml(file.read_bytes())

    async def work(connection: "Connection", org_id: UUID) -> list[dict[str, Any]]:
        wanted = await configuration.read(connection, org_id, raw)
        if dry_run:
            return configuration.shown_plan(await configuration.plan(connection, org_id, wanted, prune=prune))
        changes = await configuration.apply(connection, org_id, wanted, prune=prune, by="cli", at=clock.now())
        return configuration.shown_plan(changes)

    if not _print_changes(in_org(work, org, data, database_url)):
        console.print("Nothing to change.")


def _print_changes(changes: list[dict[str, Any]]) -> int:
    colours = {"created": "green", "updated": "yellow", "deleted": "red"}
    for one in changes:
        console.print(f"{one['change']:<8} {one['kind']} {one['id']}", style=colours[one["change"]], highlight=False)
        if one["change"] == "updated":
            for field in one["fields"]:
                was, now = (msgspec.json.encode(field[side]).decode() for side in ("from", "to"))
                console.print(f"         {field['field']}: {was} -> {now}", highlight=False, markup=False)
    return len(changes)
