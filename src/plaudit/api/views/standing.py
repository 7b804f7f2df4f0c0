"""Rate limit headers. Every response has them, even if the request was refused before it was counted."""

from collections.abc import Mapping

from litestar.types import HTTPScope, Message, Send

from plaudit.api.http import rate_limits
from plaudit.api.http.operations import Operation, Services
from plaudit.api.http.rate_limits import Policy
from plaudit.api.identity.callers import Caller
from plaudit.errors import PlauditError
from plaudit.storage.postgres import RETRIABLE, UNREACHABLE

UNLIMITED = "unlimited"
REFUSED_FROM = 400
_NO_HEADERS: Mapping[str, str] = {}
_LIMIT = b"x-ratelimit-limit"


def policy_for(caller: Caller, tier: str, operation: Operation | None = None) -> tuple[Policy | None, str]:
    """Return the policy that a caller's requests count against, and the owner of the window. None means no limit."""
    if tier == UNLIMITED:
        return None, ""
    if caller.user_id is not None:
        return rate_limits.MEMBER, str(caller.member_id)
    if caller.key_id is None:
        return rate_limits.ANONYMOUS, str(caller.org_id)
    if operation is not None and operation.scope == "actions:write":
        return rate_limits.INGESTION, str(caller.org_id)
    if operation is not None and operation.path.startswith("/api/audience"):
        return rate_limits.AUDIENCE, str(caller.key_id)
    return rate_limits.ADMIN[tier], str(caller.org_id)


def with_rate_limit_headers(services: Services, scope: HTTPScope, send: Send) -> Send:
    """Return a `send` that adds the headers to error responses without them, such as 401, 403, 404 and 405."""

    async def send_with_headers(message: Message) -> None:
        if (
            message["type"] == "http.response.start"
            and message["status"] >= REFUSED_FROM
            and all(name.lower() != _LIMIT for name, _ in message["headers"])
        ):
            request_headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
            limits = await _standing(services, request_headers)
            message["headers"] = [
                *message["headers"], *((name.lower().encode(), value.encode()) for name, value in limits.items())
            ]  # fmt: skip
        await send(message)

    return send_with_headers


async def _standing(services: Services, headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers for the caller; if they are unknown, those for the organisation that the request names."""
    try:
        caller = await services.callers.identify(headers)
        if caller is None:
            return _NO_HEADERS
        programme = await services.programmes.current_unless_stopped(caller.org_id)
        policy, owner = policy_for(caller, UNLIMITED if programme is None else programme.settings.limits)
        return _NO_HEADERS if policy is None else await services.limits.standing(policy, owner)
    except (PlauditError, *UNREACHABLE, *RETRIABLE):
        return _NO_HEADERS
