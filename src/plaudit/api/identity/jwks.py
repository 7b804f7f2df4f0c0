"""The published keys of identity providers. A slow provider delays only its own logins, and those only briefly.

known key       used immediately; a set older than 10 minutes is refreshed in the background, and used up to a day
unknown key     the first request starts a fetch, and all requests for the provider wait for it briefly
failed fetch    remembered: until the next attempt no request goes to the provider, and no login waits
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import jwt
import msgspec
import structlog
from msgspec import Meta, Struct

from plaudit import clock
from plaudit.errors import Unavailable
from plaudit.net import public_only_pool
from plaudit.tasks import cancel

FRESH_SECONDS = 600.0
USABLE_SECONDS = 24 * 3_600.0  # how long keys are used if their provider no longer responds
FETCH_INTERVAL_SECONDS = 30.0  # unknown key ids and failures cause at most one fetch per interval
FETCH_SECONDS = 5.0
WAIT_SECONDS = 2.0  # the longest that a login waits for a fetch
BYTES_MAX = 1 << 18
KEYS_MAX = 100
PROVIDERS_MAX = 1_000

log = structlog.get_logger(__name__)


class _Provider:
    """A provider's cached keys. `fetched_at` is when they were fetched, `failed` whether the last fetch failed."""

    __slots__ = ("failed", "fetch", "fetched_at", "keys", "next_at", "wait_until")

    def __init__(self) -> None:
        self.keys: dict[str, jwt.PyJWK] = {}
        self.fetched_at = float("-inf")
        self.failed = False
        self.next_at = float("-inf")
        self.wait_until = float("-inf")
        self.fetch: asyncio.Task[None] | None = None


class JwksCache:
    """The keys of providers, cached in this process. `private` allows addresses in private networks."""

    def __init__(self, *, private: bool, now: Callable[[], float] = time.monotonic) -> None:
        self._private: Final = private
        self._now: Final = now
        self._providers: dict[str, _Provider] = {}

    async def key(self, url: str, kid: str) -> jwt.PyJWK | None:
        """Return the key with the id `kid`, or None if the provider has not published it.

        Raise Unavailable if the provider does not respond and the key is not known.
        """
        provider = self._provider(url)
        key = self._known(provider, kid)
        age = self._now() - provider.fetched_at
        if (key is None or age > FRESH_SECONDS) and provider.fetch is None and self._now() >= provider.next_at:
            provider.wait_until = self._now() + WAIT_SECONDS
            provider.fetch = asyncio.create_task(self._fetch(url, provider))
        if key is None and provider.fetch is not None and not provider.failed:
            await asyncio.wait([provider.fetch], timeout=max(0.0, provider.wait_until - self._now()))
            key = self._known(provider, kid)
        if key is None and (provider.failed or provider.fetch is not None):
            raise Unavailable(
                f"The identity provider's keys cannot be fetched from {url}; retry later",
                next_at=clock.now() + timedelta(seconds=max(1.0, provider.next_at - self._now())),
            )
        return key

    async def close(self) -> None:
        """Cancel the fetches in progress."""
        await cancel(provider.fetch for provider in self._providers.values() if provider.fetch is not None)

    def _provider(self, url: str) -> _Provider:
        provider = self._providers.get(url)
        if provider is None:
            if len(self._providers) >= PROVIDERS_MAX:  # most have URLs that no settings contain any longer
                self._providers = {
                    known_url: known for known_url, known in self._providers.items() if known.fetch is not None
                }
            provider = self._providers[url] = _Provider()
        return provider

    def _known(self, provider: _Provider, kid: str) -> jwt.PyJWK | None:
        return provider.keys.get(kid) if self._now() - provider.fetched_at <= USABLE_SECONDS else None

    async def _fetch(self, url: str, provider: _Provider) -> None:
        try:
            keys = keys_in(await self._content(url))
            if not keys:
                raise ValueError("no key that can be used")
            provider.keys = keys
            provider.fetched_at = self._now()
            provider.failed = False
        except Exception as error:  # whatever the provider or its name server sends must not fail the login with a 500
            parts = urlsplit(url)
            log.warning("jwks_fetch_failed", url=f"{parts.scheme}://{parts.netloc}{parts.path}", exc_info=error)
            provider.failed = True
        finally:
            provider.next_at = self._now() + FETCH_INTERVAL_SECONDS
            provider.fetch = None

    async def _content(self, url: str) -> bytes:
        # A separate pool, so that hanging connections to other providers do not matter.
        pool = public_only_pool(private=self._private)
        try:
            async with asyncio.timeout(FETCH_SECONDS), pool.stream("GET", url) as response:
                if response.status != 200:
                    raise ValueError(f"the status was {response.status}")
                content = b""
                async for part in response.aiter_stream():
                    content += part
                    if len(content) > BYTES_MAX:
                        raise ValueError(f"more than {BYTES_MAX} bytes")
                return content
        finally:
            await pool.aclose()


class _Set(Struct):
    keys: list[Any]


def keys_in(content: bytes) -> dict[str, jwt.PyJWK]:
    """Return the keys of a JWK set by their ids. Raise ValueError if it is not a set. Malformed keys are skipped."""
    try:
        published = msgspec.json.decode(content, type=_Set).keys
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    keys: dict[str, jwt.PyJWK] = {}
    for value in published[:KEYS_MAX]:
        with suppress(msgspec.ValidationError, jwt.PyJWTError, ValueError, TypeError, LookupError, ArithmeticError):
            jwk = msgspec.convert(value, _Jwk)
            if jwk.use in (None, "sig"):
                keys[jwk.kid] = jwt.PyJWK(value)
    return keys


class _Jwk(Struct):
    kid: Annotated[str, Meta(min_length=1)]
    use: str | None = None
