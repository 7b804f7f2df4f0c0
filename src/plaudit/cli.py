"""The commands: parse, call, print."""

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from uuid import UUID

import jwt
import msgspec
import typer
from rich.table import Table

from plaudit import clock, telemetry
from plaudit.errors import PlauditError
from plaudit.processes import STOPPING
from plaudit.settings import Settings
from plaudit.storage.postgres import UNREACHABLE

from .cli_common import FOLDER, Child, Data, Org, Url, console, errors, in_org, run, url_of
from .cli_programme import add_programme_commands
from .cli_simulate import add_simulate_command

if TYPE_CHECKING:
    from plaudit.storage.embedded import EmbeddedPostgres
    from plaudit.storage.postgres import Connection

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A loyalty and gamification engine.",
)
org_app = typer.Typer(no_args_is_help=True, help="Organisations.")
app.add_typer(org_app, name="org")
TOKEN_HOURS = 24
REQUESTS_MAX = 30_000  # at the same time: live streams are requests that last

Host = Annotated[str, typer.Option(envvar="PLAUDIT_HOST")]
Port = Annotated[int, typer.Option(envvar="PLAUDIT_PORT")]


def main() -> None:
    """The entry point: an expected error is a sentence and a status, not a stack trace."""
    telemetry.configure_logs()
    with _told():
        app()


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except PlauditError as error:
        _fail(error.message)
    except UNREACHABLE as error:
        _fail(f"the database cannot be reached: {error}")


def _fail(message: str) -> NoReturn:
    errors.print(f"plaudit: {message}", style="red", highlight=False, markup=False, soft_wrap=True)
    raise SystemExit(1) from None


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    data: Data = FOLDER,
    database_url: Url = "",
    workers: Annotated[int, typer.Option(envvar="PLAUDIT_WORKERS", min=1, max=64)] = 1,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", envvar="PLAUDIT_DEMO")] = True,
) -> None:
    """Everything in one go: PostgreSQL (unless you have one), migrations, the API and the workers."""
    from plaudit.storage.embedded import EmbeddedPostgres, FolderLock

    Settings.from_environment()  # what is wrong there is told now, rather than by each child in turn
    lock = FolderLock(data)
    embedded = None if database_url else EmbeddedPostgres(data / "postgres")
    # Asked to stop while starting, it stops as cleanly as later.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        url = embedded.start() if embedded else database_url
        _apart(lambda: run(lambda: _prepare(url, data, demo=demo)))
        _supervise(host, port, data, url, workers, embedded)
    except KeyboardInterrupt:
        pass
    finally:
        if embedded:
            embedded.stop()
        lock.release()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _supervise(host: str, port: int, data: Path, url: str, workers: int, embedded: "EmbeddedPostgres | None") -> None:
    from plaudit.processes import Supervisor

    counters = (data / "counters").resolve()
    shutil.rmtree(counters, ignore_errors=True)
    counters.mkdir(parents=True)
    environment = {"PLAUDIT_DATABASE_URL": url, "PROMETHEUS_MULTIPROC_DIR": str(counters)}
    commands = [["api", "--host", host, "--port", str(port), "--child"]]
    commands += [["worker", "--child"] for _ in range(workers)]
    commands += [["deliver", "--child"]]
    announced = False

    def look_after() -> None:
        nonlocal announced
        if embedded:
            embedded.keep_running()
        if not announced and _answers(host, port):
            announced = True
            console.print(f"API          http://{host}:{port}", highlight=False)
            console.print(f"Description  http://{host}:{port}/openapi.json", highlight=False)

    Supervisor(commands, environment, look_after).run()


def _answers(host: str, port: int) -> bool:
    """Whether the API takes connections yet."""
    try:
        with socket.create_connection((host, port), timeout=0.1):
            return True
    except OSError:
        return False


def _apart(work: Callable[[], None]) -> None:
    """Do something in a process of its own: the memory that it takes is not kept by one that runs for months."""

    def told() -> None:
        try:
            with _told():
                work()
        except KeyboardInterrupt:
            raise SystemExit(1) from None

    process = get_context("fork").Process(target=told)
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
    from plaudit.demo import create_demo
    from plaudit.storage import orgs
    from plaudit.storage.migrate import migrate
    from plaudit.storage.postgres import connect

    await migrate(url)
    connection = await connect(url)
    try:
        if demo and await connection.fetchval(orgs.SQL.count_orgs) == 0:
            credentials = await create_demo(connection)
            _keep_credentials(data, credentials)
            console.print("A demo organisation was created:", highlight=False)
    finally:
        await connection.close()
    path = data / "credentials.json"
    if path.exists():
        _print_credentials(msgspec.json.decode(path.read_bytes(), type=orgs.Credentials))
        console.print(f"Kept in      {path}", highlight=False)


def _keep_credentials(data: Path, credentials: msgspec.Struct) -> None:
    path = data / "credentials.json"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(credentials), indent=2) + b"\n")


def _print_credentials(credentials: msgspec.Struct) -> None:
    for name, value in msgspec.to_builtins(credentials).items():
        console.print(f"{name:<12} {value}", highlight=False, soft_wrap=True)


@app.command()
def api(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    data: Data = FOLDER,
    database_url: Url = "",
    child: Child = False,  # noqa: ARG001
) -> None:
    """The API alone."""
    from granian import Granian
    from granian.constants import Interfaces, Loops
    from granian.log import LogLevels

    _allow_files(2 * REQUESTS_MAX)
    with tempfile.TemporaryDirectory(prefix="plaudit-api-") as folder:
        stopping = Path(folder) / "stopping"
        given = {"DATABASE_URL": url_of(data, database_url), "HOST": host, "PORT": str(port)}
        os.environ |= {f"PLAUDIT_{name}": value for name, value in given.items()} | {STOPPING: str(stopping)}
        server: Any = Granian(
            "plaudit.api.app:create_app",
            factory=True,
            address=host,
            port=port,
            interface=Interfaces.ASGI,
            loop=Loops.uvloop,
            workers=1,
            backlog=2048,
            backpressure=REQUESTS_MAX,
            log_level=LogLevels.warning,
            respawn_failed_workers=True,
            workers_kill_timeout=20,
        )
        stop = server.shutdown

        def shutdown(exit_code: int = 0) -> None:
            stopping.touch()  # its worker ends its streams, which it would wait for
            stop(exit_code)

        server.shutdown = shutdown
        server.serve()


def _allow_files(number: int) -> None:
    """As many open files as the system lets us have, up to `number`: each connection is one."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if most == resource.RLIM_INFINITY else min(number, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


@app.command()
def worker(
    data: Data = FOLDER,
    database_url: Url = "",
    child: Child = False,  # noqa: ARG001
) -> None:
    """One engine worker alone."""
    from plaudit.engine.run import run_worker

    url = url_of(data, database_url)
    settings = Settings.from_environment()
    run(lambda: run_worker(url, settings.lease_seconds, settings.worker_nice))


@app.command()
def deliver(
    data: Data = FOLDER,
    database_url: Url = "",
    child: Child = False,  # noqa: ARG001
) -> None:
    """The delivery of messages to webhooks alone."""
    from plaudit.delivery.run import run_delivery

    url = url_of(data, database_url)
    private = Settings.from_environment().private_networks
    run(lambda: run_delivery(url, private=private))


@app.command()
def migrate(data: Data = FOLDER, database_url: Url = "") -> None:
    """Bring the database up to this version."""
    from plaudit.storage.migrate import migrate as run_migrations

    url = url_of(data, database_url)
    run(lambda: run_migrations(url))
    console.print("The database is of this version.")


@org_app.command("create")
def org_create(
    name: str,
    data: Data = FOLDER,
    database_url: Url = "",
    slug: Annotated[str, typer.Option(help="The name of its space, the first label of its host name.")] = "",
    test: Annotated[bool, typer.Option("--test", help="Its clock can be moved: POST /v1/clock/advance.")] = False,
) -> None:
    """A new organisation; its secrets are shown once."""
    from plaudit.storage.orgs import create_org
    from plaudit.storage.postgres import connect

    url = url_of(data, database_url)

    async def work() -> None:
        connection = await connect(url)
        try:
            _print_credentials(await create_org(connection, name, clock.now(), is_test=test, slug=slug or None))
        finally:
            await connection.close()

    run(work)


@app.command()
def token(
    user: str,
    org: Org = "",
    data: Data = FOLDER,
    database_url: Url = "",
) -> None:
    """A member's token (JWT), and nothing else, on the output."""
    from plaudit.storage import orgs

    async def work(connection: "Connection", org_id: UUID) -> tuple[UUID, str]:
        return org_id, await orgs.jwt_secret_of(connection, org_id)

    org_id, secret = in_org(work, org, data, database_url)
    now = clock.now()
    claims = {"sub": user, "org": str(org_id), "iat": now, "exp": now + timedelta(hours=TOKEN_HOURS)}
    typer.echo(jwt.encode(claims, secret, algorithm="HS256"))


@app.command("rotate-keys")
def rotate_keys(data: Data = FOLDER, database_url: Url = "") -> None:
    """A new key to sign tokens with; tokens of the old ones live on until they expire."""
    from plaudit.storage.postgres import connect
    from plaudit.storage.signing import rotate

    url = url_of(data, database_url)

    async def work() -> str:
        connection = await connect(url)
        try:
            return await rotate(connection, clock.now())
        finally:
            await connection.close()

    console.print(f"Tokens are signed with the key {run(work)} now.", highlight=False)


@app.command()
def verify(data: Data = FOLDER, database_url: Url = "") -> None:
    """Check every invariant of the books; non-zero if any fails."""
    from plaudit.engine.verify import verify as run_checks
    from plaudit.storage.postgres import connect

    url = url_of(data, database_url)

    async def work() -> bool:
        connection = await connect(url)
        try:
            checks = await run_checks(connection)
        finally:
            await connection.close()
        table = Table("invariant", "counted", "violations")
        for check in checks:
            table.add_row(check.name, f"{check.counted:,}", str(check.violations), style="" if check.holds else "red")
        console.print(table)
        for check in checks:
            for example in check.examples:
                console.print(f"{check.name}: {example}", style="red", highlight=False, markup=False)
        return all(check.holds for check in checks)

    if not run(work):
        raise SystemExit(1)


@app.command()
def play(
    members: Annotated[int, typer.Option(min=1)] = 100,
    events: Annotated[int, typer.Option(min=1)] = 5_000,
    rate: Annotated[float, typer.Option(help="Events a second; as fast as it goes unless said.")] = 0,
    url: Annotated[str, typer.Option(envvar="PLAUDIT_URL")] = "http://127.0.0.1:8000",
    data: Data = FOLDER,
) -> None:
    """Play a believable audience against a running server."""
    from plaudit.play import play as run_play
    from plaudit.storage.orgs import Credentials

    path = data / "credentials.json"
    if not path.exists():
        raise PlauditError(f"{path} is missing: plaudit serve writes it when it creates the demo organisation")
    credentials = msgspec.json.decode(path.read_bytes(), type=Credentials)
    asyncio.run(run_play(console, url, credentials, members=members, events=events, rate=rate))


add_programme_commands(app)
add_simulate_command(app)
