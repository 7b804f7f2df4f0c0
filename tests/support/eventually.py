"""Waiting for what another process does: until a row or an answer says so, up to a generous deadline."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx

DEADLINE_SECONDS = 60.0


def wait_until(found: Callable[[], Any], seconds: float = DEADLINE_SECONDS) -> Any:
    """What `found` returns, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_for_event(client: httpx.Client, name: str) -> dict[str, Any]:
    """An event, as soon as it is decided."""

    def decided() -> dict[str, Any] | None:
        answer = client.get(f"/v1/events/{quote(name, safe='')}")
        assert answer.status_code in (200, 404), answer.text
        data = answer.json().get("data", {})
        return data if data.get("status") not in (None, "queued", "waiting") else None

    return wait_until(decided)
