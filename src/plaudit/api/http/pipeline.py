"""How every request is processed: who calls, may they, was the request made before; then the operation.

secret and scope ──► rate limit ──► Idempotency-Key ──► decode ──► the call ──► envelope, headers
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
from plaudit.api.dry_runs import try_out
from plaudit.api.identity.callers import Caller
from plaudit.api.people import name_campaigns, name_people
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
    around: dict[str, str] = {CORRELATION: correlation_id}
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
        try:
            response = await _respond(operation, request, correlation_id, around)
            read = operation.body is not None
        except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):
            raise  # nobody waits for the response
        except BaseException as error:  # libraries in other languages raise what is no Exception
            response = error_response(error, request.url.path, request.headers.get("accept", ""), route=operation.path)
            read = isinstance(error, TooSlow)  # of which more would only come slowly
        if not read and not operation.streams_request:
            await _drain_body(request)
    for name, value in around.items():
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
    operation: Operation, request: AnyRequest, correlation_id: str, around: dict[str, str]
) -> Response[Any]:
    services: Services = request.app.state.services
    headers = request.headers
    caller = await _admitted(services, operation, headers, around)
    raw, streamed, encoding = b"", None, headers.get("content-encoding")
    if operation.streams_request:
        streamed = decompressed_stream(paced(request.stream()), encoding)
    elif operation.body is not None:
        raw = decompressed(await body_of(request), encoding, operation.body_bytes_max)
    once = None
    if operation.method == "POST" and operation.path != ACTIONS and not operation.streams_request:
        once = idempotency.key_in(headers.get("idempotency-key"))
    path, query = _named(request)
    check_query(operation, list(request.query_params.multi_items()))
    dry_run = wants_dry_run(operation, query)
    call = Call(
        services=services,
        caller=caller,
        path=path,
        query=query,
        headers=headers,
        raw=raw,
        idempotency_key=once,
        correlation_id=correlation_id,
        stream=streamed,
    )
    if once is None or caller is None or dry_run:
        return await _run(operation, call, request.url.path, dry_run=dry_run)
    key = once if caller.user_id is None else f"{caller.member_id}\n{once}"  # members know nothing of each other's
    org_id = caller.org_id
    by = idempotency.name_of(caller)
    kept = await idempotency.begin(services.pool, org_id, key, f"{operation.method} {request.url.path}", raw, by)
    if kept is not None:
        again = Response(mark_replayed(kept.content), status_code=kept.status, media_type=MediaType.JSON)
        again.headers["Idempotent-Replayed"] = "true"
        return again
    try:
        response = await _run(operation, call, request.url.path)
    except Exception as error:
        response = error_response(error, request.url.path, headers.get("accept", ""), route=operation.path)
    except BaseException:  # the client has gone: the key is free for its next try
        await idempotency.finish(services.pool, org_id, key, 500, b"")
        raise
    status, content, made = response.status_code or 200, response.content, None
    if operation.shown_once is not None and status < idempotency.REFUSED_FROM:
        made, content = msgspec.json.decode(content)["data"][operation.shown_once], None
    await idempotency.finish(services.pool, org_id, key, status, content, caller=by, made=made)
    return response


async def _admitted(
    services: Services, operation: Operation, headers: Mapping[str, str], around: dict[str, str]
) -> Caller | None:
    """Return the caller, if the operation needs one. Put the rate limit's headers into `around`, even on a refusal."""
    origin = headers.get("origin")
    if origin is not None:  # until it is known whose call it is, so that the page can see why it failed
        around.update(cors.headers_for(origin, await services.origins.all()))
    if operation.is_open:
        return None
    caller = await services.callers.authenticate(
        headers, scope=operation.scope, member=operation.member, anonymous=operation.anonymous
    )
    programme = await services.programmes.current_unless_stopped(caller.org_id)
    settings = programme.settings if programme is not None else Settings(name="Settings")
    if origin is not None:
        around.pop(cors.ALLOWED, None)
        around.update(cors.headers_for(origin, settings.cors.origins))
    policy, whose = policy_for(caller, settings.limits, operation)
    if policy is not None:
        try:
            around.update(await services.limits.spend(policy, whose))
        except RateLimited:
            around.update(await services.limits.standing(policy, whose))
            raise
    if caller.user_id is not None:
        around["Cache-Control"] = "private, no-store"  # unless the call knows better
    return caller


def _named(request: AnyRequest) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the parameters of the path and of the query. Raise Invalid for values that are not text."""
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
        call.body = decode_body(call.raw, _decoded_as(operation), operation.body_bytes_max)
    if call.caller is not None:
        await name_campaigns(call)
        await check_named(operation, call)
    if dry_run and operation.tries_by_job:
        call.body = structs.replace(call.body, dry_run=True)
    elif dry_run:
        tried = await try_out(operation, call)
        envelope = envelope_of(path) if tried.enveloped or is_of_the_beta(path) else Envelope.bare
        telemetry.requests_total.labels(200).inc()
        content = success(tried.data, envelope, {"dryRun": tried.follows})
        return Response(content, status_code=200, media_type=MediaType.JSON)
    await name_people(operation, call)
    result = await operation.run(call)
    given = result if isinstance(result, OperationResult) else OperationResult(data=result, status=operation.status)
    telemetry.requests_total.labels(given.status).inc()
    if given.status == 204:
        return Response(b"", status_code=204, headers=given.headers)
    if given.parts is not None:
        return Stream(
            _until_failure(given.parts, operation, whole=given.whole),
            status_code=given.status,
            media_type=given.media,
            headers=given.headers,
        )
    if given.content is not None:
        return Response(given.content, status_code=given.status, media_type=given.media, headers=given.headers)
    enveloped = (operation.enveloped and given.enveloped) or is_of_the_beta(path)
    envelope = envelope_of(path) if enveloped else Envelope.bare
    content = success(given.data, envelope)
    return Response(content, status_code=given.status, media_type=MediaType.JSON, headers=given.headers)


async def _until_failure(parts: AsyncIterator[bytes], operation: Operation, *, whole: bool) -> AsyncIterator[bytes]:
    """Yield the parts of a streamed response, and end it if it fails: the client resumes.

    The error is not raised, because the server's own log would show values. A `whole` response is not ended but broken
    off, so that its reader notices that parts are missing.
    """
    try:
        async for part in parts:
            yield part
    except Exception:
        log.exception("response_broken_off", route=operation.path)
        if whole:
            raise ConnectionAbortedError from None


def _decoded_as(operation: Operation) -> Schema:
    """Documents are decoded by their store, which knows the dialects."""
    return None if _is_document(operation.body) else operation.body


def _is_document(body: Any) -> bool:
    return isinstance(body, type) and issubclass(body, DocumentBody)
