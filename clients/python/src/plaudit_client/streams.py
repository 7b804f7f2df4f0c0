"""Streamed responses: server-sent events (HTML, section 9.2)."""

from collections.abc import Generator, Iterable
from typing import Any

import msgspec
from msgspec import Struct


class ServerEvent(Struct, frozen=True):
    """An event of a stream. `id` is where to resume after it; `data` is decoded from JSON."""

    id: str
    event: str
    data: Any


class EventParser:
    """Builds events from the lines of a stream."""

    def __init__(self) -> None:
        self._id = ""
        self._event = ""
        self._data: list[str] = []

    def read(self, line: str) -> ServerEvent | None:
        """Return the event that this line completes, or None."""
        if not line:
            return self._end()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self._id = value
        elif name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        return None

    def _end(self) -> ServerEvent | None:
        event, data = self._event, self._data
        self._event, self._data = "", []
        if not data:
            return None
        return ServerEvent(self._id, event or "message", msgspec.json.decode("\n".join(data)))


def events_in(lines: Iterable[str]) -> Generator[ServerEvent]:
    """Yield the events of a stream."""
    parser = EventParser()
    for line in lines:
        event = parser.read(line)
        if event is not None:
            yield event
