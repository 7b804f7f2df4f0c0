"""One PostgreSQL for each worker of the test run, a template made once from the migrations, clones of it."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from plaudit.storage.embedded import EmbeddedPostgres
from plaudit.storage.migrate import migrate

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
