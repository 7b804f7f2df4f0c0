"""The published keys of identity providers. A slow provider delays only its own logins, and those only briefly.

known key       used immediately; an old set is refreshed in the background, and used for up to a day meanwhile
unknown key     the first request starts a fetch, and all requests for the provider wait for it, but only briefly
failed fetch    remembered: until the next attempt no request is sent to the provider, and nobody waits
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

KEPT_SECONDS = 600.0
USABLE_SECONDS = 24 * 3_600.0  # how long keys are used whose provider does not respond any more
AGAIN_SECONDS = 30.0  # a stranger's key name, or a failure, makes us fetch again this often at most
FETCH_SECONDS = 5.0
WAIT_SECONDS = 2.0  # how long a login waits for a fetch that others have begun, or it has
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
        """Return the key of that name, or None if the provider has not published it.

        Raise Unavailable if the provider does not respond and the key is not known.
        """
        provider = self._provider(url)
        found = self._known(provider, kid)
        age = self._now() - provider.fetched_at
        if (found is None or age > KEPT_SECONDS) and provider.fetch is None and self._now() >= provider.next_at:
            provider.wait_until = self._now() + WAIT_SECONDS
            provider.fetch = asyncio.create_task(self._fetch(url, provider))
        if found is None and provider.fetch is not None and not provider.failed:
            await asyncio.wait([provider.fetch], timeout=max(0.0, provider.wait_until - self._now()))
            found = self._known(provider, kid)
        if found is None and (provider.failed or provider.fetch is not None):
            raise Unavailable(
                f"The identity provider's keys cannot be fetched from {url}; retry later",
                next_at=clock.now() + timedelta(seconds=max(1.0, provider.next_at - self._now())),
            )
        return found

    async def close(self) -> None:
        """Cancel the fetches in progress."""
        await cancel(provider.fetch for provider in self._providers.values() if provider.fetch is not None)

    def _provider(self, url: str) -> _Provider:
        found = self._providers.get(url)
        if found is None:
            if len(self._providers) >= PROVIDERS_MAX:  # addresses of settings that have changed since
                self._providers = {
                    provider_id: provider
                    for provider_id, provider in self._providers.items()
                    if provider.fetch is not None
                }
            found = self._providers[url] = _Provider()
        return found

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
        except Exception as error:  # whatever the provider or its name server sends is its failure, and no login's
            parts = urlsplit(url)
            log.warning("jwks_fetch_failed", url=f"{parts.scheme}://{parts.netloc}{parts.path}", exc_info=error)
            provider.failed = True
        finally:
            provider.next_at = self._now() + AGAIN_SECONDS
            provider.fetch = None

    async def _content(self, url: str) -> bytes:
        pool = public_only_pool(private=self._private)  # its own: others' connections that hang are not in its way
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
    """Return the keys of a JWK set by their ids. Raise ValueError for what is not a set; skip malformed keys."""
    try:
        published = msgspec.json.decode(content, type=_Set).keys
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    found: dict[str, jwt.PyJWK] = {}
    for value in published[:KEYS_MAX]:
        with suppress(msgspec.ValidationError, jwt.PyJWTError, ValueError, TypeError, LookupError, ArithmeticError):
            named = msgspec.convert(value, _Named)
            if named.use in (None, "sig"):
                found[named.kid] = jwt.PyJWK(value)
    return found


class _Named(Struct):
    kid: Annotated[str, Meta(min_length=1)]
    use: str | None = None
