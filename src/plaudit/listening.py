"""The API's socket. No other server can share it, and the parent keeps it open while it replaces the child."""

import errno
import os
import socket

from plaudit.errors import Conflict, Invalid

BACKLOG = 2048
SOCKET = "PLAUDIT_SOCKET"  # the environment variable with the file descriptor that a child listens on


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address. Raise Conflict if another process does, Invalid for a bad address."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise Invalid(f"host must be an address or a name of this machine (got {host!r}: {error.strerror})") from None
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # After a restart, old connections may still be closing. That is not a conflict; another listening server is.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"Port {port} of {host} is in use by another server; stop it, or choose another port by --port",
                code="port_in_use",
            ) from None
        raise Invalid(f"The address {host}:{port} cannot be listened on: {os.strerror(error.errno or 0)}") from None
    sock.setblocking(False)
    return sock


def given_socket() -> socket.socket | None:
    """Return the socket that this process has inherited from its parent, or None."""
    number = os.environ.pop(SOCKET, None)
    return None if number is None else socket.socket(fileno=int(number))
