"""The oldest PostgreSQL that is promised runs everything; an older one is refused by a sentence."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plaudit.history.verify import verify
from plaudit.storage import postgres
from plaudit.storage.backup import backup, restore
from plaudit.storage.postgres import POSTGRESQL_MIN, ServerTooOldError, connect, create_pool, require_version
from tests.journeys import test_cup, test_season, test_year_of_points
from tests.support.server import Server, new_folder

# The distribution's own, as on Debian. (CI installs it; without any, the test is left out.)
INSTALLED = sorted(
    path for path in Path("/usr/lib/postgresql").glob("*/bin") if int(path.parent.name) >= POSTGRESQL_MIN
)
ACCOUNT = "postgres" if os.geteuid() == 0 else None  # the server does not run as root


@pytest.fixture(params=INSTALLED, ids=lambda path: path.parent.name)
def installed_server(request):
    """The URL of a new database on a server of the distribution's."""
    folder = Path(tempfile.mkdtemp(prefix="plaudit-pg-"))
    folder.chmod(0o755)
    if ACCOUNT:
        shutil.chown(folder, ACCOUNT)

    def run(command: str, *options: str) -> None:
        done = subprocess.run(
            [request.param / command, *options], user=ACCOUNT, cwd=folder, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    data = str(folder / "data")
    run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "--encoding=UTF8", "--locale=C")
    # Its output goes to a file: who reads it from a pipe waits for the server's end.
    options = f"-k {folder} -c listen_addresses=''"
    with (folder / "log").open("wb") as log:
        started = [request.param / "pg_ctl", "-D", data, "-o", options, "-w", "start"]
        subprocess.run(started, user=ACCOUNT, cwd=folder, check=True, stdout=log, stderr=log)
    try:
        run("createdb", "-h", str(folder), "-U", "postgres", "plaudit")
        yield f"postgresql://postgres@/plaudit?host={folder}"
    finally:
        run("pg_ctl", "-D", data, "-m", "fast", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def test_everything_runs_on_the_distributions_server(installed_server):
    url = installed_server

    async def books():
        connection = await connect(url)
        checks = await verify(connection)
        await connection.close()
        return [check for check in checks if not check.holds]

    server = Server(new_folder(), "--database-url", url).start()
    try:
        for journey in (
            test_season.test_a_season,
            test_cup.test_a_cup_and_a_draw,
            test_cup.test_a_league_promotes_and_relegates_after_each_week,
            test_year_of_points.test_points_are_pending_spent_returned_and_expire,
        ):
            with server.client_of("Shop", is_test=True, database_url=url) as shop:
                journey(shop)
    finally:
        assert server.stop() == 0, server.log()
    assert asyncio.run(books()) == []


def test_a_backup_moves_from_the_server_that_comes_along_to_the_distributions(
    installed_server, fresh_database, staged, tmp_path
):
    async def scenario():
        async with staged(fresh_database) as stage:
            await stage.pay()
            await stage.append(stage.arrival("ann"))
            await stage.drain()
        await backup(fresh_database, tmp_path / "there")
        await restore(installed_server, tmp_path / "there")
        await backup(installed_server, tmp_path / "and back")
        connection = await connect(installed_server)
        checks = await verify(connection)
        points = await connection.fetchval("SELECT sum(amount) FROM balances")
        await connection.close()
        return points, [check for check in checks if not check.holds]

    assert asyncio.run(scenario()) == (10, [])


def test_an_older_server_is_refused_by_a_sentence():
    old: Any = SimpleNamespace(get_server_version=lambda: SimpleNamespace(major=14, minor=9))
    with pytest.raises(
        ServerTooOldError, match=r"^the PostgreSQL server must be of version 15 or later \(got 14\.9\)$"
    ):
        asyncio.run(require_version(old))


@pytest.mark.parametrize("opened", [connect, lambda url: create_pool(url, size=1)], ids=["connection", "pool"])
def test_each_way_to_the_database_looks_at_the_version(database, monkeypatch, opened):
    monkeypatch.setattr(postgres, "POSTGRESQL_MIN", 99)
    with pytest.raises(ServerTooOldError):
        asyncio.run(opened(database))
