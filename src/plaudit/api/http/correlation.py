"""The correlation id of a request: returned with its response, and logged with everything the request leads to."""

from collections.abc import Mapping

import structlog

from plaudit import clock

CORRELATION = "X-Correlation-ID"
CORRELATION_MAX = 128


def correlation_id_in(headers: Mapping[str, str]) -> str:
    """Return the client's correlation id, the trace id of W3C Trace Context, or a new one."""
    client_id = headers.get("x-correlation-id") or headers.get("x-request-id")
    if client_id and len(client_id) <= CORRELATION_MAX and client_id.isascii() and client_id.isprintable():
        return client_id
    parts = headers.get("traceparent", "").split("-")
    if len(parts) == 4 and len(parts[1]) == 32 and parts[1].isascii() and parts[1].isalnum():
        return parts[1]
    return clock.new_uuid7().hex


def current() -> str | None:
    """Return the correlation id of the current request."""
    return structlog.contextvars.get_contextvars().get("correlation_id")
