"""The commands `export`, `diff` and `apply`, for whole programmes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from plaudit.errors import PlauditError

from .common import FOLDER, Data, Key, Org, Server, Url, console, errors
from .places import Json
from .target import Target

Programme = Annotated[Path, typer.Argument(help="Programme file (- for standard input)")]
Only = Annotated[list[str] | None, typer.Option("--only", help="Only this kind, such as campaigns (repeatable)")]
Without = Annotated[list[str] | None, typer.Option("--without", help="All kinds except this one (repeatable)")]
WithSettings = Annotated[bool, typer.Option("--settings", help="Include the organisation's settings")]


def add_programme_commands(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (export, diff, apply):
        app.command()(command)


def export(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", dir_okay=False, help="Write to this file instead of standard output"),
    ] = None,
    only: Only = None,
    without: Without = None,
    org: Org = "",
    data: Data = FOLDER,
    database_url: Url = "",
    url: Server = "",
    key: Key = "",
) -> None:
    """Export the programme as YAML."""
    from plaudit.documents.programme_file import as_yaml, sections_of

    place = Target(org=org, data=data, database_url=database_url, url=url, key=key).place()
    text = as_yaml(sections_of(place.programme(), only or (), without or ()))
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


def diff(
    file: Programme,
    only: Only = None,
    without: Without = None,
    settings: WithSettings = False,
    prune: Annotated[bool, typer.Option("--prune", help="Treat documents missing from the file as deleted")] = False,
    org: Org = "",
    data: Data = FOLDER,
    database_url: Url = "",
    url: Server = "",
    key: Key = "",
) -> None:
    """Show what `apply` would change. Exits with 1 if anything would."""
    target = Target(org=org, data=data, database_url=database_url, url=url, key=key)
    programme = read_programme(file, only, without, settings=settings)
    if _print_changes(target.place().change(programme, prune=prune, dry_run=True)):
        raise SystemExit(1)


def apply(
    file: Programme,
    only: Only = None,
    without: Without = None,
    settings: WithSettings = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete documents missing from the file")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes without applying them")] = False,
    org: Org = "",
    data: Data = FOLDER,
    database_url: Url = "",
    url: Server = "",
    key: Key = "",
) -> None:
    """Apply a programme file, all or nothing.

    The organisation's settings are not changed unless you pass --settings (or --only settings).
    """
    target = Target(org=org, data=data, database_url=database_url, url=url, key=key)
    programme = read_programme(file, only, without, settings=settings)
    if not _print_changes(target.place().change(programme, prune=prune, dry_run=dry_run)):
        console.print("Nothing to change.")


def read_programme(file: Path, only: Sequence[str] | None, without: Sequence[str] | None, *, settings: bool) -> Any:
    """Return the selected sections of a programme file. Settings are left out unless requested."""
    from plaudit.documents.programme_file import from_yaml, sections_of

    text = typer.get_binary_stream("stdin").read() if str(file) == "-" else file.read_bytes()
    programme = from_yaml(text)
    if not isinstance(programme, dict):
        return programme  # the place where it is applied reports the error
    sections = sections_of(programme, only or (), without or ())  # pyright: ignore[reportUnknownArgumentType]
    if "settings" in sections and not settings and not only:
        del sections["settings"]
        if not sections:
            raise PlauditError("The file has settings only: pass --settings to apply them")
        errors.print("The settings in the file are left out: pass --settings to include them.", style="dim")
    return sections


def _print_changes(changes: list[Json]) -> int:
    """Print changes field by field. Return their number."""
    colours = {"created": "green", "updated": "yellow", "deleted": "red"}
    for change in changes:
        line = f"{change['change']:<8} {change['kind']} {change['id']}"
        console.print(line, style=colours[change["change"]], highlight=False, markup=False, soft_wrap=True)
        if change["change"] == "updated":
            for field in change["fields"]:
                old, new = (msgspec.json.encode(field[side]).decode() for side in ("from", "to"))
                console.print(
                    f"         {field['field']}: {old} -> {new}", highlight=False, markup=False, soft_wrap=True
                )
    return len(changes)
