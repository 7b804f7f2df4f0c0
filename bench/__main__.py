"""`python -m bench`: the engine beside pgbench, and beside the same rows without an engine."""

import asyncio
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench import http, mechanics, members
from bench.bulk import import_rates
from bench.engine import Org, bare_rows, engine_rate, like_a_worker, prepare, processes_rate
from bench.scale import serve_megabytes
from bench.sizes import SIZES
from plaudit.runtime import tune_gc
from plaudit.storage.embedded import EmbeddedPostgres, program
from plaudit.storage.migrate import migrate

MEMBERS, EVENTS, BOARD = SIZES.members, SIZES.events, SIZES.board

console = Console(width=130)


def pgbench(url: str) -> Callable[[], float]:
    """A measure of TPC-B transactions a second (prepared statements), with the best of several numbers of clients."""
    host = re.search(r"host=([^&]+)", url)
    assert host
    base = [str(program("pgbench")), "-h", host[1], "-U", "postgres", "plaudit"]
    subprocess.run([*base, "-i", "-s", str(SIZES.pgbench_scale), "-q"], check=True, capture_output=True)

    def rate(clients: int) -> float:
        run = [*base, "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(SIZES.pgbench_seconds)]
        output = subprocess.run(run, check=True, capture_output=True, text=True).stdout
        found = re.search(r"tps = ([0-9.]+)", output)
        assert found
        return float(found[1])

    return partial(rate, max(SIZES.pgbench_clients, key=rate))


class Report:
    """The table: each row a ratio of two figures of this run."""

    def __init__(self) -> None:
        self.table = Table("what; beside what", "measured", "yardstick", "ratio", "at least")

    def ratio(self, what: str, measured: Sequence[float], yardstick: Sequence[float], least: float) -> None:
        """A row of two rates, made by turns: their medians, and that of the ratios of each turn."""
        ratio = statistics.median(one / other for one, other in zip(measured, yardstick, strict=True))
        style = "" if ratio >= least else "red"
        rates = f"{statistics.median(measured):,.0f}/s", f"{statistics.median(yardstick):,.0f}/s"
        cells = *rates, f"{ratio:.2f} x", f"{least} x"
        self.table.add_row(what, *cells, style=style)

    def bound(self, what: str, measured: float, most: float, unit: str) -> None:
        """A row of one figure and its bound."""
        style = "" if measured <= most else "red"
        self.table.add_row(what, f"{measured:,.1f} {unit}", "", "", f"at most {most:g} {unit}", style=style)

    def times(self, what: str, measured: float, yardstick: float, most: float) -> None:
        """A row of two durations."""
        style = "" if measured / yardstick <= most else "red"
        cells = f"{measured * 1e3:,.2f} ms", f"{yardstick * 1e3:,.2f} ms", f"{measured / yardstick:.2f} x"
        self.table.add_row(what, *cells, f"at most {most:g} x", style=style)

    def rate(self, what: str, measured: float, unit: str) -> None:
        """A row of one rate, without a yardstick."""
        self.table.add_row(what, f"{measured:,.0f} {unit}/s", "", "", "")


def by_turns(*measures: Callable[[], float]) -> list[tuple[float, ...]]:
    """What each measure finds, several times. They take turns: what the machine does meanwhile meets all of them."""
    return list(zip(*([measure() for measure in measures] for _ in range(SIZES.rounds)), strict=True))


def engine_rates(url: str, *orgs: Org, events: int = EVENTS) -> list[tuple[float, ...]]:
    """The engine's rates for several organisations, by turns."""
    return by_turns(*(partial(like_a_worker, partial(engine_rate, url, org, events)) for org in orgs))


def bench_engine(report: Report, url: str) -> Org:
    """The engine without HTTP."""
    tpcb_rate = pgbench(url)
    org = uvloop.run(prepare(url, MEMBERS))
    own = (partial(like_a_worker, partial(one, url, org, EVENTS)) for one in (bare_rows, engine_rate))
    tpcb, bare, engine = by_turns(tpcb_rate, *own)
    report.ratio("events decided and committed, one worker; pgbench TPC-B", engine, tpcb, 2)
    report.ratio("the same; the same rows without an engine", engine, bare, 0.5)
    few = uvloop.run(prepare(url, MEMBERS // 10, campaigns=10))
    many = uvloop.run(prepare(url, MEMBERS // 10, campaigns=SIZES.campaigns))
    ten, thousand = engine_rates(url, few, many, events=EVENTS // 2)
    report.ratio(f"{SIZES.campaigns:,} campaigns; 10", thousand, ten, 0.9)
    one, two = by_turns(*(partial(_with_processes, url, org, workers) for workers in (1, 2)))
    report.ratio("two workers; one", two, one, 1.3)
    return org


def _with_processes(url: str, org: Org, workers: int) -> float:
    return uvloop.run(processes_rate(url, org, EVENTS, workers))


def bench_http(report: Report, url: str, org: Org) -> None:
    """The API, and everything together."""
    headers = http.headers_of(org)
    with http.running(url, noop=True) as port:
        nothing = uvloop.run(http.post_rate(port, headers, org, tag="noop"))
    with http.running(url) as port:
        single = uvloop.run(http.post_rate(port, headers, org, tag="single"))
        batch = uvloop.run(http.post_rate(port, headers, org, tag="batch", batch=SIZES.batch))
    report.ratio("single POSTs accepted, durable; the same POST with nothing stored", [single], [nothing], 0.5)
    report.ratio(f"actions in batches of {SIZES.batch}; single POSTs", [batch], [single], 4)
    with http.running(url, worker=True) as port:
        capacity = uvloop.run(http.processed_rate(url, port, headers, org))
        p50, p99 = uvloop.run(http.latency(url, port, headers, org, capacity / 2))
    report.bound(f"from the 202 to the effect, p50, at {capacity / 2:,.0f}/s (half of capacity)", p50 * 1000, 15, "ms")
    report.bound("the same, p99", p99 * 1000, 60, "ms")


def bench_members(report: Report, url: str) -> None:
    """Members' own calls."""
    org = uvloop.run(prepare(url, MEMBERS // 10, campaigns=10))
    secret = uvloop.run(members.prepare_members(url, org))
    uvloop.run(engine_rate(url, org, EVENTS))  # some six events each
    with http.running(url, worker=True, app="bench.members:create_app") as port:
        times = uvloop.run(members.read_times(port, org, secret))
        for path in members.READS:
            report.times(
                f"GET {path}, p99; a primary-key SELECT through the same stack", times[path], times[members.SELECT], 5
            )
        capacity = uvloop.run(http.processed_rate(url, port, http.headers_of(org), org))
        reads, writes = uvloop.run(members.reads_beside_writes(port, org, secret, capacity / 2))
        report.rate(f"GET /api/loyalty/me beside {writes:,.0f} actions/s (half of capacity)", reads, "reads")
        held, p50, p99 = uvloop.run(members.toasts(port, org, secret))
    report.bound(f"from an action to its toast, {held:,} streams on one process, p50", p50 * 1000, 50, "ms")
    report.bound("the same, p99", p99 * 1000, 100, "ms")


def bench_scale(report: Report, url: str) -> None:
    """What grows with the number of members and campaigns."""
    rich = uvloop.run(prepare(url, MEMBERS, campaigns=SIZES.campaigns))
    memory = serve_megabytes(url, rich)
    report.bound(
        f"memory of serve beside PostgreSQL, {MEMBERS:,} members, {SIZES.campaigns:,} campaigns", memory, 300, "MB"
    )
    few, many = (uvloop.run(prepare(url, number)) for number in (MEMBERS // 10, MEMBERS * 100))
    little, much = engine_rates(url, few, many)
    report.ratio(f"{many.members:,} members; {few.members:,}", much, little, 0.9)


def bench_mechanics(report: Report, url: str) -> None:
    """The mechanics, beside an engine without them."""
    plain, rich = (uvloop.run(prepare(url, MEMBERS // 2)) for _ in range(2))
    uvloop.run(mechanics.add_mechanics(url, rich))
    for org in (plain, rich):
        uvloop.run(engine_rate(url, org, EVENTS // 2))  # both begin with members who have bought before
    without, live = engine_rates(url, plain, rich)
    report.ratio("streak, ladder, segment and challenge live; without them", live, without, 0.6)
    select, rank, top = uvloop.run(mechanics.board_times(url, BOARD))
    report.times(f"rank among {BOARD:,}, p99; a primary-key SELECT", rank, select, 5)
    report.times("the top 100, p99; the same", top, select, 5)
    report.rate(f"a segment filled over {BOARD:,} members", uvloop.run(mechanics.fill_rate(url, BOARD)), "members")
    report.rate(
        "a year of history imported, all mechanics live",
        like_a_worker(partial(mechanics.import_rate, url, SIZES.history_members, EVENTS)),
        "events",
    )


def bench_bulk(report: Report, url: str) -> None:
    """Members imported, beside a bare COPY of their rows."""
    runs = [uvloop.run(import_rates(url, MEMBERS)) for _ in range(3)]
    imported, copied = map(statistics.median, zip(*runs, strict=True))
    report.table.add_row(
        "members imported by line, into log and books; a bare COPY of the members alone",
        f"{imported:,.0f}/s", f"{copied:,.0f}/s", f"{imported / copied:.2f} x", "20,000/s",
        style="" if imported >= 20_000 else "red",
    )  # fmt: skip


def bench_all_of_the_engine(report: Report, url: str) -> None:
    """The engine alone, then behind the API."""
    bench_http(report, url, bench_engine(report, url))


PARTS: dict[str, Callable[[Report, str], None]] = {
    "engine": bench_all_of_the_engine,
    "members": bench_members,
    "mechanics": bench_mechanics,
    "bulk": bench_bulk,
    "scale": bench_scale,
}


@contextmanager
def server() -> Generator[str]:
    """A database, which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="plaudit-bench-"))
    folder.chmod(0o755)
    embedded = EmbeddedPostgres(folder / "postgres")
    try:
        url = embedded.start()
        asyncio.run(migrate(url))
        yield url
    finally:
        embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Measure, and print the table."""
    tune_gc()
    report = Report()
    try:
        names = sys.argv[1:] or [*PARTS]
        for group in [[name] for name in names] if SIZES.database_each else [names]:
            with server() as url:
                for name in group:
                    PARTS[name](report, url)
    finally:
        console.print(report.table)


if __name__ == "__main__":
    main()
