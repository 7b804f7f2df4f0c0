"""How a request is answered, whatever the call: who asks, may they still, has it been asked before; then the call.

secret and scope ──► rate limit ──► Idempotency-Key ──► decode ──► the call ──► envelope, headers
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from litestar import MediaType, Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.response import Stream

from plaudit import clock, telemetry, tracing
from plaudit.documents.kinds import KINDS

from . import cors, idempotency, rate_limits
from .auth import Caller
from .envelopes import Envelope, envelope_of, repeated, success
from .errors import answer_to
from .operations import Answer, Call, Operation, Services, decode_body
from .rate_limits import Policy, headers_of

AnyRequest = Request[Any, Any, State]

READ_AWAY_BYTES_MAX = 1 << 16
READ_AWAY_SECONDS = 2.0

CORRELATION = "X-Correlation-ID"
CORRELATION_MAX = 128

ACTIONS = "/api/audience/internal/actions"
_DOCUMENT_TYPES = [kind.type for kind in KINDS.values()]


async def answer(operation: Operation, request: AnyRequest) -> Response[Any]:
    """The answer to a request, whatever happens."""
    correlation_id = _correlation_id(request.headers)
    started = tracing.now()
    around: dict[str, str] = {CORRELATION: correlation_id}
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
        try:
            response = await _answered(operation, request, correlation_id, around)
            read = operation.body is not None
        except Exception as error:
            response = answer_to(error, request.url.path, request.headers.get("accept", ""))
            read = False
        if not read and not operation.streamed:
            await _read_away(request)
    for name, value in around.items():
        response.headers.setdefault(name, value)
    if tracing.ENABLED:
        name, status = f"{operation.method} {operation.path}", response.status_code or 200
        tracing.record(name, correlation_id, started, "server", **{"http.response.status_code": status})
    return response


async def _read_away(request: AnyRequest) -> None:
    """Read what a request brought that nobody has looked at, most likely because it was refused, if it is little.

    A connection with something unread on it is closed after the answer, and the next request on it is lost.
    """
    length = request.headers.get("content-length", "0")
    if length.isdigit() and 0 < int(length[:9]) <= READ_AWAY_BYTES_MAX:
        with suppress(TimeoutError, HTTPException):
            async with asyncio.timeout(READ_AWAY_SECONDS):
                await request.body()


async def _answered(
    operation: Operation, request: AnyRequest, correlation_id: str, around: dict[str, str]
) -> Response[Any]:
    services: Services = request.app.state.services
    headers = request.headers
    origin = headers.get("origin")
    if origin is not None:  # until it is known whose call it is, so that the page can see why it failed
        around.update(cors.headers_for(origin, await services.origins.all()))
    caller = None
    if not operation.is_open:
        caller = await services.callers.authenticate(
            headers, scope=operation.scope, member=operation.member, anonymous=operation.anonymous
        )
        settings = (await services.programs.live(caller.org_id)).settings
        if origin is not None:
            around.pop(cors.ALLOWED, None)
            around.update(cors.headers_for(origin, settings.cors.origins))
        around.update(await _spent(services, operation, caller, settings.limits))
        if caller.user_id is not None:
            around["Cache-Control"] = "private, no-store"  # unless the call knows better
    raw = await request.body() if operation.body is not None and not operation.streamed else b""
    once = None
    if operation.method == "POST" and operation.path != ACTIONS and not operation.streamed:
        once = idempotency.key_in(headers.get("idempotency-key"))
    call = Call(
        services=services,
        caller=caller,
        path=request.path_params,
        query=request.query_params,
        headers=headers,
        raw=raw,
        once=once,
        correlation_id=correlation_id,
        stream=request.stream if operation.streamed else None,
    )
    if once is None or caller is None:
        return await _run(operation, call, request.url.path)
    key = once if caller.user_id is None else f"{caller.member_id}\n{once}"  # members know nothing of each other's
    org_id = caller.org_id
    kept = await idempotency.begin(services.pool, org_id, key, f"{operation.name} {request.url.path}", raw)
    if kept is not None:
        again = Response(repeated(kept.content), status_code=kept.status, media_type=MediaType.JSON)
        again.headers["Idempotent-Replayed"] = "true"
        return again
    try:
        response = await _run(operation, call, request.url.path)
    except Exception as error:
        response = answer_to(error, request.url.path, headers.get("accept", ""))
    except BaseException:  # the client has gone: the key is free for its next try
        await idempotency.finish(services.pool, org_id, key, 500, b"")
        raise
    await idempotency.finish(services.pool, org_id, key, response.status_code or 200, response.content)
    return response


async def _run(operation: Operation, call: Call, path: str) -> Response[Any]:
    if operation.body is not None and operation.media == "application/json":
        call.body = decode_body(call.raw, _decoded_as(operation), operation.body_bytes_max)
    result = await operation.run(call)
    given = result if isinstance(result, Answer) else Answer(data=result, status=operation.status)
    telemetry.requests_answered.labels(given.status).inc()
    if given.status == 204:
        return Response(b"", status_code=204, headers=given.headers)
    if given.parts is not None:
        return Stream(given.parts, status_code=given.status, media_type=given.media, headers=given.headers)
    if given.content is not None:
        return Response(given.content, status_code=given.status, media_type=given.media, headers=given.headers)
    envelope = envelope_of(path) if operation.enveloped and given.enveloped else Envelope.bare
    content = success(given.data, envelope)
    return Response(content, status_code=given.status, media_type=MediaType.JSON, headers=given.headers)


def _decoded_as(operation: Operation) -> Any:
    """Documents are decoded by their store, which knows the dialects."""
    return operation.body if operation.body not in _DOCUMENT_TYPES else None


async def _spent(services: Services, operation: Operation, caller: Caller, tier: str) -> Mapping[str, str]:
    """One request of the organisation's limits. Answers the headers."""
    policy, whose = _policy(operation, caller, tier)
    if policy is None:
        return headers_of(None, 0, 0, clock.now().timestamp())
    return await services.limits.spend(policy, whose)


def _policy(operation: Operation, caller: Caller, tier: str) -> tuple[Policy | None, str]:
    if tier == "unlimited":
        return None, ""
    if caller.user_id is not None:
        return rate_limits.MEMBER, str(caller.member_id)
    if caller.key_id is None:
        return rate_limits.ANYBODY, str(caller.org_id)
    if operation.scope == "actions:write":
        return rate_limits.INGESTION, str(caller.org_id)
    if operation.path.startswith("/api/audience"):
        return rate_limits.AUDIENCE, str(caller.key_id)
    return rate_limits.ADMIN[tier], str(caller.org_id)


def _correlation_id(headers: Mapping[str, str]) -> str:
    """The client's own, the trace's of W3C Trace Context, or a new one."""
    given = headers.get("x-correlation-id") or headers.get("x-request-id")
    if given and len(given) <= CORRELATION_MAX and given.isascii() and given.isprintable():
        return given
    parts = headers.get("traceparent", "").split("-")
    if len(parts) == 4 and len(parts[1]) == 32:
        return parts[1]
    return clock.new_id().hex
