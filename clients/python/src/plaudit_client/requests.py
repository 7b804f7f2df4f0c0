"""Requests without I/O: how to build one, read its response, and decide whether to retry."""

import random
from collections.abc import AsyncIterable, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote
from uuid import uuid4

import msgspec
from msgspec import Struct, structs

from .errors import PlauditError
from .models import ActionBatchResult, ActionReceipt, DryRun
from .open_struct import is_open, keep_further

T = TypeVar("T")
Json = dict[str, Any]

TRIES = 4
FIRST_DELAY_SECONDS = 0.2
DELAY_SECONDS_MAX = 20.0
RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
IN_PROGRESS = b'"in_progress"'  # the first request is still being processed; a retry gets its response

# Ids that are also the names of endpoints. With one letter encoded, the server reads them as ids.
_ALSO_ENDPOINTS = {"schema": "%73chema"}


class Request(Struct, Generic[T], frozen=True, kw_only=True):
    """One request, and the type of the data in its response; `object` for any data.

    With `loose`, the response may have an envelope or not. `content` is a body that is not JSON, of the media type
    `media`. Every POST has an Idempotency-Key, so it counts once however often it is sent.
    """

    method: str
    path: str
    result: type[T]
    enveloped: bool = True
    loose: bool = False
    query: Mapping[str, Any] = {}
    body: Any = None
    content: bytes | Iterable[bytes] | AsyncIterable[bytes] | None = None
    media: str = "application/json"
    accept: str = "application/json"
    headers: Mapping[str, str] = {}

    def parameters(self) -> dict[str, str]:
        """Return the query parameters that are not None."""
        return {name: parameter(value) for name, value in self.query.items() if value is not None}

    def sent_headers(self) -> dict[str, str]:
        """Return the headers of this request."""
        return {"Accept": self.accept, "Content-Type": self.media, **self.headers}

    def sent_content(self) -> Any:
        """Return the body, encoded; None if there is none."""
        if self.content is not None:
            return self.content
        return None if self.body is None else msgspec.json.encode(self.body)

    @property
    def is_repeatable(self) -> bool:
        """Whether the body can be sent again."""
        return self.content is None or isinstance(self.content, bytes)


class DryRunResult(Struct, Generic[T], frozen=True, kw_only=True):
    """What a write would return and lead to. `dry_run` is None if a job reports the consequences."""

    data: T
    dry_run: DryRun | None


class Trial(Struct):
    """A dry run in progress. `dry_run` comes from its response."""

    dry_run: DryRun | None = None


_TRIAL: ContextVar[Trial | None] = ContextVar("trial", default=None)


@contextmanager
def trial() -> Generator[Trial]:
    """Make all requests of this context dry runs."""
    token = _TRIAL.set(current := Trial())
    try:
        yield current
    finally:
        _TRIAL.reset(token)


def with_dry_run(request: Request[T]) -> Request[T]:
    """Return the request, as a dry run within `trial`."""
    return request if _TRIAL.get() is None else structs.replace(request, query={**request.query, "dryRun": True})


def idempotency(key: str | None) -> dict[str, str]:
    """Return the header that makes a write count once, however often it is tried."""
    return {"Idempotency-Key": key or uuid4().hex}


def parameter(value: Any) -> str:
    """Return the text of a value in a query."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def path_part(text: str) -> str:
    """Return an id for a path. Every character except letters, digits, `-`, `.`, `_` and `~` is percent-encoded."""
    return _ALSO_ENDPOINTS.get(text) or quote(text, safe="")


def headers_of(org: str | None, bearer: str | None) -> dict[str, str]:
    """Return the headers of every request: the credentials and the organisation."""
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    return headers if org is None else headers | {"X-Monterosa-Org-ID": org}


def read_response(request: Request[T], status: int, content: bytes) -> T:
    """Return the data of a response. Raise PlauditError for an error, or if it is not a response of this API."""
    if status >= 400:
        raise read_error(status, content)
    try:
        if (current := _TRIAL.get()) is not None:
            current.dry_run = _DRY_RUN.decode(content).dry_run
        if request.result is type(None):
            return cast("T", None)
        if request.result is bytes:
            return cast("T", content)
        if request.loose:
            return _without_envelope(content)
        if not request.enveloped:
            return _decoded(request.result, content)
        return _decoded(_Enveloped[Any if request.result is object else request.result], content).data
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PlauditError(f"Unexpected response: {error}", status=status, code="unexpected_response") from error


def read_error(status: int, content: bytes) -> PlauditError:
    """Return the error in a response, in any of the API's envelopes."""
    try:
        decoded: Any = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        decoded = None
    body: Json = cast("Json", decoded) if isinstance(decoded, dict) else {}
    error: Any = body.get("error")
    inner: Json = cast("Json", error) if isinstance(error, dict) else {"code": error}
    message = inner.get("message") or body.get("message") or body.get("error_description") or f"HTTP {status}"
    return PlauditError(
        str(message),
        status=status,
        code=str(inner.get("code") or ""),
        fields={detail["field"]: detail["message"] for detail in inner.get("details", ())},
        next_available_at=_instant(inner.get("next_available_at")),
        id=inner.get("id"),
    )


def report(
    user_id: str,
    action: str,
    data: Mapping[str, Any] | None,
    event_id: str | None,
    occurred_at: datetime | None,
    wait: float | None,
) -> Request[ActionReceipt]:
    """Return the request that reports an action; without an `event_id` it gets one, so that retries do not count again."""
    body: Json = {"userId": user_id, "action": action, "data": dict(data or {}), "eventId": event_id or uuid4().hex}
    if occurred_at is not None:
        body["timestamp"] = occurred_at
    headers = {} if wait is None else {"Prefer": f"wait={wait:g}"}
    path = "/api/audience/internal/actions"
    return Request(method="POST", path=path, result=ActionReceipt, enveloped=False, body=body, headers=headers)


def report_batch(actions: Iterable[Mapping[str, Any]]) -> Request[ActionBatchResult]:
    """Return the request that reports actions; those without an `eventId` get one."""
    body = [{"eventId": uuid4().hex, **action} for action in actions]
    path = "/api/audience/internal/actions/batch"
    return Request(method="POST", path=path, result=ActionBatchResult, enveloped=False, body=body)


def unreachable(error: Exception) -> PlauditError:
    """Return the error for a server that cannot be reached."""
    return PlauditError(f"Cannot reach the server: {error or type(error).__name__}", code="unreachable")


def any_request(
    method: str, path: str, body: Any, query: Mapping[str, Any] | None, idempotency_key: str | None
) -> Request[object]:
    """Return a request that this client has no method for. Its data is plain JSON."""
    headers = idempotency(idempotency_key) if method == "POST" else {}
    return Request(method=method, path=path, result=object, body=body, query=query or {}, headers=headers, loose=True)


def is_retryable(status: int, content: bytes) -> bool:
    """Return whether the same request may succeed later."""
    return status in RETRYABLE or (status == 409 and IN_PROGRESS in content)


def retry_delay(attempt: int, retry_after: str | None) -> float:
    """Return the seconds before retry number `attempt` (from 1): the Retry-After, or a doubling delay with jitter."""
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), DELAY_SECONDS_MAX)
    return min(FIRST_DELAY_SECONDS * 2 ** (attempt - 1), DELAY_SECONDS_MAX) * (0.5 + random.random() / 2)  # noqa: S311


def _without_envelope(content: bytes) -> Any:
    data: Any = msgspec.json.decode(content) if content else None
    if not isinstance(data, dict):
        return data
    body = cast("Json", data)
    return body.get("data", body)


class _Enveloped(Struct, Generic[T], frozen=True):
    data: T


class _DryRunResponse(Struct, frozen=True, rename="camel"):
    dry_run: DryRun | None = None


_DRY_RUN = msgspec.json.Decoder(_DryRunResponse)


def _decoded(result: Any, content: bytes) -> Any:
    of = Any if result is object else result
    value = _decoder(of).decode(content)
    if is_open(of):
        keep_further(value, msgspec.json.decode(content))
    return value


@cache
def _decoder(of: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(of)


def _instant(text: Any) -> datetime | None:
    try:
        return None if text is None else msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
