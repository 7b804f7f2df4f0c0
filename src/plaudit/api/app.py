"""The application: mounts the operations on Litestar and creates the services that they share."""

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
from plaudit.delivery.live import LiveStreams
from plaudit.documents.kinds import KINDS
from plaudit.engine.aftermath import recover_from_predecessor
from plaudit.engine.inbox import Inbox
from plaudit.guard import in_hand
from plaudit.reads.leaderboards import Leaderboards
from plaudit.runtime import tune_gc, wait_for_shutdown
from plaudit.settings import Settings
from plaudit.storage.postgres import create_pool
from plaudit.storage.programmes import Programmes
from plaudit.tasks import cancel

from . import widget
from .admin import (
    analytics,
    api_keys,
    audit,
    bulk,
    campaign_enrolment,
    campaign_stats,
    campaigns,
    clock,
    code_pools,
    competitions,
    enrolment,
    events,
    exports,
    health,
    ladders,
    ledger,
    merging,
    privacy,
    products,
    profile_schema,
    profiles,
    programme,
    reference,
    rewards,
    rollbacks,
    segments,
    settings,
    simulation,
    streaks,
    transactions,
    verification,
    webhooks,
)
from .admin.document_operations import crud
from .audience import lookup, member
from .first_generation import calls
from .http.cors import AllowedOrigins, handle_preflights
from .http.errors import handle
from .http.methods import options_handlers
from .http.openapi import describe
from .http.operations import Operation, Services, mounted_paths
from .http.pipeline import AnyRequest, handle_request
from .http.rate_limits import RateLimits
from .http.routing import App
from .identity import token_exchange
from .identity.callers import CallerCache
from .identity.jwks import JwksCache
from .identity.tokens import TokenService
from .ingest import actions, cloudevents, segment
from .member import competitions as my_competitions
from .member import history, me, push_subscriptions, stream
from .member import rewards as my_rewards
from .pages import page_handlers

PREFIXES = ("", "/loyalty")
POOL_SIZE = 10
ENGINE_POOL_SIZE = 6

OPERATIONS: Sequence[Operation] = [
    *actions.OPERATIONS,
    *cloudevents.OPERATIONS,
    *segment.OPERATIONS,
    *member.OPERATIONS,
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
    *streaks.OPERATIONS,
    *ladders.OPERATIONS,
    *campaign_enrolment.OPERATIONS,
    *competitions.OPERATIONS,
    *campaign_stats.OPERATIONS,
    *webhooks.OPERATIONS,
    *programme.OPERATIONS,
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
    *calls.OPERATIONS,
    *me.OPERATIONS,
    *my_competitions.OPERATIONS,
    *my_rewards.OPERATIONS,
    *history.OPERATIONS,
    *stream.OPERATIONS,
    *push_subscriptions.OPERATIONS,
    *widget.OPERATIONS,
    *health.OPERATIONS,
]


def create_app(settings_override: Settings | None = None) -> App:
    """Return the ASGI application. Settings come from the environment by default."""
    telemetry.configure_logs()
    chosen = settings_override or Settings.from_environment()
    description = describe(OPERATIONS, chosen.public_url)
    encoded = msgspec.json.encode(description)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        url = chosen.url()
        pool = await create_pool(url, size=POOL_SIZE)
        engine_pool = await create_pool(url, size=ENGINE_POOL_SIZE, by_key=True)
        programmes = Programmes(pool, url)
        boards = Leaderboards(engine_pool)
        streams = LiveStreams(engine_pool, url)
        jwks = JwksCache(private=chosen.private_networks)
        programmes.on_erasure(boards.forget)
        services = Services(
            url=url,
            pool=pool,
            engine_pool=engine_pool,
            programmes=programmes,
            inbox=Inbox(engine_pool),
            callers=CallerCache(pool, TokenService(pool, programmes, jwks, chosen)),
            origins=AllowedOrigins(pool),
            streams=streams,
            private_networks=chosen.private_networks,
            boards=boards,
            limits=RateLimits(pool),
        )
        app.state.services = services
        tune_gc()
        background_tasks = [
            asyncio.create_task(programmes.listen()),
            asyncio.create_task(streams.run()),
            asyncio.create_task(_end_streams(streams)),
        ]
        await recover_from_predecessor(pool)
        background_tasks.append(asyncio.create_task(run_chores([learn_suspects(pool)])))
        in_hand.is_ready()
        try:
            yield
        finally:
            await cancel(background_tasks)
            await jwks.close()
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
        route_handlers=[*options_handlers(handlers), *handlers],
        lifespan=[lifespan],
        middleware=[handle_preflights],
        compression_config=_COMPRESSION,
        exception_handlers={Exception: handle},
        openapi_config=_NO_OPENAPI,
        logging_config=None,
    )


def _metrics(settings: Settings) -> Callable[[AnyRequest], Awaitable[Response[bytes]]]:
    async def metrics(request: AnyRequest) -> Response[bytes]:
        services: Services = request.app.state.services
        body, media = await health.all_counters(
            services.pool, request.headers, settings.metrics_token, by_org=settings.metrics_by_org
        )
        return Response(body, media_type=media)

    return metrics


async def _end_streams(streams: LiveStreams) -> None:
    """End the streams at shutdown: the server waits for open requests, and streams do not end by themselves."""
    await wait_for_shutdown()
    streams.end()


# Streams are not compressed: a compressor would hold back parts that must arrive when they are written.
_STREAMS = "streams"
_COMPRESSION = CompressionConfig(backend="brotli", brotli_quality=4, minimum_size=1_000, exclude_opt_key=_STREAMS)

_NO_OPENAPI: OpenAPIConfig | None = None  # `describe` generates it from the table of operations


def _mounted(operation: Operation) -> HTTPRouteHandler:
    async def handle(request: AnyRequest) -> Response[Any]:
        return await handle_request(operation, request)

    paths = [prefix + path.replace("}", ":str}") for path in mounted_paths(operation) for prefix in PREFIXES]
    return HTTPRouteHandler(
        paths,
        http_method=operation.method,
        status_code=operation.status if operation.status != 204 else 200,
        request_max_body_size=None if operation.streams_request else operation.body_bytes_max + 1,
        opt={"operation": operation.name, _STREAMS: operation.streams_response},
    )(handle)
