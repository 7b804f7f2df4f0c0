"""What grows: the memory of everything that `serve` runs, and the engine's work among many members."""

import asyncio
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import uvloop

from bench import http
from bench.engine import Org
from bench.sizes import SIZES, free_port


def serve_megabytes(url: str, org: Org) -> float:
    """The memory of a busy `plaudit serve`, all its processes, beside PostgreSQL; what they share counts once."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "plaudit", "serve", "--database-url", url, "--data", folder, "--no-demo"]
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log, start_new_session=True)
        try:
            uvloop.run(_work(url, org, port))
            return sum(map(_kilobytes, _family(server.pid))) / 1024
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


async def _work(url: str, org: Org, port: int) -> None:
    headers = http.headers_of(org)
    await http.post_rate(port, headers, org, tag="memory")
    connection = await asyncpg.connect(url)
    await http.drained(connection)
    await connection.close()
    await asyncio.sleep(SIZES.settle_seconds)


def _family(pid: int) -> list[int]:
    """A process and all that it has started, and these."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def _kilobytes(pid: int) -> int:
    """A process's own memory and its share of what it has in common with others (proc(5), Pss)."""
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1])
