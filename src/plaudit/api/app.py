"""The application: the operations mounted on Litestar, with what the process has for them. Nothing else."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Response
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig

from plaudit.delivery.live import Streams
from plaudit.documents.kinds import KINDS
from plaudit.engine.inbox import Inbox
from plaudit.processes import asked_to_stop, calm_garbage_collector
from plaudit.reads.boards import Boards
from plaudit.settings import Settings
from plaudit.storage.postgres import create_pool
from plaudit.storage.programs import Programs

from . import actions, doors, system, token_exchange, widget
from .answering import AnyRequest, answer
from .audience import lookup, own
from .auth import Callers
from .cors import Origins, answering_preflights
from .crud import crud
from .errors import handle
from .jwks import PublishedKeys
from .loyalty import first, me, push, stream
from .openapi import describe
from .operations import Operation, Services, paths_of
from .rate_limits import RateLimits
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
    ledger,
    mechanics,
    participation,
    privacy,
    products,
    profile_schema,
    profiles,
    reference,
    rewards,
    segments,
    settings,
    simulation,
    transactions,
    webhooks,
)  # fmt: skip

PREFIXES = ("", "/loyalty")
POOL_SIZE = 10
ENGINE_POOL_SIZE = 6

OPERATIONS: Sequence[Operation] = [
    *actions.OPERATIONS,
    *doors.OPERATIONS,
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
    *events.OPERATIONS,
    *clock.OPERATIONS,
    *segments.OPERATIONS,
    *mechanics.OPERATIONS,
    *competitions.OPERATIONS,
    *participation.OPERATIONS,
    *webhooks.OPERATIONS,
    *config.OPERATIONS,
    *simulation.OPERATIONS,
    *bulk.OPERATIONS,
    *analytics.OPERATIONS,
    *api_keys.OPERATIONS,
    *audit.OPERATIONS,
    *reference.OPERATIONS,
    *settings.OPERATIONS,
    *token_exchange.OPERATIONS,
    *first.OPERATIONS,
    *me.OPERATIONS,
    *stream.OPERATIONS,
    *push.OPERATIONS,
    *widget.OPERATIONS,
    *system.OPERATIONS,
]


def create_app(given: Settings | None = None) -> Litestar:
    """The ASGI application. Settings come from the environment unless given."""
    chosen = given or Settings.from_environment()
    description = msgspec.json.encode(describe(OPERATIONS))

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
        chores = [
            asyncio.create_task(programs.listen()),
            asyncio.create_task(streams.run()),
            asyncio.create_task(_end_streams(streams)),
        ]
        try:
            yield
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            await published.close()
            await pool.close()
            await engine_pool.close()

    async def openapi() -> Response[bytes]:
        return Response(description, media_type=MediaType.JSON)

    async def metrics(request: AnyRequest) -> Response[bytes]:
        body, media = await system.all_counters(request.app.state.services.pool)
        return Response(body, media_type=media)

    return Litestar(
        route_handlers=[
            *(_mounted(operation) for operation in OPERATIONS),
            HTTPRouteHandler("/openapi.json", http_method="GET")(openapi),
            HTTPRouteHandler("/metrics", http_method="GET")(metrics),
        ],
        lifespan=[lifespan],
        middleware=[answering_preflights],
        exception_handlers={Exception: handle},
        openapi_config=_NO_OPENAPI,
        logging_config=None,
    )


async def _end_streams(streams: Streams) -> None:
    """A server that stops waits for its requests, and streams have no end of their own."""
    await asked_to_stop()
    streams.end()


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
        opt={"operation": operation.name},
    )(answered)
