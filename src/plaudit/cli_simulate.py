"""`plaudit simulate`: a campaign, or a whole programme, over what really happened."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import msgspec
import typer
from rich.progress import Progress
from rich.table import Table

from plaudit.errors import Invalid, PlauditError

from .cli_common import FOLDER, Data, Org, Url, console, in_org

if TYPE_CHECKING:
    from plaudit.engine.simulate import Simulation
    from plaudit.storage.postgres import Connection
    from plaudit.storage.programs import Live


def add_simulate_command(app: typer.Typer) -> None:
    """The command of this room."""
    app.command()(simulate)


def simulate(
    file: Annotated[
        Path | None, typer.Argument(help="A programme as YAML, to be written over the present one.")
    ] = None,
    campaign: Annotated[str, typer.Option(help="One campaign; a draft is taken as active.")] = "",
    changes: Annotated[str, typer.Option(help="Changes to the campaign, as JSON; - reads them from the input.")] = "{}",
    days: Annotated[float, typer.Option(min=0.01, max=3650)] = 30,
    sample: Annotated[float, typer.Option(min=0.001, max=1, help="The part of the members to look at.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report, as JSON.")] = False,
    org: Org = "",
    data: Data = FOLDER,
    database_url: Url = "",
) -> None:
    """Another programme over the last days, beside what happened. Changes nothing."""
    from plaudit.engine import backtest

    if (file is None) == (not campaign):
        raise PlauditError("Say either a file or --campaign")
    text = None if file is None else file.read_bytes()
    given = _json(sys.stdin.read() if changes == "-" else changes)

    async def work(connection: "Connection", org_id: UUID) -> dict[str, Any]:
        live = await _live(connection, org_id, text, campaign, given)
        with Progress(console=console, transient=True, disable=as_json) as progress:
            task = progress.add_task("events", total=None)

            def tell(found: "Simulation") -> None:
                progress.update(task, completed=found.events, total=found.total or 1)

            return await backtest.tested(connection, live, days, campaign or None, sample=sample, tell=tell)

    try:
        found = in_org(work, org, data, database_url)
    except PlauditError as error:
        if not as_json:
            raise
        shown = {"message": error.message, "code": error.code, "kind": error.kind.value}
        fields = [msgspec.structs.asdict(one) for one in error.fields]
        typer.echo(msgspec.json.encode({"error": shown | {"fields": fields}}).decode())
        raise SystemExit(1) from None
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        _print(found)


def _json(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Invalid(f"The changes are not a JSON object: {error}") from None


async def _live(
    connection: "Connection", org_id: UUID, text: bytes | None, campaign: str, changes: dict[str, Any]
) -> "Live":
    from plaudit.documents.configuration import from_yaml
    from plaudit.engine import backtest
    from plaudit.storage import configuration

    if text is None:
        return await backtest.with_campaign(connection, org_id, campaign, changes)
    wanted = await configuration.read(connection, org_id, from_yaml(text))
    return await backtest.with_programme(connection, org_id, wanted)


def _print(found: dict[str, Any]) -> None:
    console.print(f"{found['events']:,} events of {found['members']:,} members", highlight=False)
    table = Table("campaign", "", "fired", "members", "metrics", "coupons", "ran out")
    for one in found.get("campaigns", [found]):
        for name in ("actual", "simulated"):
            side = one[name]
            metrics = ", ".join(f"{amount:,} {metric}" for metric, amount in side["metrics"].items())
            ran_out = ", ".join(f"{reason} {number:,}" for reason, number in side["capsHit"].items())
            title = one["campaignId"] if name == "actual" else ""
            table.add_row(
                title, name, f"{side['fired']:,}", f"{side['members']:,}", metrics, f"{side['coupons']:,}", ran_out
            )
    console.print(table)
    totals = found["programme"]
    for metric in totals["actual"].keys() | totals["simulated"].keys():
        was, would = totals["actual"].get(metric, 0), totals["simulated"].get(metric, 0)
        console.print(f"all campaigns, {metric}: {was:,} -> {would:,}", highlight=False)
    for one in found["sample"]:
        was, would = one["actual"]["metrics"], one["simulated"]["metrics"]
        console.print(f"{one['change']:<8} {one['userId']}: {was} -> {would}", highlight=False, markup=False)
