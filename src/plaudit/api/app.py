"""The application: the operations mounted on Litestar, with what the process has for them. Nothing else."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Response
from litestar.config.compression import CompressionConfig
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig

from plaudit import telemetry
from plaudit.chores.chore import run_chores
from plaudit.chores.learn_suspects import learn_suspects
from plaudit.delivery.live import Streams
from plaudit.documents.kinds import KINDS
from plaudit.engine.aftermath import see_to_what_was_left
from plaudit.engine.inbox import Inbox
from plaudit.guard import in_hand
from plaudit.processes import asked_to_stop, calm_garbage_collector
from plaudit.reads.boards import Boards
from plaudit.settings import Settings
from plaudit.storage.postgres import create_pool
from plaudit.storage.programs import Programs
from plaudit.tasks import cancel

from . import actions, doors, system, token_exchange, widget
from .answering import AnyRequest, answer
from .audience import lookup, own
from .auth import Callers
from .cors import Origins, answering_preflights
from .crud import crud
from .errors import handle
from .jwks import PublishedKeys
from .loyalty import first, me, push, stream
from .methods import answering_options
from .openapi import describe
from .operations import Operation, Services, paths_of
from .pages import page_handlers
from .rate_limits import RateLimits
from .routing import App
from .tokens import Tokens
from .v1 import (
    analytics,
    api_keys,
    audit,
    bulk,
    campaigns,
    clock,
    code_pools,
    competitions,
    config,
    enrolment,
    events,
    exports,
    ledger,
    mechanics,
    merging,
    participation,
    privacy,
    products,
    profile_schema,
    profiles,
    reference,
    rewards,
    rollbacks,
    segment_calls,
    segments,
    settings,
    simulation,
    transactions,
    verification,
    webhooks,
)  # fmt: skip

PREFIXES = ("", "/loyalty")
POOL_SIZE = 10
ENGINE_POOL_SIZE = 6

OPERATIONS: Sequence[Operation] = [
    *actions.OPERATIONS,
    *doors.OPERATIONS,
    *segment_calls.OPERATIONS,
    *own.OPERATIONS,
    *lookup.OPERATIONS,
    *(operation for kind in KINDS.values() if kind.collection and kind.name != "rule" for operation in crud(kind)),
    *campaigns.OPERATIONS,
    *products.OPERATIONS,
    *rewards.OPERATIONS,
    *code_pools.OPERATIONS,
    *profile_schema.OPERATIONS,
    *profiles.OPERATIONS,
    *privacy.OPERATIONS,
    *enrolment.OPERATIONS,
    *transactions.OPERATIONS,
    *ledger.OPERATIONS,
    *merging.OPERATIONS,
    *events.OPERATIONS,
    *clock.OPERATIONS,
    *segments.OPERATIONS,
    *mechanics.OPERATIONS,
    *competitions.OPERATIONS,
    *participation.OPERATIONS,
    *webhooks.OPERATIONS,
    *config.OPERATIONS,
    *simulation.OPERATIONS,
    *rollbacks.OPERATIONS,
    *bulk.OPERATIONS,
    *exports.OPERATIONS,
    *analytics.OPERATIONS,
    *api_keys.OPERATIONS,
    *audit.OPERATIONS,
    *reference.OPERATIONS,
    *settings.OPERATIONS,
    *verification.OPERATIONS,
    *token_exchange.OPERATIONS,
    *first.OPERATIONS,
    *me.OPERATIONS,
    *stream.OPERATIONS,
    *push.OPERATIONS,
    *widget.OPERATIONS,
    *system.OPERATIONS,
]


def create_app(given: Settings | None = None) -> App:
    """The ASGI application. Settings come from the environment unless given."""
    telemetry.configure_logs()
    chosen = given or Settings.from_environment()
    description = describe(OPERATIONS, chosen.public_url)
    encoded = msgspec.json.encode(description)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        url = chosen.url()
        pool = await create_pool(url, size=POOL_SIZE)
        engine_pool = await create_pool(url, size=ENGINE_POOL_SIZE, by_key=True)
        programs = Programs(pool, url)
        boards = Boards(engine_pool)
        streams = Streams(engine_pool, url)
        published = PublishedKeys(private=chosen.private_networks)
        programs.on_erasure(boards.forget)
        services = Services(
            url=url,
            pool=pool,
            engine_pool=engine_pool,
            programs=programs,
            inbox=Inbox(engine_pool),
            callers=Callers(pool, Tokens(pool, programs, published, chosen)),
            origins=Origins(pool),
            streams=streams,
            private_networks=chosen.private_networks,
            boards=boards,
            limits=RateLimits(pool),
        )
        app.state.services = services
        calm_garbage_collector()
        others = [
            asyncio.create_task(programs.listen()),
            asyncio.create_task(streams.run()),
            asyncio.create_task(_end_streams(streams)),
        ]
        await see_to_what_was_left(pool)
        others.append(asyncio.create_task(run_chores([learn_suspects(pool)])))
        in_hand.is_ready()
        try:
            yield
        finally:
            await cancel(others)
            await published.close()
            await pool.close()
            await engine_pool.close()

    async def openapi() -> Response[bytes]:
        return Response(encoded, media_type=MediaType.JSON)

    handlers = [
        *(_mounted(operation) for operation in OPERATIONS),
        HTTPRouteHandler([f"{prefix}/openapi.json" for prefix in PREFIXES], http_method="GET")(openapi),
        HTTPRouteHandler("/metrics", http_method="GET")(_metrics(chosen)),
        *page_handlers(description),
    ]
    return App(
        route_handlers=[*answering_options(handlers), *handlers],
        lifespan=[lifespan],
        middleware=[answering_preflights],
        compression_config=_COMPRESSION,
        exception_handlers={Exception: handle},
        openapi_config=_NO_OPENAPI,
        logging_config=None,
    )


def _metrics(settings: Settings) -> Callable[[AnyRequest], Awaitable[Response[bytes]]]:
    async def metrics(request: AnyRequest) -> Response[bytes]:
        services: Services = request.app.state.services
        body, media = await system.all_counters(
            services.pool, request.headers, settings.metrics_token, by_org=settings.metrics_by_org
        )
        return Response(body, media_type=media)

    return metrics


async def _end_streams(streams: Streams) -> None:
    """A server that stops waits for its requests, and streams have no end of their own."""
    await asked_to_stop()
    streams.end()


# Whole responses only: of a stream each part must arrive when it is written, and a compressor would hold it back.
_STREAMS = "streams"
_COMPRESSION = CompressionConfig(backend="brotli", brotli_quality=4, minimum_size=1_000, exclude_opt_key=_STREAMS)

_NO_OPENAPI: OpenAPIConfig | None = None  # ours is made from the table of operations


def _mounted(operation: Operation) -> HTTPRouteHandler:
    async def answered(request: AnyRequest) -> Response[Any]:
        return await answer(operation, request)

    paths = [prefix + path.replace("}", ":str}") for path in paths_of(operation) for prefix in PREFIXES]
    return HTTPRouteHandler(
        paths,
        http_method=operation.method,
        status_code=operation.status if operation.status != 204 else 200,
        request_max_body_size=None if operation.streamed else operation.body_bytes_max + 1,
        opt={"operation": operation.name, _STREAMS: operation.answers_in_parts},
    )(answered)
