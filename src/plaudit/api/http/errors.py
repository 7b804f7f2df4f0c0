"""Errors as responses. One table maps each kind of error to its status."""

from http import HTTPStatus
from math import ceil
from typing import Any

import asyncpg
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
)

from plaudit import clock, telemetry
from plaudit.errors import ErrorKind, Invalid, NotFound, PlauditError, TooLarge, Unavailable
from plaudit.storage.postgres import RETRIABLE, UNREACHABLE
from plaudit.tracebacks import facts_of

from . import correlation, methods
from .envelopes import PROBLEM_MEDIA, envelope_of, failure, problem

STATUS_OF_KIND: dict[ErrorKind, int] = {
    ErrorKind.invalid: 400,
    ErrorKind.unauthenticated: 401,
    ErrorKind.forbidden: 403,
    ErrorKind.not_found: 404,
    ErrorKind.conflict: 409,
    ErrorKind.too_slow: 408,
    ErrorKind.too_large: 413,
    ErrorKind.unsupported: 415,
    ErrorKind.mismatch: 422,
    ErrorKind.too_many: 429,
    ErrorKind.failed: 500,
    ErrorKind.unavailable: 503,
}

RETRY_AFTER_SECONDS = 1

log = structlog.get_logger(__name__)


class _MethodNotAllowed(PlauditError):
    code = "method_not_allowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(f"The method must be one of {allowed}")
        self.allowed = allowed


def as_plaudit_error(error: BaseException) -> PlauditError:
    """Return any exception as a PlauditError."""
    if isinstance(error, PlauditError):
        return error
    if isinstance(error, UNREACHABLE + RETRIABLE):
        return Unavailable("The database is unavailable; retry later")
    if isinstance(error, asyncpg.UntranslatableCharacterError | asyncpg.CharacterNotInRepertoireError):
        return Invalid("Strings must not contain the NUL character (U+0000)")
    if isinstance(error, NotFoundException):
        return NotFound("No such endpoint; see /openapi.json")
    if isinstance(error, MethodNotAllowedException):
        return _MethodNotAllowed(methods.named((error.headers or {})["allow"].split(", ")))
    if isinstance(error, HTTPException) and error.status_code == 413:
        return TooLarge("The body is too large")
    if isinstance(error, ClientException | SerializationException):
        return Invalid(error.detail)
    correlation_id = correlation.current()
    return PlauditError(
        "Internal error" + (f" (correlation id {correlation_id})" if correlation_id else ""), code="internal_error"
    )


def status_of(error: PlauditError) -> int:
    """Return the HTTP status of an error."""
    return 405 if isinstance(error, _MethodNotAllowed) else STATUS_OF_KIND[error.kind]


def error_response(error: BaseException, path: str, accept: str = "", *, route: str = "") -> Response[bytes]:
    """Return the response to a request that failed.

    Errors of the server are logged, with a traceback if they are bugs. The log shows the `route`, not the path, because
    paths contain user ids.
    """
    plaudit_error = as_plaudit_error(error)
    status = status_of(plaudit_error)
    if status == 503:
        log.warning("request_refused", route=route, status=status, error=facts_of(error))
    elif status >= 500:
        log.error("request_failed", route=route, status=status, exc_info=error)
    telemetry.requests_total.labels(status).inc()
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
    if isinstance(plaudit_error, _MethodNotAllowed):
        headers["Allow"] = plaudit_error.allowed
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if plaudit_error.next_at is not None:
        headers["Retry-After"] = str(
            max(1, ceil((plaudit_error.next_at - (plaudit_error.now or clock.now())).total_seconds()))
        )
    if PROBLEM_MEDIA in accept:
        content, media = problem(plaudit_error, status, HTTPStatus(status).phrase, path), PROBLEM_MEDIA
    else:
        content, media = failure(plaudit_error, envelope_of(path)), "application/json"
    return Response(content, status_code=status, media_type=media, headers=headers)


def handle(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Return the response to an exception that Litestar itself raises."""
    route = str(request.scope.get("path_template", ""))
    correlation_id = correlation.correlation_id_in(request.headers)
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
        response = error_response(error, request.url.path, request.headers.get("accept", ""), route=route)
    response.headers[correlation.CORRELATION] = correlation_id
    return response
