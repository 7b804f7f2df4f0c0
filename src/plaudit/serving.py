"""Run the API: Granian in this process's own event loop, on an inherited socket."""

import asyncio
import signal
import socket
from importlib import import_module
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from plaudit.listening import BACKLOG
from plaudit.runtime import STOPPING, allow_files

APPLICATION = "plaudit.api.app"  # imported by name, so that the commands do not depend on the API
CONNECTIONS_MAX = 30_000  # including live streams, which are long-lived requests
HEADERS_SECONDS = 30  # for a request's headers to arrive, including those of the next request on the connection


class _Server(Server):
    """Granian on our own socket. A socket that Granian opens can be shared with other servers on the same port."""

    def __init__(self, sock: socket.socket, **settings: Any) -> None:
        super().__init__(**settings)
        self._sock = sock

    def _init_shared_socket(self) -> None:
        self._ssp = None
        self._shd = SocketHolder(self._sock.detach(), False, BACKLOG)  # pyright: ignore[reportCallIssue] (its stub has no parameters)


async def run_api(sock: socket.socket) -> None:
    """Serve requests until SIGTERM or SIGINT, then finish those in progress."""
    allow_files(2 * CONNECTIONS_MAX)
    server = _Server(
        sock,
        target=import_module(APPLICATION).create_app(),
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,  # HTTP/2 would keep idle connections open
        http1_settings=HTTP1Settings(header_read_timeout=HEADERS_SECONDS * 1000),
        backlog=BACKLOG,
        backpressure=CONNECTIONS_MAX,
        log_level=LogLevels.error,
    )

    def stop() -> None:
        STOPPING.set()  # ends the live streams, which Granian would wait for
        server.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve()
    if not STOPPING.is_set():
        raise SystemExit(1)
