"""One attempt at one webhook: never into a private network unless the server allows it, never along a redirect.

The name is resolved here and the very address that was looked at is connected to, so that an answer of the name server
that changes meanwhile leads nowhere.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from time import perf_counter
from typing import Any, cast

import httpcore
from msgspec import Struct

ATTEMPT_SECONDS = 15.0
ANSWER_BYTES_MAX = 1 << 16
CONNECTIONS = 100


class Attempt(Struct, frozen=True):
    """What came of an attempt: the answer's `status` if there was one, else the `error`."""

    status: int | None
    error: str | None
    milliseconds: int

    @property
    def succeeded(self) -> bool:
        """Whether the message has arrived: any 2xx."""
        return self.status is not None and 200 <= self.status < 300


class _ForbiddenAddressError(Exception):
    """The target is in a private network."""


# Addresses that lead on to IPv4 ones (RFC 6052, RFC 8215); not every Python knows of the second.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet."""
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


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to what a name stands for, if that is allowed."""

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
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved") from None
        addresses = list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))
        if not self._private and not all(map(is_public, addresses)):
            raise _ForbiddenAddressError
        return await self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise _ForbiddenAddressError

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Sender:
    """The connections to webhooks. `private` allows targets in private networks."""

    def __init__(self, *, private: bool) -> None:
        backend = _Guarded(private=private)
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=CONNECTIONS, max_keepalive_connections=20, keepalive_expiry=30, network_backend=backend
        )

    async def attempt(self, url: str, headers: dict[str, str], body: bytes) -> Attempt:
        """POST a body. A redirect is an answer like any other: not 2xx."""
        started = perf_counter()
        status, error = None, None
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                async with self._pool.stream("POST", url, headers=list(headers.items()), content=body) as response:
                    status = response.status
                    read = 0
                    async for part in response.aiter_stream():  # let the connection be used again, within reason
                        read += len(part)
                        if read > ANSWER_BYTES_MAX:
                            break
            if not 200 <= status < 300:
                error = f"answered {status}" + (" (redirects are not followed)" if 300 <= status < 400 else "")
        except _ForbiddenAddressError:
            error = "the address is in a private network, which this server does not allow"
        except TimeoutError:
            status, error = None, f"no answer within {ATTEMPT_SECONDS:g} seconds"
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as problem:
            error = f"{type(problem).__name__}: {problem}"[:500]
        except httpcore.UnsupportedProtocol:
            error = "the address is not of http or https"
        return Attempt(status, error, round((perf_counter() - started) * 1000))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._pool.aclose()
