"""One PostgreSQL for each worker of the test run, a template made once from the migrations, clones of it."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from plaudit import clock
from plaudit.storage.embedded import EmbeddedPostgres
from plaudit.storage.migrate import migrate
from plaudit.storage.orgs import create_org
from plaudit.storage.postgres import create_pool
from plaudit.storage.programs import Programs
from tests.servers import Server, new_folder
from tests.stage import Stage

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of this worker's server."""
    folder = Path(tempfile.mkdtemp(prefix="plaudit-test-"))
    folder.chmod(0o755)
    embedded = EmbeddedPostgres(folder / "postgres")
    yield embedded.start()
    embedded.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server) -> str:
    asyncio.run(migrate(server))
    return "plaudit"


async def _clone(server: str, template: str) -> str:
    name = f"clone_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(server.replace("/plaudit?", "/postgres?"))
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    finally:
        await admin.close()
    return server.replace("/plaudit?", f"/{name}?")


@pytest.fixture(scope="session")
def database(server, template) -> str:
    """A database that the tests of one worker share; each has an organisation of its own."""
    return asyncio.run(_clone(server, template))


@pytest.fixture
def fresh_database(server, template) -> str:
    """A database for one test alone: for those that run whole workers, which see to all organisations."""
    return asyncio.run(_clone(server, template))


@pytest.fixture
def staged():
    """`async with staged(url) as stage`: leaves no open connection behind."""

    @asynccontextmanager
    async def opened(url: str):
        pool = await create_pool(url, size=8, by_key=True)
        try:
            async with pool.acquire() as connection:
                credentials = await create_org(connection, "Test", clock.now())
            yield Stage(url, pool, Programs(pool, url), credentials.org_id)
        finally:
            await pool.close()

    return opened


@pytest.fixture(scope="session")
def server_process():
    server = Server(new_folder()).start()
    yield server
    assert server.stop() == 0, server.log()


@pytest.fixture
def http(server_process):
    with server_process.client() as client:
        yield client


@pytest.fixture
def shop(server_process):
    """A test organisation of its own, whose clock can be moved."""
    with server_process.client_of("Shop", "--test") as client:
        yield client


@pytest.fixture
def own_server():
    """A server for one test alone, which may stop, kill and restart it."""
    servers = []

    def made(*options: str) -> Server:
        servers.append(Server(new_folder(), *options))
        return servers[-1]

    yield made
    for server in servers:
        if server.process is not None and server.process.poll() is None:
            server.stop()
