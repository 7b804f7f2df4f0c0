"""The entry point, and the commands `serve`, `migrate` and `play`."""

import asyncio
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from plaudit import __version__, telemetry
from plaudit.errors import PlauditError
from plaudit.listening import listening
from plaudit.runtime import exit_with_parent
from plaudit.settings import Settings
from plaudit.supervisor import Command, Supervisor

from .backup import add_backup_commands
from .common import FOLDER, Data, Host, Port, Url, console, run, url_of
from .errors import exit_on_error
from .imports import add_import_command
from .moving import add_moving_commands
from .orgs import add_org_commands, print_credentials
from .parts import add_part_commands, api_command, supervise
from .programme import add_programme_commands
from .simulate import add_simulate_command

if TYPE_CHECKING:
    from plaudit.storage.embedded import EmbeddedPostgres

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


def main() -> None:
    """Run the command line. Expected errors are printed as a sentence, without a stack trace."""
    telemetry.configure_logs()
    with exit_on_error():
        app(prog_name="plaudit")


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"plaudit {__version__}")
        raise typer.Exit


@app.callback()
def plaudit(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit")
    ] = False,
) -> None:
    """Run and operate a Plaudit loyalty server."""


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    data: Data = FOLDER,
    database_url: Url = "",
    workers: Annotated[int, typer.Option(envvar="PLAUDIT_WORKERS", min=1, max=64, help="Number of engine workers")] = 1,
    demo: Annotated[
        bool,
        typer.Option("--demo/--no-demo", envvar="PLAUDIT_DEMO", help="Fill an empty database with a demo programme"),
    ] = True,
) -> None:
    """Run everything on one machine: PostgreSQL, migrations, API, workers and delivery."""
    from plaudit.storage.embedded import DataFolderLock, EmbeddedPostgres

    Settings.from_environment()  # report errors here once, instead of from each child
    sock = listening(host, port)
    lock = DataFolderLock(data)
    embedded = None if database_url else EmbeddedPostgres(data / "postgres")
    # A SIGTERM during the start must also stop PostgreSQL and release the lock.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        url = embedded.start() if embedded else database_url
        _run_in_subprocess(lambda: run(lambda: _prepare(url, data, demo=demo)))
        _supervise(sock, host, data, url, workers, embedded)
    except KeyboardInterrupt:
        pass
    finally:
        if embedded:
            embedded.stop()
        lock.release()
        sock.close()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _supervise(
    sock: socket.socket, host: str, data: Path, url: str, workers: int, embedded: "EmbeddedPostgres | None"
) -> None:
    counters = (data / "counters").resolve()
    shutil.rmtree(counters, ignore_errors=True)
    counters.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(counters)
    commands = [api_command(host, sock)]
    commands += [Command(f"worker-{number}", ["worker", "--child"]) for number in range(workers)]
    commands += [Command("deliver", ["deliver", "--child"])]
    port = sock.getsockname()[1]
    announced = False

    def on_tick(supervisor: Supervisor) -> None:
        nonlocal announced
        if embedded:
            embedded.keep_running()
        if not announced and supervisor.is_ready("api"):
            announced = True
            console.print(f"API          http://{host}:{port}", highlight=False)
            console.print(f"Reference    http://{host}:{port}/docs", highlight=False)

    supervise(commands, url, data / "processes", on_tick)


def _run_in_subprocess(work: Callable[[], None]) -> None:
    """Run work in a subprocess, so that this long-running process does not keep the memory it needs."""
    parent = os.getpid()

    def child() -> None:
        exit_with_parent(parent)
        try:
            with exit_on_error():
                work()
        except KeyboardInterrupt:
            raise SystemExit(1) from None

    process = get_context("fork").Process(target=child)
    process.start()
    try:
        process.join()
    except KeyboardInterrupt:
        process.terminate()
        process.join()
        raise
    if process.exitcode:
        raise SystemExit(process.exitcode)


async def _prepare(url: str, data: Path, *, demo: bool) -> None:
    from plaudit.demo import TEST_NAME, create_demo, create_demo_test
    from plaudit.storage import orgs
    from plaudit.storage.migrate import migrate
    from plaudit.storage.postgres import connect

    await migrate(url)
    connection = await connect(url)
    try:
        if demo and not await orgs.fetch_orgs(connection):
            _save_credentials(data / "credentials.json", await create_demo(connection))
            _save_credentials(data / f"{TEST_NAME}.json", await create_demo_test(connection))
            console.print("A demo organisation was created:", highlight=False)
    finally:
        await connection.close()
    path = data / "credentials.json"
    if path.exists():
        credentials = msgspec.json.decode(path.read_bytes(), type=orgs.Credentials)
        if sys.stdout.isatty():
            print_credentials(credentials)
        else:  # the output is probably a log, which must not contain secrets
            console.print(f"orgId        {credentials.org_id}", highlight=False)
        console.print(f"Saved in     {path.resolve()}", highlight=False, soft_wrap=True)
    path = data / f"{TEST_NAME}.json"
    if path.exists():
        console.print(f"Guides use   {TEST_NAME}, {path.resolve()}", highlight=False, soft_wrap=True)


def _save_credentials(path: Path, credentials: msgspec.Struct) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(credentials), indent=2) + b"\n")


@app.command()
def migrate(
    data: Data = FOLDER,
    database_url: Url = "",
    check: Annotated[
        bool, typer.Option("--check", help="Only list pending migrations; exit with 1 if there are any")
    ] = False,
) -> None:
    """Migrate the database to this version's schema."""
    from plaudit.storage.migrate import migrate as run_migrations
    from plaudit.storage.migrate import pending

    url = url_of(data, database_url)
    if check:
        for revision, sentence in run(lambda: pending(url)):
            console.print(f"{revision}  {sentence}", highlight=False, soft_wrap=True)
            check = False
        if not check:
            raise SystemExit(1)
    else:
        run(lambda: run_migrations(url))
    console.print("The database schema is up to date.")


@app.command()
def play(
    members: Annotated[int, typer.Option(min=1, help="Number of members")] = 100,
    events: Annotated[int, typer.Option(min=1, help="Number of events")] = 5_000,
    rate: Annotated[float, typer.Option(min=0, help="Events per second (0: as fast as possible)")] = 0,
    url: Annotated[str, typer.Option(envvar="PLAUDIT_URL", help="Address of the server")] = "http://127.0.0.1:8000",
    data: Data = FOLDER,
) -> None:
    """Send sample traffic to a running server."""
    from plaudit.storage.orgs import Credentials

    from .sample_traffic import play as run_play

    path = data / "credentials.json"
    if not path.exists():
        raise PlauditError(f"{path} not found: run plaudit serve once; it creates the demo organisation and this file")
    credentials = msgspec.json.decode(path.read_bytes(), type=Credentials)
    asyncio.run(run_play(console, url, credentials, members=members, events=events, rate=rate))


add_part_commands(app)
add_org_commands(app)
add_backup_commands(app)
add_programme_commands(app)
add_import_command(app)
add_simulate_command(app)
add_moving_commands(app)
