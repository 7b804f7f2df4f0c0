"""A backup restored into a fresh cluster is the same server: whatever depends on a cluster's identity starts anew."""

import asyncio
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import jwt
import pytest

from plaudit.storage.backup import BackupFailedError, NotEmptyError, backup, restore, without_password
from plaudit.storage.postgres import connect
from tests.support.http import ok
from tests.support.server import Server

ALL_ROWS = "SELECT json_agg(t ORDER BY t::text)::text FROM {} AS t"
# Not of the server but of its cluster's present: who is alive, what streams are held, what is still being delivered.
OF_THE_MOMENT = {"workers", "leases", "watches", "rate_windows", "alembic_version", "deliveries", "outbox_handed"}


def plaudit(*options: str) -> str:
    environment = os.environ | {"COLUMNS": "200"}
    command = [sys.executable, "-m", "plaudit", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows_of(url: str) -> dict[str, str | None]:
    async def read():
        connection = await connect(url)
        try:
            names = await connection.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
                " AND NOT relispartition"
            )
            tables = sorted({row["relname"] for row in names} - OF_THE_MOMENT)
            return {table: await connection.fetchval(ALL_ROWS.format(table)) for table in tables}
        finally:
            await connection.close()

    return asyncio.run(read())


def act(client: httpx.Client, user_id: str, key: str, **data) -> dict:
    body = {"userId": user_id, "action": "earn", "eventId": key, "data": data}
    response = client.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=20"})
    assert response.status_code < 300, response.text
    return response.json()


def fill(client: httpx.Client) -> None:
    """All that is kept up by numbers: boards, lists in order, notifications, codes, stock."""
    now = ok(client.get("/v1/clock"))["now"]
    ok(client.post("/v1/campaigns", json={
        "campaignId": "camp_earn", "name": "Points", "triggers": [{"type": "earn"}],
        "effects": [{"type": "add_points", "amount": "amount"}],
        "notification": {"title": "Points", "message": "You have {{ metrics.points }} points."},
    }), 201)  # fmt: skip
    ok(client.post("/v1/competitions", json={
        "competitionId": "cup", "name": "Cup", "startDate": now, "endDate": "2099-01-01T00:00:00Z",
        "score": {"metric": "points"},
    }), 201)  # fmt: skip
    for number, user_id in enumerate(("ann", "bob", "cid")):
        act(client, user_id, f"first-{user_id}", amount=10 * (number + 1))


def board(client: httpx.Client) -> list[tuple]:
    found = ok(client.get("/v1/competitions/cup/leaderboard"))["leaderboard"]
    return [(standing["userId"], standing["score"]) for standing in found]


def app_of(server: Server, credentials: dict, user_id: str) -> httpx.Client:
    claims = {"sub": user_id, "org": credentials["orgId"], "exp": int(time.time()) + 600}
    token = jwt.encode(claims, credentials["jwtSecret"], algorithm="HS256")
    return httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def notes(app: httpx.Client) -> list[str]:
    return [notification["message"] for notification in ok(app.get("/api/loyalty/me/notifications"))["notifications"]]


def test_a_backup_of_a_running_server_becomes_the_same_server_in_a_fresh_cluster(own_server, tmp_path):
    old = own_server().start()
    credentials = old.credentials
    file = tmp_path / "plaudit.backup"
    with old.client() as client:
        fill(client)
        output = plaudit("backup", str(file), "--data", str(old.folder))
        assert f"{file} contains the whole database" in output
        assert f"Not in it: {old.folder}/credentials.json" in output
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        act(client, "ann", "after-the-backup", amount=1_000)
    assert old.stop() == 0

    new = own_server("--no-demo")
    output = plaudit("restore", str(file), "--data", str(new.folder))
    assert f"{file} is restored" in output
    assert "replaying the log gives the same" in output  # its books are checked
    new.start()
    headers = {"Authorization": f"Bearer {credentials['apiSecret']}", "X-Monterosa-Org-ID": credentials["orgId"]}
    with httpx.Client(base_url=new.url, headers=headers, timeout=60) as client, app_of(new, credentials, "ann") as app:
        assert board(client) == [("cid", 30), ("bob", 20), ("ann", 10)]
        assert notes(app) == ["You have 10 points."]
        act(client, "ann", "first-ann", amount=10)  # has counted
        act(client, "ann", "second-ann", amount=100)
        assert board(client) == [("ann", 110), ("cid", 30), ("bob", 20)]
        assert notes(app) == ["You have 110 points.", "You have 10 points."]
        ok(client.post("/v1/campaigns", json={
            "campaignId": "camp_later", "name": "Later", "triggers": [{"type": "earn"}],
            "effects": [{"type": "add_points", "amount": 1}],
        }), 201)  # fmt: skip
        listed = [campaign["campaignId"] for campaign in ok(client.get("/v1/campaigns?limit=100"))["campaigns"]]
        assert listed.index("camp_later") > listed.index("camp_earn")
        ready = httpx.get(f"{new.url}/readyz").json()
        assert (ready["workers"], ready["warnings"]) == (1, [])
    assert new.stop() == 0
    plaudit("verify", "--data", str(new.folder))
    plaudit("backup", str(tmp_path / "again"), "--data", str(new.folder))  # also while no server runs


def test_nothing_is_lost_on_the_way(server, fresh_database, staged, tmp_path):
    file = tmp_path / "plaudit.backup"

    async def filled():
        async with staged(fresh_database) as stage:
            await stage.pay(notification={"message": "Thanks"})
            await stage.append(*[stage.arrival(f"m{number}", amount=number) for number in range(20)])
            await stage.drain()
            await stage.append(stage.arrival("waiting"))
        await backup(fresh_database, file)
        admin = await connect(server.replace("/plaudit?", "/postgres?"))
        await admin.execute("CREATE DATABASE restored_whole")
        await admin.close()
        url = server.replace("/plaudit?", "/restored_whole?")
        await restore(url, file)
        return url

    url = asyncio.run(filled())
    assert rows_of(url) == rows_of(fresh_database)


def test_a_backup_that_breaks_off_is_not_restored_in_part(server, fresh_database, tmp_path):
    file = tmp_path / "plaudit.backup"
    asyncio.run(backup(fresh_database, file))
    os.truncate(file, file.stat().st_size - 2_000)

    async def scenario():
        admin = await connect(server.replace("/plaudit?", "/postgres?"))
        await admin.execute("CREATE DATABASE restored_in_part")
        await admin.close()
        url = server.replace("/plaudit?", "/restored_in_part?")
        with pytest.raises(BackupFailedError):
            await restore(url, file)
        connection = await connect(url)
        tables = await connection.fetchval("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        await connection.close()
        return tables

    assert asyncio.run(scenario()) == 0


def test_a_database_of_somebody_elses_is_no_backup(server, tmp_path):
    with pytest.raises(BackupFailedError, match="one of Plaudit's"):
        asyncio.run(backup(server.replace("/plaudit?", "/postgres?"), tmp_path / "file"))


def test_a_backup_through_a_link_is_written_where_it_leads_and_the_link_stays(fresh_database, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "old").write_bytes(b"an older one")
    links = {tmp_path / "latest": elsewhere / "old", tmp_path / "first": elsewhere / "new"}
    for link, target in links.items():
        link.symlink_to(target)
        asyncio.run(backup(fresh_database, link))
        assert (link.is_symlink(), target.read_bytes()[:5]) == (True, b"PGDMP")
    assert sorted(path.name for path in elsewhere.iterdir()) == ["new", "old"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "first", "latest"]


@pytest.mark.parametrize("through_a_link", [False, True])
@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a device", "a socket"])
def test_a_backup_does_not_take_the_place_of_what_is_no_file(fresh_database, tmp_path, kind, through_a_link):
    file = tmp_path / "taken"
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "a pipe":
            os.mkfifo(file)
        elif kind == "a folder":
            file.mkdir()
        elif kind == "a device":
            file = Path("/dev/full")
        else:
            listening.bind(os.path.relpath(file))  # such a path must be short
    before = file.stat()
    named = tmp_path / "link" if through_a_link else file
    if through_a_link:
        named.symlink_to(file)
    names = sorted(tmp_path.iterdir())
    with pytest.raises(
        BackupFailedError, match=rf"{named} must be a file, or a path that does not exist \(got {kind}\)"
    ):
        asyncio.run(backup(fresh_database, named))
    assert (file.stat().st_ino, file.stat().st_mode) == (before.st_ino, before.st_mode)
    assert sorted(tmp_path.iterdir()) == names


def test_a_link_that_leads_to_itself_is_told_of(fresh_database, tmp_path):
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(BackupFailedError, match="cannot be written: Too many levels of symbolic links"):
        asyncio.run(backup(fresh_database, tmp_path / "round"))


def test_a_database_with_something_in_it_is_not_restored_into(fresh_database, tmp_path):
    file = tmp_path / "plaudit.backup"
    asyncio.run(backup(fresh_database, file))
    with pytest.raises(NotEmptyError, match=r"an empty database \(got one with \d+ tables\)"):
        asyncio.run(restore(fresh_database, file))


def test_what_cannot_be_written_or_read_is_a_sentence_and_leaves_nothing(server, fresh_database, tmp_path):
    with pytest.raises(BackupFailedError, match=r"cannot be written"):
        asyncio.run(backup(fresh_database, tmp_path / "no folder" / "file"))
    broken = tmp_path / "broken.backup"
    broken.write_bytes(b"not a backup")

    async def into_empty():
        admin = await connect(server.replace("/plaudit?", "/postgres?"))
        await admin.execute("CREATE DATABASE restored_broken")
        await admin.close()
        await restore(server.replace("/plaudit?", "/restored_broken?"), broken)

    with pytest.raises(BackupFailedError, match=r"pg_restore: error: .* \(exit status -?\d+\)"):
        asyncio.run(into_empty())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.backup"]


@pytest.mark.parametrize(
    ("url", "address", "password"),
    [
        ("postgresql://u:p%40ss@host:5432/db?sslmode=require", "postgresql://u@host:5432/db?sslmode=require", "p@ss"),
        ("postgresql://host/db?user=u&password=p", "postgresql://host/db?user=u", "p"),
        ("postgresql://postgres@/plaudit?host=/tmp/x", "postgresql://postgres@/plaudit?host=/tmp/x", None),
        ("postgresql://postgres:@/plaudit?host=/tmp/x", "postgresql://postgres@/plaudit?host=/tmp/x", ""),
    ],
)
def test_no_password_is_an_argument(url, address, password):
    assert without_password(url) == (address, password)


def test_a_folder_without_a_database_is_told_of(tmp_path):
    command = [sys.executable, "-m", "plaudit", "backup", str(tmp_path / "file"), "--data", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "there is no database in" in done.stderr) == (1, True)
    assert not Path(tmp_path / "none").exists()
