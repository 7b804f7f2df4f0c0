"""Health checks, metrics, and the server's features."""

import hmac
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.registry import REGISTRY

from plaudit import clock, telemetry
from plaudit.api.http.operations import Call, Operation
from plaudit.api.views.health import Health, HealthWarning
from plaudit.errors import Unauthenticated, Unavailable
from plaudit.reads import health
from plaudit.reads.gauges import current_gauges
from plaudit.storage.postgres import UNREACHABLE, Pool
from plaudit.storage.schema import is_migrated

LAG_MAX = timedelta(seconds=30)
WORKER_SEEN_WITHIN = timedelta(seconds=15)


async def healthz(_: Call) -> Health:
    """Return 200 while the process handles requests."""
    return Health(status="alive")


async def readyz(call: Call) -> Health:
    """Return 200 if the database is reachable, writable and migrated, and workers keep up. Raise Unavailable otherwise.

    `warnings` list problems that do not stop the server yet, so load balancers keep sending requests.
    """
    try:
        async with call.connection() as connection:
            migrated = await is_migrated(connection)
            state = await health.state(connection) if migrated else None
            warnings = await health.warnings(connection) if migrated else []
    except UNREACHABLE:
        raise Unavailable("The database cannot be reached", code="database_unreachable") from None
    if state is None:
        raise Unavailable("The database is not migrated: run plaudit migrate", code="not_migrated")
    if not state.writable:
        raise Unavailable("The database is read-only", code="database_read_only")
    now = clock.now()
    if state.worker_seen_at is None or state.worker_seen_at < now - WORKER_SEEN_WITHIN:
        raise Unavailable("No worker is running: start plaudit worker", code="no_worker")
    if state.oldest_waiting_at is not None and state.oldest_waiting_at < now - LAG_MAX:
        raise Unavailable(f"The workers are more than {LAG_MAX.seconds} seconds behind", code="workers_behind")
    warning_views = [HealthWarning(code=warning.code, message=warning.message) for warning in warnings]
    return Health(status="ready", database="operational", workers=state.workers, warnings=warning_views)


async def all_counters(pool: Pool, headers: Mapping[str, str], token: str, *, by_org: bool) -> tuple[bytes, str]:
    """Return the counters of all processes and the gauges from the database in Prometheus format, with the media type.

    Raise Unauthenticated unless the request has the `token`, if there is one.
    """
    authorization = headers.get("authorization", "")
    if token and not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
        raise Unauthenticated("Authorization must be 'Bearer <PLAUDIT_METRICS_TOKEN>'")
    counters, media = exposition()
    lines: list[str] = []
    with suppress(*UNREACHABLE):
        async with pool.acquire() as connection:
            lines = await current_gauges(connection, by_org=by_org)
    return counters + "".join(line + "\n" for line in lines).encode(), media


def exposition() -> tuple[bytes, str]:
    """Return the counters of all processes of this server, and their media type."""
    if not telemetry.SHARED:
        return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return generate_latest(registry), CONTENT_TYPE_LATEST


OPERATIONS = [
    Operation(
        name="checkLiveness", method="GET", path="/healthz", summary="Check that the process is alive", run=healthz,
        scope=None, tag="System", response=Health, enveloped=False,
    ),
    Operation(
        name="checkReadiness", method="GET", path="/readyz", summary="Check that the server can do its work",
        description="The database is reachable and migrated, and the workers keep up.",
        run=readyz, scope=None, tag="System", enveloped=False,
        response=Health,
    ),
]  # fmt: skip
