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

import httpx
import jwt


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Server:
    """`plaudit serve`, started and stopped as a user would."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.options = options
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.jwt_secrets: dict[str, str] = {}

    def start(self, seconds: float = 60) -> "Server":
        command = [sys.executable, "-m", "plaudit", "serve", "--data", str(self.folder), "--port", str(self.port)]
        environment = os.environ | {"PLAUDIT_LEASE_SECONDS": "1"}
        with (self.folder.parent / "server.log").open("ab") as log:
            self.process = subprocess.Popen([*command, *self.options], stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return self
            except httpx.TransportError:
                pass
            assert self.process.poll() is None, self.log()
            time.sleep(0.05)
        raise AssertionError(self.log())

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def client_of(self, name: str, *options: str) -> httpx.Client:
        """A client of an organisation made for it."""
        command = [sys.executable, "-m", "plaudit", "org", "create", name, "--data", str(self.folder), *options]
        made = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        headers = {"Authorization": f"Bearer {made[3]}", "X-Monterosa-Org-ID": made[1]}
        self.jwt_secrets[made[1]] = made[5]
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def member_of(self, servers: httpx.Client, user_id: str) -> httpx.Client:
        """A client as a member's app has it: a token, and nothing else."""
        headers = {"Authorization": f"Bearer {self.token_of(servers, user_id)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def token_of(self, servers: httpx.Client, user_id: str) -> str:
        """A member's token, signed with the organisation's secret."""
        org_id = servers.headers["X-Monterosa-Org-ID"]
        claims = {"sub": user_id, "org": org_id, "exp": int(time.time()) + 3_600}
        return jwt.encode(claims, self.jwt_secrets[org_id], algorithm="HS256")

    def verify(self) -> int:
        """The status of `plaudit verify`, by its books."""
        command = [sys.executable, "-m", "plaudit", "verify", "--data", str(self.folder)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.returncode

    def log(self) -> str:
        return (self.folder.parent / "server.log").read_text()[-4000:]

    @property
    def credentials(self) -> dict:
        return json.loads((self.folder / "credentials.json").read_text())

    def client(self) -> httpx.Client:
        given = self.credentials
        headers = {"Authorization": f"Bearer {given['apiSecret']}", "X-Monterosa-Org-ID": given["orgId"]}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)


def new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="plaudit-server-"))
    folder.chmod(0o755)
    return folder / "data"
