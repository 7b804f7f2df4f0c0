"""The clients: `Plaudit` for servers, `PlauditMember` for a member's own calls."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from . import requests
from .models import ActionBatchResult, ActionReceipt
from .operations import MemberOperations, ServerOperations


class Plaudit(ServerOperations):
    """A server's client, with an API secret or a service token in the organisation `org` (an id).

    `timeout` is the limit per try, in seconds; `tries` is the maximum number of tries.
    """

    def __init__(self, url: str, *, org: str, secret: str, timeout: float = 10.0, tries: int = requests.TRIES) -> None:
        super().__init__(url, org, secret, timeout, tries)

    def report(
        self,
        user_id: str,
        action: str,
        data: Mapping[str, Any] | None = None,
        *,
        event_id: str | None = None,
        occurred_at: datetime | None = None,
        wait: float | None = None,
    ) -> ActionReceipt:
        """Report an action. With your own `event_id` it counts once, for ever. `wait`: seconds to wait for the outcome."""
        return self.send(requests.report(user_id, action, data, event_id, occurred_at, wait))

    def report_batch(self, actions: Iterable[Mapping[str, Any]]) -> ActionBatchResult:
        """Report up to 1,000 actions: `userId`, `action`, and optionally `data`, `eventId`, `timestamp`."""
        return self.send(requests.report_batch(actions))


class PlauditMember(MemberOperations):
    """A member's client, with their `token`. `org` is only needed if the token does not name the organisation."""

    def __init__(
        self, url: str, *, token: str, org: str | None = None, timeout: float = 10.0, tries: int = requests.TRIES
    ) -> None:
        super().__init__(url, org, token, timeout, tries)

    def report(self, action: str, data: Mapping[str, Any] | None = None, *, idempotency_key: str | None = None) -> None:
        """Report an action of the member. It is stored durably when this returns, and counts once."""
        self.report_my_action({"action": action, "data": dict(data or {})}, idempotency_key=idempotency_key)
