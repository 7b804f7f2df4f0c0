"""The calls, without any I/O: what is sent, how the answer is read, and when to try again."""

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote
from uuid import uuid4

import msgspec
from msgspec import Struct

from .answers import Accepted, BatchResult, Member, Notification, Page, Redeemed, Transaction

T = TypeVar("T")

TRIES = 4
FIRST_PAUSE_SECONDS = 0.2
PAUSE_SECONDS_MAX = 20.0
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
IN_PROGRESS = b'"in_progress"'  # the same call is being answered right now: its answer will be this one's


class PlauditError(Exception):
    """The API refused, or could not be reached. `code` is stable; `fields` names what is wrong, with the reasons."""

    def __init__(
        self, message: str, *, status: int = 0, code: str = "", fields: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.fields = dict(fields or {})


class Request(Struct, Generic[T], frozen=True, kw_only=True):
    """One call: `read` makes the typed answer out of the data in its envelope."""

    method: str
    path: str
    read: Callable[[Any], T]
    query: dict[str, str] = {}
    body: Any = None
    headers: dict[str, str] = {}

    def content(self) -> bytes | None:
        """The body, encoded."""
        return None if self.body is None else msgspec.json.encode(self.body)


def answer_of(request: Request[T], status: int, content: bytes) -> T:
    """The typed answer. Raises PlauditError for an answer that is an error, or no answer of this API's."""
    try:
        given: Any = msgspec.json.decode(content) if content else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        given = None
    if status >= 400 or (content and given is None):
        raise error_of(status, given)
    if isinstance(given, dict) and "data" in given:
        given = cast("dict[str, Any]", given)["data"]
    try:
        return request.read(given)
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise PlauditError(
            f"The answer is not what it should be: {error}", status=status, code="unexpected_answer"
        ) from error


def error_of(status: int, given: Any) -> PlauditError:
    """The error in any of the API's envelopes."""
    body: dict[str, Any] = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    shown: Any = body.get("error")
    inner: dict[str, Any] = cast("dict[str, Any]", shown) if isinstance(shown, dict) else {"code": shown}
    message = inner.get("message") or body.get("message") or body.get("error_description") or f"HTTP {status}"
    fields = {value["field"]: value["message"] for value in inner.get("details", ())}
    return PlauditError(str(message), status=status, code=str(inner.get("code") or ""), fields=fields)


def is_retryable(status: int, content: bytes) -> bool:
    """Whether the same call may well succeed later."""
    return status in TRY_AGAIN or (status == 409 and IN_PROGRESS in content)


def retry_delay(attempt: int, retry_after: str | None) -> float:
    """Seconds to wait before the `attempt`-th try again (from 1): what the server says, or doubling, with jitter."""
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), PAUSE_SECONDS_MAX)
    return min(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), PAUSE_SECONDS_MAX) * (0.5 + random.random() / 2)  # noqa: S311


def headers_of(org: str | None, bearer: str | None) -> dict[str, str]:
    """What every request carries: who asks, and in which organisation."""
    headers = {"Content-Type": "application/json"}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    if org is not None:
        headers["X-Monterosa-Org-ID"] = org
    return headers


def idempotency_header(key: str | None) -> dict[str, str]:
    """The header that makes a write count once, however often it is tried."""
    return {"Idempotency-Key": key or uuid4().hex}


def report(
    user_id: str,
    action: str,
    data: Mapping[str, Any] | None,
    event_id: str | None,
    occurred_at: datetime | None,
    wait: float | None,
) -> Request[Accepted]:
    body: dict[str, Any] = {
        "userId": user_id,
        "action": action,
        "data": dict(data or {}),
        "eventId": event_id or uuid4().hex,
    }
    if occurred_at is not None:
        body["timestamp"] = occurred_at
    headers = {} if wait is None else {"Prefer": f"wait={wait:g}"}
    return Request(method="POST", path="/api/audience/internal/actions", read=_as(Accepted), body=body, headers=headers)


def report_many(actions: Iterable[Mapping[str, Any]]) -> Request[BatchResult]:
    body = [{"eventId": uuid4().hex, **action} for action in actions]
    return Request(method="POST", path="/api/audience/internal/actions/batch", read=_as(BatchResult), body=body)


def member(user_id: str) -> Request[Member]:
    return Request(method="GET", path=f"/v1/profiles/{_part(user_id)}", read=_as(Member))


def update_member(user_id: str, fields: Mapping[str, Any], key: str | None) -> Request[Member]:
    path = f"/v1/profiles/{_part(user_id)}"
    return Request(method="PUT", path=path, read=_as(Member), body=dict(fields), headers=idempotency_header(key))


def enroll(user_id: str, profile: Mapping[str, Any], key: str | None) -> Request[dict[str, Any]]:
    body = {"userId": user_id, **profile}
    return Request(
        method="POST", path="/v1/users/enroll", read=_as(dict[str, Any]), body=body, headers=idempotency_header(key)
    )


def credit(user_id: str, metric: str, amount: float, reason: str | None, key: str | None) -> Request[Transaction]:
    body = {"userId": user_id, "metric": metric, "amount": amount, "reason": reason}
    body = {name: value for name, value in body.items() if value is not None}
    return Request(
        method="POST", path="/v1/transactions", read=_as(Transaction), body=body, headers=idempotency_header(key)
    )


def transactions(user_id: str, limit: int, cursor: str | None) -> Request[Page[Transaction]]:
    query = {"userId": user_id, "limit": str(limit)} | ({} if cursor is None else {"cursor": cursor})
    return Request(method="GET", path="/v1/transactions", read=_page("transactions", Transaction), query=query)


def grant(user_id: str, reward_id: str, key: str | None) -> Request[dict[str, Any]]:
    body = {"userId": user_id, "rewardId": reward_id}
    return Request(
        method="POST", path="/v1/rewards/grant", read=_as(dict[str, Any]), body=body, headers=idempotency_header(key)
    )


def redeem(user_id: str, product_id: str, quantity: int, key: str | None) -> Request[Redeemed]:
    body = {"userId": user_id, "quantity": quantity}
    path = f"/v1/products/{_part(product_id)}/redeem"
    return Request(
        method="POST",
        path=path,
        read=lambda data: msgspec.convert(data["result"], Redeemed),
        body=body,
        headers=idempotency_header(key),
    )


def explain(event_id: str) -> Request[dict[str, Any]]:
    return Request(method="GET", path=f"/v1/events/{_part(event_id)}/explain", read=_as(dict[str, Any]))


def me() -> Request[Member]:
    return Request(method="GET", path="/api/loyalty/me", read=_as(Member))


def my_notifications(limit: int, cursor: str | None) -> Request[Page[Notification]]:
    query = {"limit": str(limit)} | ({} if cursor is None else {"cursor": cursor})
    read = _page("notifications", Notification)
    return Request(method="GET", path="/api/loyalty/me/notifications", read=read, query=query)


def request(method: str, path: str, body: Any, query: Mapping[str, Any] | None, key: str | None) -> Request[Any]:
    given = {name: str(value) for name, value in (query or {}).items()}
    headers = idempotency_header(key) if method == "POST" else {}
    return Request(method=method, path=path, read=lambda data: data, body=body, query=given, headers=headers)


def _as(of: type[T]) -> Callable[[Any], T]:
    return lambda data: msgspec.convert(data, of)


def _page(name: str, of: type[T]) -> Callable[[Any], Page[T]]:
    def read(data: Any) -> Page[T]:
        return Page([msgspec.convert(value, of) for value in data[name]], data.get("cursor"))

    return read


def _part(text: str) -> str:
    if text == "schema":  # what /v1/profiles/schema is: encoded, it is the user of that name
        return "%73chema"
    return quote(text, safe="")
