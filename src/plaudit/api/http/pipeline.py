"""How every request is processed: authentication, rate limit, idempotency, and then the operation.

credentials and scope ──► rate limit ──► Idempotency-Key ──► decode ──► operation ──► envelope, headers
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec
import structlog
from litestar import MediaType, Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.response import Stream
from msgspec import structs

from plaudit import bounds, telemetry, tracing
from plaudit.api.dry_runs import run_dry
from plaudit.api.identity.callers import Caller
from plaudit.api.named_members import name_campaigns, name_members
from plaudit.api.views.documents import DocumentBody
from plaudit.api.views.standing import policy_for
from plaudit.documents.settings import Settings
from plaudit.errors import FieldError, RateLimited, TooSlow, invalid_fields

from . import cors, idempotency
from .bodies import body_of, paced
from .content_encoding import decompressed, decompressed_stream
from .correlation import CORRELATION, correlation_id_in
from .envelopes import Envelope, envelope_of, mark_replayed, success
from .errors import error_response
from .operations import Call, Operation, OperationResult, Schema, Services, decode_body, is_of_the_beta
from .parameters import check_named, check_query, wants_dry_run
from .routing import decoded

log = structlog.get_logger(__name__)

AnyRequest = Request[Any, Any, State]

DRAIN_BYTES_MAX = 1 << 16
DRAIN_SECONDS = 2.0

ACTIONS = "/api/audience/internal/actions"


async def handle_request(operation: Operation, request: AnyRequest) -> Response[Any]:
    """Return the response to a request, whatever happens."""
    correlation_id = correlation_id_in(request.headers)
    started = tracing.now()
    response_headers: dict[str, str] = {CORRELATION: correlation_id}
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
        try:
            response = await _respond(operation, request, correlation_id, response_headers)
            read = operation.body is not None
        except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):
            raise  # the client has gone, or the process ends
        except BaseException as error:  # extension modules can raise a BaseException
            response = error_response(error, request.url.path, request.headers.get("accept", ""), route=operation.path)
            read = isinstance(error, TooSlow)  # the rest would only arrive slowly
        if not read and not operation.streams_request:
            await _drain_body(request)
    for name, value in response_headers.items():
        response.headers.setdefault(name, value)
    if tracing.ENABLED:
        name, status = f"{operation.method} {operation.path}", response.status_code or 200
        tracing.record(name, correlation_id, started, "server", **{"http.response.status_code": status})
    return response


async def _drain_body(request: AnyRequest) -> None:
    """Read a small body that was not used, usually because the request was refused.

    The server closes a connection with unread data after the response, and the next request on it would be lost.
    """
    length = request.headers.get("content-length", "0")
    if length.isdigit() and 0 < int(length[:9]) <= DRAIN_BYTES_MAX:
        with suppress(TimeoutError, HTTPException):
            async with asyncio.timeout(DRAIN_SECONDS):
                await request.body()


async def _respond(
    operation: Operation, request: AnyRequest, correlation_id: str, response_headers: dict[str, str]
) -> Response[Any]:
    services: Services = request.app.state.services
    headers = request.headers
    caller = await _authenticate(services, operation, headers, response_headers)
    raw, streamed, encoding = b"", None, headers.get("content-encoding")
    if operation.streams_request:
        streamed = decompressed_stream(paced(request.stream()), encoding)
    elif operation.body is not None:
        raw = decompressed(await body_of(request), encoding, operation.body_bytes_max)
    idempotency_key = None
    if operation.method == "POST" and operation.path != ACTIONS and not operation.streams_request:
        idempotency_key = idempotency.key_in(headers.get("idempotency-key"))
    path, query = _parameters_of(request)
    check_query(operation, list(request.query_params.multi_items()))
    dry_run = wants_dry_run(operation, query)
    call = Call(
        services=services,
        caller=caller,
        path=path,
        query=query,
        headers=headers,
        raw=raw,
        idempotency_key=idempotency_key,
        correlation_id=correlation_id,
        stream=streamed,
    )
    if idempotency_key is None or caller is None or dry_run:
        return await _run(operation, call, request.url.path, dry_run=dry_run)
    # Each member has keys of their own.
    key = idempotency_key if caller.user_id is None else f"{caller.member_id}\n{idempotency_key}"
    org_id = caller.org_id
    caller_name = idempotency.name_of(caller)
    stored = await idempotency.begin(
        services.pool, org_id, key, f"{operation.method} {request.url.path}", raw, caller_name
    )
    if stored is not None:
        replay = Response(mark_replayed(stored.content), status_code=stored.status, media_type=MediaType.JSON)
        replay.headers["Idempotent-Replayed"] = "true"
        return replay
    try:
        response = await _run(operation, call, request.url.path)
    except Exception as error:
        response = error_response(error, request.url.path, headers.get("accept", ""), route=operation.path)
    except BaseException:  # the client has gone: free the key for a retry
        await idempotency.finish(services.pool, org_id, key, 500, b"")
        raise
    status, content, created_id = response.status_code or 200, response.content, None
    if operation.shown_once is not None and status < idempotency.REFUSED_FROM:
        created_id, content = msgspec.json.decode(content)["data"][operation.shown_once], None
    await idempotency.finish(services.pool, org_id, key, status, content, caller=caller_name, made=created_id)
    return response


async def _authenticate(
    services: Services, operation: Operation, headers: Mapping[str, str], response_headers: dict[str, str]
) -> Caller | None:
    """Return the caller, or None for an open operation. Add CORS and rate limit headers, even before raising."""
    origin = headers.get("origin")
    if origin is not None:  # so that the page can read errors that occur before the organisation is known
        response_headers.update(cors.headers_for(origin, await services.origins.all()))
    if operation.is_open:
        return None
    caller = await services.callers.authenticate(
        headers, scope=operation.scope, member=operation.member, anonymous=operation.anonymous
    )
    programme = await services.programmes.current_unless_stopped(caller.org_id)
    settings = programme.settings if programme is not None else Settings(name="Settings")
    if origin is not None:
        response_headers.pop(cors.ALLOWED, None)
        response_headers.update(cors.headers_for(origin, settings.cors.origins))
    policy, owner = policy_for(caller, settings.limits, operation)
    if policy is not None:
        try:
            response_headers.update(await services.limits.spend(policy, owner))
        except RateLimited:
            response_headers.update(await services.limits.standing(policy, owner))
            raise
    if caller.user_id is not None:
        response_headers["Cache-Control"] = "private, no-store"  # an operation may set its own
    return caller


def _parameters_of(request: AnyRequest) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the path and query parameters. Raise Invalid for names and values that are not valid text."""
    path, query = decoded(request.path_params), request.query_params
    wrong = [
        FieldError(name, message)
        for mapping in (path, query)
        for name, value in mapping.items()
        if (message := bounds.wrong_text(value) or bounds.wrong_text(name)) is not None
    ]
    if wrong:
        raise invalid_fields(wrong)
    return path, query


async def _run(operation: Operation, call: Call, path: str, *, dry_run: bool = False) -> Response[Any]:
    if operation.body is not None and operation.media == "application/json":
        call.body = decode_body(call.raw, _body_type(operation), operation.body_bytes_max)
    if call.caller is not None:
        await name_campaigns(call)
        await check_named(operation, call)
    if dry_run and operation.tries_by_job:
        call.body = structs.replace(call.body, dry_run=True)
    elif dry_run:
        result = await run_dry(operation, call)
        envelope = envelope_of(path) if result.enveloped or is_of_the_beta(path) else Envelope.bare
        telemetry.requests_total.labels(200).inc()
        content = success(result.data, envelope, {"dryRun": result.follows})
        return Response(content, status_code=200, media_type=MediaType.JSON)
    await name_members(operation, call)
    returned = await operation.run(call)
    result = (
        returned if isinstance(returned, OperationResult) else OperationResult(data=returned, status=operation.status)
    )
    telemetry.requests_total.labels(result.status).inc()
    if result.status == 204:
        return Response(b"", status_code=204, headers=result.headers)
    if result.parts is not None:
        return Stream(
            _parts_until_failure(result.parts, operation, whole=result.whole),
            status_code=result.status,
            media_type=result.media,
            headers=result.headers,
        )
    if result.content is not None:
        return Response(result.content, status_code=result.status, media_type=result.media, headers=result.headers)
    enveloped = (operation.enveloped and result.enveloped) or is_of_the_beta(path)
    envelope = envelope_of(path) if enveloped else Envelope.bare
    content = success(result.data, envelope)
    return Response(content, status_code=result.status, media_type=MediaType.JSON, headers=result.headers)


async def _parts_until_failure(
    parts: AsyncIterator[bytes], operation: Operation, *, whole: bool
) -> AsyncIterator[bytes]:
    """Yield the parts of a streamed response. After an error, end it normally, and the client resumes.

    The error is logged here and not raised, because the HTTP server would log it with values. A `whole` response breaks
    the connection instead of ending, so that the client notices that parts are missing.
    """
    try:
        async for part in parts:
            yield part
    except Exception:
        log.exception("response_broken_off", route=operation.path)
        if whole:
            raise ConnectionAbortedError from None


def _body_type(operation: Operation) -> Schema:
    """Return the type to decode the body into; None for documents, which are decoded with their dialects later."""
    return None if _is_document(operation.body) else operation.body


def _is_document(body: Any) -> bool:
    return isinstance(body, type) and issubclass(body, DocumentBody)
