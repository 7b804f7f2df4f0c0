"""The rate limits of a caller, which every response reports, even to a request that was refused before it counted."""

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
_NOTHING: Mapping[str, str] = {}
_LIMIT = b"x-ratelimit-limit"


def policy_for(caller: Caller, tier: str, operation: Operation | None = None) -> tuple[Policy | None, str]:
    """Return which limit a caller's requests count against, and whose window of it. None is no limit."""
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


def telling_limits(services: Services, scope: HTTPScope, send: Send) -> Send:
    """Return a `send` that adds the headers to a refusal that has none: 401, 403, 404, 405, 429 and the like."""

    async def send_standing(message: Message) -> None:
        if (
            message["type"] == "http.response.start"
            and message["status"] >= REFUSED_FROM
            and all(name.lower() != _LIMIT for name, _ in message["headers"])
        ):
            given = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
            found = await _standing(services, given)
            message["headers"] = [
                *message["headers"], *((name.lower().encode(), value.encode()) for name, value in found.items())
            ]  # fmt: skip
        await send(message)

    return send_standing


async def _standing(services: Services, headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers for whoever asks; for one who is not known, how it stands with the organisation that they name."""
    try:
        caller = await services.callers.met(headers)
        if caller is None:
            return _NOTHING
        programme = await services.programmes.current_unless_stopped(caller.org_id)
        policy, whose = policy_for(caller, UNLIMITED if programme is None else programme.settings.limits)
        return _NOTHING if policy is None else await services.limits.standing(policy, whose)
    except (PlauditError, *UNREACHABLE, *RETRIABLE):
        return _NOTHING
