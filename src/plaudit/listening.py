"""The API's socket: exclusive to it, and held by the parent while its child is replaced."""

import errno
import os
import socket

from plaudit.errors import Conflict, Invalid

BACKLOG = 2048
SOCKET = "PLAUDIT_SOCKET"  # the number of the open file that a child of ours listens on


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the address, which no other process does. Raises Conflict if one does."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise Invalid(f"host must be an address or a name of this machine (got {host!r}: {error.strerror})") from None
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # After a restart, what is left of old connections does not matter; another server that listens does.
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
    """Return the socket that the parent of this process holds for it, if it does."""
    number = os.environ.pop(SOCKET, None)
    return None if number is None else socket.socket(fileno=int(number))
