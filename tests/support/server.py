"""A whole server for the tests over HTTP: `plaudit serve` as users start it, in a folder and on a port of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import jwt

from plaudit import clock
from plaudit.storage.embedded import running_url
from plaudit.storage.orgs import Credentials, create_org
from plaudit.storage.postgres import connect
from tests.support.eventually import eventually
from tests.support.existing import existing
from tests.support.invariants import assert_invariants_hold, record_creator, run_in_thread

PLAIN = False  # nothing is encrypted here, and reading the certificates of all the world takes a client 30 ms


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def _created(url: str | None, name: str, **more: Any) -> Credentials:
    assert url is not None, "the server has no database that runs"
    connection = await connect(url)
    try:
        return await create_org(connection, name, clock.now(), **more)
    finally:
        await connection.close()


class Server:
    """`plaudit serve`, started and stopped as a user would."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.options = options
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.jwt_secrets: dict[str, str] = {}
        self.invariants_hold = True  # whether they are to hold whenever it is stopped

    def start(self) -> "Server":
        command = [sys.executable, "-m", "plaudit", "serve", "--data", str(self.folder), "--port", str(self.port)]
        environment = os.environ | {"PLAUDIT_LEASE_SECONDS": "1"}
        with (self.folder.parent / "server.log").open("ab") as log:
            self.process = subprocess.Popen([*command, *self.options], stdout=log, stderr=log, env=environment)
        eventually(self._is_ready, despite=httpx.TransportError, show=self.log)
        return self

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        return httpx.get(f"{self.url}/readyz", verify=PLAIN).status_code == 200

    @property
    def database_url(self) -> str | None:
        return running_url(self.folder / "postgres")

    def stop(self) -> int:
        """Stop it as a user would, after a look at its books."""
        assert self.process is not None
        url = self.database_url if self.invariants_hold and self.process.poll() is None else None
        if url is not None:  # it has a database of its own, which runs
            assert_invariants_hold(url)
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def client_of(self, name: str, *, database_url: str | None = None, **more: Any) -> httpx.Client:
        """A client of an organisation made for it: as `plaudit org create` does, but without a process for each."""
        made = run_in_thread(_created(database_url or self.database_url, name, **more))
        org_id = str(made.org_id)
        headers = {"Authorization": f"Bearer {made.api_secret}", "X-Monterosa-Org-ID": org_id}
        self.jwt_secrets[org_id] = made.jwt_secret
        record_creator(made.org_id)
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=PLAIN)

    def member_of(self, servers: httpx.Client, user_id: str) -> httpx.Client:
        """A client as a member's app has it: a token, and nothing else."""
        headers = {"Authorization": f"Bearer {self.token_of(servers, user_id)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=PLAIN)

    def token_of(self, servers: httpx.Client, user_id: str) -> str:
        """A member's token, signed with the organisation's secret."""
        org_id = servers.headers["X-Monterosa-Org-ID"]
        claims = {"sub": user_id, "org": org_id, "exp": int(time.time()) + 3_600}
        return jwt.encode(claims, self.jwt_secrets[org_id], algorithm="HS256")

    def verify(self) -> int:
        """Check its books; the status that `plaudit verify` would end with."""
        assert_invariants_hold(existing(self.database_url))
        return 0

    def sql(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of a query on its database."""

        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.database_url)
            try:
                return await connection.fetch(query, *arguments)
            finally:
                await connection.close()

        return run_in_thread(run())

    def log(self) -> str:
        return (self.folder.parent / "server.log").read_text()[-4000:]

    @property
    def credentials(self) -> dict:
        return json.loads((self.folder / "credentials.json").read_text())

    @property
    def headers(self) -> dict[str, str]:
        """What a request of the demo organisation's server carries."""
        given = self.credentials
        return {"Authorization": f"Bearer {given['apiSecret']}", "X-Monterosa-Org-ID": given["orgId"]}

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=30, verify=PLAIN)


def new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="plaudit-server-"))
    folder.chmod(0o755)
    return folder / "data"
