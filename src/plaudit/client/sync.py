"""The client, waiting for each answer."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Self, TypeVar

import httpx

from . import calls
from .answers import Accepted, BatchResult, Member, Notification, Page, Redeemed, Transaction
from .calls import PlauditError, Request

T = TypeVar("T")


class Plaudit:
    """A server's client with `secret` (an API secret or a service token), or a member's with `token`.

    `timeout` is of one try, in seconds; `tries` how often in all what may be tried again is.
    """

    def __init__(
        self,
        url: str,
        *,
        org: str | None = None,
        secret: str | None = None,
        token: str | None = None,
        timeout: float = 10.0,
        tries: int = calls.TRIES,
    ) -> None:
        headers = calls.headers_of(org, secret or token)
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout)
        self._tries = tries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def send(self, request: Request[T]) -> T:
        """Send a call, again if need be, and read its answer. Raises PlauditError."""
        for attempt in range(1, self._tries + 1):
            retry_after = None
            try:
                answer = self._http.request(
                    request.method,
                    request.path,
                    params=request.query,
                    content=request.content(),
                    headers=request.headers,
                )
            except httpx.TransportError as error:
                if attempt == self._tries:
                    raise PlauditError(f"The server cannot be reached: {error}", code="unreachable") from error
            else:
                if attempt == self._tries or not calls.is_retryable(answer.status_code, answer.content):
                    return calls.answer_of(request, answer.status_code, answer.content)
                retry_after = answer.headers.get("retry-after")
            time.sleep(calls.retry_delay(attempt, retry_after))
        raise AssertionError("unreachable")

    def report(
        self,
        user_id: str,
        action: str,
        data: Mapping[str, Any] | None = None,
        *,
        event_id: str | None = None,
        occurred_at: datetime | None = None,
        wait: float | None = None,
    ) -> Accepted:
        """Report an action. An `event_id` of your own makes it count once for ever; `wait` seconds for the outcome."""
        return self.send(calls.report(user_id, action, data, event_id, occurred_at, wait))

    def report_many(self, actions: Iterable[Mapping[str, Any]]) -> BatchResult:
        """Report up to 1,000 actions at once: `userId`, `action`, and optionally `data`, `eventId`, `timestamp`."""
        return self.send(calls.report_many(actions))

    def member(self, user_id: str) -> Member:
        """A member. Raises PlauditError with status 404 when there is none."""
        return self.send(calls.member(user_id))

    def update_member(self, user_id: str, fields: Mapping[str, Any], *, key: str | None = None) -> Member:
        """Change these fields of a profile; None takes one away."""
        return self.send(calls.update_member(user_id, fields, key))

    def enroll(self, user_id: str, profile: Mapping[str, Any], *, key: str | None = None) -> dict[str, Any]:
        """Enrol a member with a profile and a welcome bonus."""
        return self.send(calls.enroll(user_id, profile, key))

    def credit(
        self, user_id: str, metric: str, amount: float, reason: str | None = None, *, key: str | None = None
    ) -> Transaction:
        """Credit (or, when negative, debit) a metric by hand."""
        return self.send(calls.credit(user_id, metric, amount, reason, key))

    def transactions(self, user_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Transaction]:
        """A page of a member's transactions, the newest first."""
        return self.send(calls.transactions(user_id, limit, cursor))

    def grant(self, user_id: str, reward_id: str, *, key: str | None = None) -> dict[str, Any]:
        """Grant a reward by hand."""
        return self.send(calls.grant(user_id, reward_id, key))

    def redeem(self, user_id: str, product_id: str, quantity: int = 1, *, key: str | None = None) -> Redeemed:
        """Spend what a product costs on it. Raises PlauditError with the reason as `code` when it cannot be had."""
        return self.send(calls.redeem(user_id, product_id, quantity, key))

    def explain(self, event_id: str) -> dict[str, Any]:
        """Why an event did what it did, condition by condition."""
        return self.send(calls.explain(event_id))

    def me(self) -> Member:
        """The member whose token this client has."""
        return self.send(calls.me())

    def my_notifications(self, *, limit: int = 50, cursor: str | None = None) -> Page[Notification]:
        """What the member whose token this client has was told, the newest first."""
        return self.send(calls.my_notifications(limit, cursor))

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Any:
        """Any other call: the data of its answer, out of the envelope."""
        return self.send(calls.request(method, path, body, query, key))
