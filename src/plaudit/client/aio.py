"""The client for asyncio."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Self, TypeVar

import httpx

from . import calls
from .answers import Accepted, BatchResult, Member, Notification, Page, Redeemed, Transaction
from .calls import PlauditError, Request

T = TypeVar("T")


class AsyncPlaudit:
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
        self._http = httpx.AsyncClient(base_url=url.rstrip("/"), headers=headers, timeout=timeout)
        self._tries = tries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def send(self, request: Request[T]) -> T:
        """Send a call, again if need be, and read its answer. Raises PlauditError."""
        for attempt in range(1, self._tries + 1):
            retry_after = None
            try:
                answer = await self._http.request(
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
            await asyncio.sleep(calls.retry_delay(attempt, retry_after))
        raise AssertionError("unreachable")

    async def report(
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
        return await self.send(calls.report(user_id, action, data, event_id, occurred_at, wait))

    async def report_many(self, actions: Iterable[Mapping[str, Any]]) -> BatchResult:
        """Report up to 1,000 actions at once: `userId`, `action`, and optionally `data`, `eventId`, `timestamp`."""
        return await self.send(calls.report_many(actions))

    async def member(self, user_id: str) -> Member:
        """A member. Raises PlauditError with status 404 when there is none."""
        return await self.send(calls.member(user_id))

    async def update_member(self, user_id: str, fields: Mapping[str, Any], *, key: str | None = None) -> Member:
        """Change these fields of a profile; None takes one away."""
        return await self.send(calls.update_member(user_id, fields, key))

    async def enroll(self, user_id: str, profile: Mapping[str, Any], *, key: str | None = None) -> dict[str, Any]:
        """Enrol a member with a profile and a welcome bonus."""
        return await self.send(calls.enroll(user_id, profile, key))

    async def credit(
        self, user_id: str, metric: str, amount: float, reason: str | None = None, *, key: str | None = None
    ) -> Transaction:
        """Credit (or, when negative, debit) a metric by hand."""
        return await self.send(calls.credit(user_id, metric, amount, reason, key))

    async def transactions(self, user_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Transaction]:
        """A page of a member's transactions, the newest first."""
        return await self.send(calls.transactions(user_id, limit, cursor))

    async def grant(self, user_id: str, reward_id: str, *, key: str | None = None) -> dict[str, Any]:
        """Grant a reward by hand."""
        return await self.send(calls.grant(user_id, reward_id, key))

    async def redeem(self, user_id: str, product_id: str, quantity: int = 1, *, key: str | None = None) -> Redeemed:
        """Spend what a product costs on it. Raises PlauditError with the reason as `code` when it cannot be had."""
        return await self.send(calls.redeem(user_id, product_id, quantity, key))

    async def explain(self, event_id: str) -> dict[str, Any]:
        """Why an event did what it did, condition by condition."""
        return await self.send(calls.explain(event_id))

    async def me(self) -> Member:
        """The member whose token this client has."""
        return await self.send(calls.me())

    async def my_notifications(self, *, limit: int = 50, cursor: str | None = None) -> Page[Notification]:
        """What the member whose token this client has was told, the newest first."""
        return await self.send(calls.my_notifications(limit, cursor))

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Any:
        """Any other call: the data of its answer, out of the envelope."""
        return await self.send(calls.request(method, path, body, query, key))
