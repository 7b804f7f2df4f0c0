"""`python -m bench`: the engine beside pgbench, and beside the same rows without an engine."""

import asyncio
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.engine import bare_rows, engine_rate, prepare
from plaudit.processes import calm_garbage_collector
from plaudit.storage.embedded import EmbeddedPostgres, program
from plaudit.storage.migrate import migrate

MEMBERS = 100_000
EVENTS = 60_000

console = Console(width=130)


def pgbench_best(url: str) -> float:
    """The best TPC-B rate (prepared statements, scale 20) of 1, 8 and 32 clients."""
    host = re.search(r"host=([^&]+)", url)
    assert host
    base = [str(program("pgbench")), "-h", host[1], "-U", "postgres", "plaudit"]
    subprocess.run([*base, "-i", "-s", "20", "-q"], check=True, capture_output=True)
    best = 0.0
    for clients in (1, 8, 32):
        run = [*base, "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", "10"]
        output = subprocess.run(run, check=True, capture_output=True, text=True).stdout
        found = re.search(r"tps = ([0-9.]+)", output)
        assert found
        best = max(best, float(found[1]))
    return best


def main() -> None:
    """Measure, and print the table."""
    calm_garbage_collector()
    folder = Path(tempfile.mkdtemp(prefix="plaudit-bench-"))
    folder.chmod(0o755)
    embedded = EmbeddedPostgres(folder / "postgres")
    table = Table("what; beside what", "measured", "yardstick", "ratio", "at least")

    def row(what: str, measured: float, yardstick: float, least: float) -> None:
        ratio = measured / yardstick
        style = "" if ratio >= least else "red"
        table.add_row(what, f"{measured:,.0f}/s", f"{yardstick:,.0f}/s", f"{ratio:.2f} x", f"{least} x", style=style)

    try:
        url = embedded.start()
        asyncio.run(migrate(url))
        tpcb = pgbench_best(url)
        org = uvloop.run(prepare(url, MEMBERS))
        bare = uvloop.run(bare_rows(url, org, EVENTS))
        engine = uvloop.run(engine_rate(url, org, EVENTS))
        row("events decided and committed, one worker; pgbench TPC-B", engine, tpcb, 2)
        row("the same; the same rows without an engine", engine, bare, 0.5)
    finally:
        embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)
    console.print(table)


if __name__ == "__main__":
    main()
