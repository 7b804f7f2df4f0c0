"""A test organisation of one's own, on the shared server."""

import subprocess
import sys

import httpx
import pytest


def ok(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json().get("data", answer.json())


@pytest.fixture
def shop(server_process):
    """A test organisation of its own, whose clock can be moved."""
    made = subprocess.run(
        [sys.executable, "-m", "plaudit", "org", "create", "Shop", "--test", "--data", str(server_process.folder)],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    headers = {"Authorization": f"Bearer {made[3]}", "X-Monterosa-Org-ID": made[1]}
    with httpx.Client(base_url=server_process.url, headers=headers, timeout=60) as client:
        yield client
