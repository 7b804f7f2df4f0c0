"""A server's processes: they end with whoever started them, and no two servers share a port."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress

import psutil
import pytest

from tests.support.eventually import eventually
from tests.support.http import ok
from tests.support.processes import children_of
from tests.support.server import free_port, new_folder

PLAUDIT = [sys.executable, "-m", "plaudit"]


def ours(process: psutil.Process) -> list[psutil.Process]:
    """What a server has started, but for PostgreSQL, which outlives it."""
    found = []
    for child in process.children(recursive=True):
        try:
            if "plaudit" in child.cmdline() or "multiprocessing" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            pass
    return found


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.0, 0.3, 1.5])
def test_a_server_that_is_killed_leaves_nobody_behind_whenever_that_is(own_server, after):
    server = own_server("--no-demo").start()
    process = psutil.Process(server.process.pid)
    # Its children begin anew, and so it is killed while they are starting.
    before = ours(process)
    for child in before:
        child.kill()
    eventually(lambda: len({child.pid for child in ours(process)} - {child.pid for child in before}) >= 3)
    time.sleep(after)  # they are at another step of their start each time
    children = ours(process)
    process.kill()
    server.process.wait()
    eventually(lambda: all_gone(children), seconds=10)
    with closing(socket.socket()) as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(("127.0.0.1", server.port))
    server.start()  # the folder and the port are free


@pytest.mark.slow
def test_a_child_whose_parent_was_gone_before_it_could_ask_ends_at_once():
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    environment = os.environ | {"PLAUDIT_PARENT": str(gone.pid), "PLAUDIT_DATABASE_URL": "postgresql://nobody"}
    ended = subprocess.run([*PLAUDIT, "worker", "--child"], env=environment, check=False, timeout=60)
    assert ended.returncode == 1


@pytest.mark.slow
def test_a_part_that_runs_alone_ends_with_its_parent(fresh_database):
    port = free_port()
    environment = os.environ | {"PLAUDIT_DATABASE_URL": fresh_database, "PLAUDIT_PORT": str(port)}
    for part in ("api", "worker", "deliver"):
        parent = subprocess.Popen([*PLAUDIT, part], env=environment)
        process = psutil.Process(parent.pid)
        (child,) = eventually(lambda: ours(process))  # noqa: B023
        parent.kill()
        parent.wait()
        eventually(lambda: all_gone([child]), seconds=10)  # noqa: B023


@pytest.mark.slow
@pytest.mark.parametrize("command", ["serve", "api"])
def test_a_second_server_on_a_port_is_refused_at_once(own_server, command):
    server = own_server("--no-demo").start()
    folder = new_folder()
    given = [command, "--port", str(server.port), "--data", str(folder)]
    environment = os.environ | {"COLUMNS": "200"}
    refused = subprocess.run([*PLAUDIT, *given], env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"Port {server.port} of 127.0.0.1 is in use by another server" in refused.stderr
    assert not (folder / "postgres").exists()


@pytest.mark.slow
def test_the_api_is_announced_when_it_is_this_servers_own(own_server):
    server = own_server("--no-demo").start()
    (api,) = children_of(server, "api")
    eventually(lambda: f"http://127.0.0.1:{server.port}" in server.log())
    # Replaced, it listens on the very same socket: nobody is refused meanwhile.
    api.kill()
    with server.client_of("Club") as club:
        ok(club.get("/v1/campaigns"))
    assert children_of(server, "api") != [api]


@pytest.mark.slow
def test_a_connection_that_says_nothing_or_half_of_it_does_not_stay(own_server):
    server = own_server("--no-demo").start()
    for request in (b"", b"GET /healthz HTTP/1.1\r\nHost: "):
        with closing(socket.create_connection(("127.0.0.1", server.port), timeout=120)) as sock:
            sock.sendall(request)
            assert sock.recv(1) == b""


@pytest.mark.slow
def test_no_secret_is_among_the_arguments_of_a_process(own_server):
    server = own_server("--no-demo").start()
    seen: set[str] = set()
    with server.client_of("Club") as club:
        ok(club.post("/v1/campaigns", json={"campaignId": "clap", "name": "Clap", "triggers": [{"type": "clapped"}],
           "effects": [{"type": "add_points", "amount": 3}]}), 201)  # fmt: skip
        secret = club.headers["Authorization"].removeprefix("Bearer ")
        command = [sys.executable, "-c", _SIMULATE, str(club.base_url), secret, club.headers["X-Monterosa-Org-ID"]]
        asking = subprocess.Popen(command)
        while asking.poll() is None:
            for process in ours(psutil.Process(server.process.pid)):
                with suppress(psutil.NoSuchProcess):
                    seen.add(" ".join(process.cmdline()))
        assert asking.returncode == 0
    assert any("simulate" in name for name in seen)
    for name in seen:
        assert not re.search(r"postgres(ql)?://|database-url", name), name


_SIMULATE = """
import sys, httpx
headers = {"Authorization": f"Bearer {sys.argv[2]}", "X-Monterosa-Org-ID": sys.argv[3]}
httpx.post(f"{sys.argv[1]}/v1/campaigns/clap/simulate", headers=headers, json={}, timeout=120).raise_for_status()
"""


@pytest.mark.slow
def test_helpers_of_an_import_end_with_the_api(own_server):
    server = own_server("--no-demo").start()
    (api,) = children_of(server, "api")
    with server.client_of("Club") as club:
        command = [sys.executable, "-c", _IMPORT, str(club.base_url), club.headers["Authorization"],
                   club.headers["X-Monterosa-Org-ID"]]  # fmt: skip
        asking = subprocess.Popen(command)
        helpers = eventually(lambda: ours(api)[2:] and ours(api))  # and what forks them off
        api.send_signal(signal.SIGKILL)
        eventually(lambda: all_gone(helpers), seconds=20)
        asking.kill()
        asking.wait()


_IMPORT = """
import sys, httpx
headers = {"Authorization": sys.argv[2], "X-Monterosa-Org-ID": sys.argv[3], "Content-Type": "application/x-ndjson"}
lines = (b"".join(b'{"userId": "u%d"}\\n' % n for n in range(i, i + 1000)) for i in range(0, 10_000_000, 1000))
httpx.post(f"{sys.argv[1]}/v1/bulk/import?kind=members", headers=headers, content=lines, timeout=120)
"""
