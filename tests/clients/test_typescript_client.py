"""The TypeScript client: built by its own compiler, run by its own tests, against a real server."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[2] / "clients" / "ts"


@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no Node.js")
def test_its_own_tests_pass(server_process, tmp_path):
    folder = tmp_path / "client"
    shutil.copytree(CLIENT, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)
    with server_process.client_of("TypeScript") as servers:
        environment = os.environ | {
            "PLAUDIT_URL": server_process.url,
            "PLAUDIT_ORG": servers.headers["X-Monterosa-Org-ID"],
            "PLAUDIT_SECRET": servers.headers["Authorization"].removeprefix("Bearer "),
            "PLAUDIT_TOKEN": server_process.token_of(servers, "ann"),
        }
        done = subprocess.run(
            ["npm", "test", "--silent"],
            check=False,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stdout + done.stderr
