"""The commands `api`, `worker` and `deliver`: the parts of a server. A parent process restarts each of them."""

import os
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from plaudit.listening import SOCKET, given_socket, listening
from plaudit.settings import Settings
from plaudit.supervisor import Command, Supervisor

from .common import FOLDER, Child, Data, Host, Port, Url, run, url_of


def add_part_commands(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (api, worker, deliver):
        app.command()(command)


def api_command(host: str, sock: socket.socket) -> Command:
    """Return the command of an API process that listens on its parent's socket."""
    port = str(sock.getsockname()[1])
    number = sock.fileno()
    return Command("api", ["api", "--host", host, "--port", port, "--child"], {SOCKET: str(number)}, files=[number])


def supervise(
    commands: Sequence[Command], url: str, folder: Path, on_tick: Callable[[Supervisor], None] = lambda _: None
) -> None:
    """Run the parts of a server on a database until SIGTERM or SIGINT."""
    silent_seconds = Settings.from_environment().silent_seconds
    environment = {"PLAUDIT_DATABASE_URL": url}
    supervisor = Supervisor(commands, environment, folder, silent_seconds, lambda: on_tick(supervisor))
    supervisor.run()


def _supervise_alone(command: Command, data: Path, database_url: str) -> None:
    url = url_of(data, database_url)
    with tempfile.TemporaryDirectory(prefix="plaudit-") as folder:
        supervise([command], url, Path(folder))


def api(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    data: Data = FOLDER,
    database_url: Url = "",
    child: Child = False,
) -> None:
    """Run only the API."""
    if not child:
        with listening(host, port) as sock:
            _supervise_alone(api_command(host, sock), data, database_url)
        return
    from plaudit.serving import run_api

    environment = {"DATABASE_URL": url_of(data, database_url), "HOST": host, "PORT": str(port)}
    os.environ |= {f"PLAUDIT_{name}": value for name, value in environment.items()}
    sock = given_socket() or listening(host, port)
    run(lambda: run_api(sock))


def worker(data: Data = FOLDER, database_url: Url = "", child: Child = False) -> None:
    """Run one engine worker."""
    if not child:
        _supervise_alone(Command("worker", ["worker", "--child"]), data, database_url)
        return
    from plaudit.chores.of_workers import run_chores_of_worker
    from plaudit.engine.worker_process import run_worker

    url = url_of(data, database_url)
    settings = Settings.from_environment()
    run(lambda: run_worker(url, settings.lease_seconds, settings.worker_nice, run_chores_of_worker))


def deliver(data: Data = FOLDER, database_url: Url = "", child: Child = False) -> None:
    """Run webhook and push delivery."""
    if not child:
        _supervise_alone(Command("deliver", ["deliver", "--child"]), data, database_url)
        return
    from plaudit.delivery.deliverer import run_delivery

    url = url_of(data, database_url)
    private = Settings.from_environment().private_networks
    run(lambda: run_delivery(url, private=private))
