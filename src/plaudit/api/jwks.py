"""The published keys of identity providers: fetched when needed, kept for a while, looked at again for a key that is new."""

import asyncio
import time

import httpcore
import jwt
import structlog

from plaudit.connections import ForbiddenAddressError, guarded_pool
from plaudit.errors import Unavailable

KEPT_SECONDS = 600.0
AGAIN_SECONDS = 30.0  # a stranger's key name makes us look again this often at most
FETCH_SECONDS = 5.0
BYTES_MAX = 1 << 18
KEYS_MAX = 100

log = structlog.get_logger(__name__)


class _Known:
    __slots__ = ("at", "keys", "turn")

    def __init__(self) -> None:
        self.at = -KEPT_SECONDS
        self.keys: dict[str, jwt.PyJWK] = {}
        self.turn = asyncio.Lock()


class PublishedKeys:
    """What this process knows of providers' keys. `private` allows addresses in private networks."""

    def __init__(self, *, private: bool) -> None:
        self._pool = guarded_pool(private=private)
        self._known: dict[str, _Known] = {}

    async def key(self, url: str, kid: str) -> jwt.PyJWK | None:
        """The key of that name, or None. Raises Unavailable when the keys cannot be had and none are known."""
        known = self._known.setdefault(url, _Known())
        age = time.monotonic() - known.at
        if age > KEPT_SECONDS or (kid not in known.keys and age > AGAIN_SECONDS):
            async with known.turn:
                if time.monotonic() - known.at >= age:  # nobody else has looked while we waited
                    await self._look(url, known)
        return known.keys.get(kid)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._pool.aclose()

    async def _look(self, url: str, known: _Known) -> None:
        try:
            known.keys = _keys_in(await self._fetched(url))
            known.at = time.monotonic()
        except (
            ForbiddenAddressError, TimeoutError, OSError, ValueError, jwt.PyJWTError, httpcore.NetworkError,
            httpcore.ProtocolError, httpcore.TimeoutException,
        ) as error:  # fmt: skip
            log.warning("keys_not_fetched", url=url, error=f"{type(error).__name__}: {error}")
            if not known.keys:
                raise Unavailable("The keys of the identity provider cannot be fetched; try again") from None
            known.at = time.monotonic() - KEPT_SECONDS + AGAIN_SECONDS  # those that we have, until the next look

    async def _fetched(self, url: str) -> bytes:
        async with asyncio.timeout(FETCH_SECONDS), self._pool.stream("GET", url) as response:
            if response.status != 200:
                raise ValueError(f"answered {response.status}")
            content = b""
            async for part in response.aiter_stream():
                content += part
                if len(content) > BYTES_MAX:
                    raise ValueError("is too large")
            return content


def _keys_in(content: bytes) -> dict[str, jwt.PyJWK]:
    found = jwt.PyJWKSet.from_json(content.decode())
    return {one.key_id: one for one in found.keys[:KEYS_MAX] if one.key_id and one.public_key_use in (None, "sig")}
