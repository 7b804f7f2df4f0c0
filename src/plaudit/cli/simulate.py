"""`plaudit simulate`: simulate a campaign, or a whole programme, on past events."""

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import Progress
from rich.table import Table

from plaudit.errors import Invalid, PlauditError

from .common import FOLDER, Child, Data, Key, Org, Server, Url, console
from .places import SimulationInput
from .programme import Only, Without, WithSettings, read_programme
from .target import Target


def add_simulate_command(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(simulate)


def simulate(
    file: Annotated[
        Path | None, typer.Argument(help="Programme file to simulate instead of the current one (- for standard input)")
    ] = None,
    campaign: Annotated[str, typer.Option(help="Campaign to simulate; a draft counts as active")] = "",
    changes: Annotated[str, typer.Option(help="JSON changes to the campaign (- for standard input)")] = "{}",
    only: Only = None,
    without: Without = None,
    settings: WithSettings = False,
    days: Annotated[float, typer.Option(min=0.01, max=3650, help="Days of history to simulate")] = 30,
    sample: Annotated[float, typer.Option(min=0.001, max=1, help="Share of members to simulate, from 0.001 to 1")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the full report as JSON")] = False,
    org: Org = "",
    data: Data = FOLDER,
    database_url: Url = "",
    url: Server = "",
    key: Key = "",
    child: Child = False,
) -> None:
    """Simulate a changed campaign or programme on past events. Changes nothing."""
    if (file is None) == (not campaign):
        raise PlauditError("Pass either FILE or --campaign")
    if child:  # a child of the server works on the server's database
        url = key = ""
    target = Target(org=org, data=data, database_url=database_url, url=url, key=key)
    try:
        inputs = SimulationInput(
            programme=None if file is None else read_programme(file, only, without, settings=settings),
            campaign=campaign, days=days, sample=sample,
            changes=_json(sys.stdin.read() if changes == "-" else changes),
        )  # fmt: skip
        report = _simulate(target, inputs, quiet=as_json)
    except PlauditError as error:
        if not as_json:
            raise
        error_fields = {"message": error.message, "code": error.code, "kind": error.kind.value}
        fields = [msgspec.structs.asdict(field) for field in error.fields]
        typer.echo(msgspec.json.encode({"error": error_fields | {"fields": fields}}).decode())
        raise SystemExit(1) from None
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        _print(report)


def _simulate(target: Target, inputs: SimulationInput, *, quiet: bool) -> dict[str, Any]:
    with Progress(console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("events", total=None)

        def show_progress(events: int, total: int) -> None:
            progress.update(task, completed=events, total=total or 1)

        return target.place().simulate(inputs, show_progress)


def _json(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"--changes must be a JSON object: {error}") from None


def _print(report: dict[str, Any]) -> None:
    console.print(f"{report['events']:,} events of {report['members']:,} members", highlight=False)
    table = Table("campaign", "", "fired", "members", "metrics", "coupons", "ran out")
    for campaign in report.get("campaigns", [report]):
        for name in ("actual", "simulated"):
            side = campaign[name]
            metrics = ", ".join(f"{amount:,} {metric}" for metric, amount in side["metrics"].items())
            ran_out = ", ".join(f"{reason} {number:,}" for reason, number in side["capsHit"].items())
            title = campaign["campaignId"] if name == "actual" else ""
            table.add_row(
                title, name, f"{side['fired']:,}", f"{side['members']:,}", metrics, f"{side['coupons']:,}", ran_out
            )
    console.print(table)
    totals = report["programme"]
    for metric in sorted(totals["actual"].keys() | totals["simulated"].keys()):
        actual, simulated = totals["actual"].get(metric, 0), totals["simulated"].get(metric, 0)
        console.print(f"all campaigns, {metric}: {actual:,} -> {simulated:,}", highlight=False)
    for case in report["sample"]:
        actual, simulated = case["actual"]["metrics"], case["simulated"]["metrics"]
        console.print(f"{case['change']:<8} {case['userId']}: {actual} -> {simulated}", highlight=False, markup=False)
