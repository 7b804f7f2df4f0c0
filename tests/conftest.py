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
from plaudit.storage.programmes import Programmes
from tests.support.invariants import assert_invariants_hold, record_creator
from tests.support.server import Server, new_folder
from tests.support.stage import Stage

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


@pytest.fixture(scope="session")
def clone(server, template):
    """Make a copy of a database of this worker's server. Return its name and its URL."""

    async def cloned(of: str, name: str) -> None:
        admin = await asyncpg.connect(server.replace("/plaudit?", "/postgres?"))
        try:
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {of}")
        finally:
            await admin.close()

    def made(of: str = template) -> tuple[str, str]:
        name = f"clone_{uuid4().hex[:12]}"
        asyncio.run(cloned(of, name))
        return name, server.replace("/plaudit?", f"/{name}?")

    return made


@pytest.fixture(scope="session")
def database(clone, shared) -> str:
    """A database that the tests of one worker share; each has an organisation of its own."""
    url = shared["database"] = clone()[1]
    return url


@pytest.fixture
def fresh_database(clone, request) -> Iterator[str]:
    """A database for one test alone: for those that run whole workers, which see to all organisations."""
    url = clone()[1]
    yield url
    if request.node.get_closest_marker(BREAKS) is None:
        assert_invariants_hold(url)


@pytest.fixture(scope="session")
def shared() -> dict[str, str | Server]:
    """What the tests of one worker share: the fixtures of these names, as far as they are there."""
    return {}


@pytest.fixture(scope="module", autouse=True)
def invariants_hold(request, shared):
    """After each module of tests, the books hold of whatever it has left behind in what is shared."""
    yield
    used = request.config.stash[USED].pop(request.node.nodeid, set())
    for name in sorted(used & {*shared}):
        where = shared[name]
        assert_invariants_hold(where if isinstance(where, str) else where.database_url)


USED = pytest.StashKey[dict[str, set[str]]]()
BREAKS = "breaks_tables"
SHARED = {"database", "server_process"}


def pytest_configure(config):
    config.stash[USED] = {}


def pytest_runtest_setup(item):
    """Note what the test shares with others. Whatever breaks tables has a database, or a server, of its own."""
    module = item.getparent(pytest.Module)
    item.config.stash[USED].setdefault(module.nodeid, set()).update(item.fixturenames)
    marker = item.get_closest_marker(BREAKS)
    if marker is not None:
        assert marker.args, "breaks_tables is given a reason"
        assert not SHARED.intersection(item.fixturenames), "what breaks tables takes fresh_database or own_server"


@asynccontextmanager
async def _staged(url: str):
    pool = await create_pool(url, size=8, by_key=True)
    try:
        async with pool.acquire() as connection:
            credentials = await create_org(connection, "Test", clock.now())
        record_creator(credentials.org_id)
        yield Stage(url, pool, Programmes(pool, url), credentials.org_id)
    finally:
        await pool.close()


@pytest.fixture(scope="session")
def staged_once():
    """As `staged`, for fixtures of a module."""
    return _staged


@pytest.fixture
def staged():
    """`async with staged(url) as stage`: leaves no open connection behind."""
    return _staged


@pytest.fixture(scope="session")
def server_process(shared):
    server = shared["server_process"] = Server(new_folder()).start()
    yield server
    assert server.stop() == 0, server.log()


@pytest.fixture
def http(server_process):
    with server_process.client() as client:
        yield client


@pytest.fixture
def shop(server_process):
    """A test organisation of its own, whose clock can be moved."""
    with server_process.client_of("Shop", is_test=True) as client:
        yield client


@pytest.fixture
def own_server(request):
    """A server for one test alone, which may stop, kill and restart it."""
    servers = []

    def made(*options: str) -> Server:
        servers.append(Server(new_folder(), *options))
        servers[-1].invariants_hold = request.node.get_closest_marker(BREAKS) is None
        return servers[-1]

    yield made
    for server in servers:
        if server.process is not None and server.process.poll() is None:
            server.stop()
