"""CORS: the web pages that may call the member API. Each organisation's settings list the allowed origins.

A preflight names no organisation, so it is allowed for an origin that any organisation lists. The browser lets
the page read the response of the call itself only if the organisation of the call lists the origin. Tokens are sent in a
header, never in a cookie.
"""

import time
from collections.abc import Mapping, Sequence

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send

from plaudit.storage.postgres import UNREACHABLE, Pool
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

CACHE_SECONDS = 5.0
PREFLIGHT_SECONDS = 600
ALLOWED = "Access-Control-Allow-Origin"
EXPOSED = "ETag, X-Correlation-ID, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After"
METHODS = "GET, POST, PUT, PATCH, DELETE"
HEADERS = (
    "Authorization, Content-Type, X-Monterosa-Org-ID, X-Org-ID, Idempotency-Key, If-None-Match, Last-Event-ID, "
    "X-Correlation-ID"
)


def is_allowed(origin: str, origins: Sequence[str]) -> bool:
    """Return whether an origin is in the settings."""
    return "*" in origins or origin.lower() in {name.lower() for name in origins}


def headers_for(origin: str | None, origins: Sequence[str]) -> Mapping[str, str]:
    """Return the CORS headers of a response to a page of `origin`."""
    if origin is None:
        return {}
    if not is_allowed(origin, origins):
        return {"Vary": "Origin"}
    return {ALLOWED: origin, "Access-Control-Expose-Headers": EXPOSED, "Vary": "Origin"}


class AllowedOrigins:
    """The origins that any organisation allows, cached in this process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: tuple[str, ...] = ()
        self._fetched_at = -CACHE_SECONDS

    async def all(self) -> Sequence[str]:
        """Return the origins, at most a few seconds old."""
        if time.monotonic() - self._fetched_at > CACHE_SECONDS:
            async with self._pool.acquire() as connection:
                rows = await connection.fetch(_SQL.origins)
            self._known = tuple({value for row in rows for value in msgspec.json.decode(row["origins"])})
            self._fetched_at = time.monotonic()
        return self._known


def handle_preflights(app: ASGIApp) -> ASGIApp:
    """Return an ASGI app that responds to CORS preflights itself and passes on every other request."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "OPTIONS":
            return await app(scope, receive, send)
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get("origin")
        if origin is None or "access-control-request-method" not in headers:
            return await app(scope, receive, send)
        origins: AllowedOrigins = scope["litestar_app"].state.services.origins
        try:
            allowed = is_allowed(origin, await origins.all())
        except UNREACHABLE:
            allowed = False
        response_headers = [("Vary", "Origin")]
        if allowed:
            response_headers += [
                (ALLOWED, origin),
                ("Access-Control-Allow-Methods", METHODS),
                ("Access-Control-Allow-Headers", HEADERS),
                ("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)),
            ]
        status = 204 if allowed else 403
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in response_headers]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return None

    return handle
