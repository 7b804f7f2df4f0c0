"""Connect to addresses that organisations configure, but not in private networks unless the server allows it.

A name is resolved once, and the connection goes to the address that was checked. So a name server cannot return a
public address for the check and a private one for the connection.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, cast

import httpcore

CONNECTIONS = 100

# The event loop's own resolver has few threads. A few names whose name servers do not respond would block all others.
_RESOLVERS = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="resolve")


class ForbiddenAddressError(Exception):
    """The target is in a private network, which this server does not allow."""


# Addresses that are translated to IPv4 (RFC 6052, RFC 8215). Some versions of Python do not know the second range.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")


def is_public(address: str) -> bool:
    """Return whether an address is on the public internet."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(ip.packed[-4:])
        if inner is not None:
            return is_public(str(inner))
        if ip in _LOCAL_NAT64:
            return False
    return ip.is_global and not ip.is_multicast


class _PublicOnlyBackend(httpcore.AsyncNetworkBackend):
    """A network backend that refuses private addresses, unless they are allowed."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._inner = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the interface's own)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            infos = await asyncio.get_running_loop().run_in_executor(
                _RESOLVERS, partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
            )
        except OSError:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved") from None
        addresses = list(dict.fromkeys(str(info[4][0]).partition("%")[0] for info in infos))
        if not self._private and not all(map(is_public, addresses)):
            raise ForbiddenAddressError
        return await self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise ForbiddenAddressError

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def public_only_pool(*, private: bool) -> httpcore.AsyncConnectionPool:
    """Return a pool of connections. `private` allows targets in private networks."""
    return httpcore.AsyncConnectionPool(
        max_connections=CONNECTIONS,
        max_keepalive_connections=20,
        keepalive_expiry=30,
        network_backend=_PublicOnlyBackend(private=private),
    )
