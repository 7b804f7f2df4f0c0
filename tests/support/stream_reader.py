"""A member's live stream, as their page reads it."""

import json
import socket
import threading

import httpx

from tests.support.eventually import eventually
from tests.support.existing import existing


class StreamReader:
    """A stream, read in a thread: `events` are (event, id, data)."""

    def __init__(self, member: httpx.Client, **headers: str) -> None:
        self.events: list[tuple[str, str, dict]] = []
        self.status = 0
        self._response: httpx.Response | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(member, headers), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _read(self, member: httpx.Client, headers: dict[str, str]) -> None:
        client = httpx.Client(base_url=member.base_url, headers={**member.headers, **headers}, timeout=60)
        try:
            with client, client.stream("GET", "/api/loyalty/me/stream") as response:
                self._response = response
                self.status = response.status_code
                if self.status != 200:
                    self._ready.set()
                    return
                assert response.headers["Content-Type"].startswith("text/event-stream")
                fields: dict[str, str] = {}
                for line in response.iter_lines():
                    name, _, value = line.partition(":")
                    if name:
                        fields[name] = value.strip()
                    elif fields:
                        if "event" in fields:
                            self.events.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
                            self._ready.set()
                        fields = {}
        except httpx.HTTPError:
            pass

    def close(self) -> None:
        existing(self._response).extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def notes(self) -> list[dict]:
        return [data for event, _, data in self.events if event == "notification"]

    def wait_for(self, holds) -> None:
        eventually(holds, show=lambda: self.events)
