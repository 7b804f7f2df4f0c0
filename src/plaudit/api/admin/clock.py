"""The organisation's clock. A test organisation's can be advanced: everything due by then happens immediately."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from plaudit import clock
from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import time_text
from plaudit.api.views.clock import Clock, ClockAdvance
from plaudit.chores.complete_documents import complete_documents
from plaudit.chores.due_members import run_due
from plaudit.chores.settle_competitions import settle_competitions
from plaudit.chores.settle_leagues import next_end, settle_rounds
from plaudit.errors import Conflict, FieldError, Forbidden, invalid_fields
from plaudit.reads.health import waiting
from plaudit.storage import orgs

ADVANCE_MAX = timedelta(days=3_660)
INBOX_SECONDS_MAX = 30.0
ROUNDS_MAX = 400  # the rounds at whose ends a moving clock stops, at most


class ClockAdvanceRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """Advance the clock to an instant, or by a number of seconds."""

    to: Annotated[datetime, Meta(tz=True)] | None = None
    seconds: Annotated[int, Meta(ge=0, le=3_660 * 86_400)] | None = None


async def get_clock(call: Call) -> Clock:
    """Return what time it is."""
    programme = await call.programme()
    async with call.connection() as connection:
        org = await orgs.find_org(connection, call.org_id)
    assert org is not None
    offset = round(programme.clock.offset.total_seconds())
    return Clock(now=time_text(programme.now()), offset_seconds=offset, test=org.is_test)


async def advance_clock(call: Call) -> ClockAdvance:
    """Move the clock once all queued events are decided, then run what is due."""
    body: ClockAdvanceRequest = call.body
    services = call.services
    programme = await call.programme()
    if (body.to is None) == (body.seconds is None):
        raise invalid_fields([FieldError("", "must have exactly one of to and seconds")])
    by = timedelta(seconds=body.seconds or 0) if body.to is None else body.to - programme.now()
    if not timedelta(0) <= by <= ADVANCE_MAX:
        raise invalid_fields([FieldError("to", "must be between now and ten years from now: a clock cannot go back")])
    async with services.pool.acquire() as connection:
        org = await orgs.find_org(connection, call.org_id)
    if org is None or not org.is_test:
        raise Forbidden("Only a test organisation's clock can be moved (plaudit org create --test)", code="not_a_test")
    await _until_decided(call)
    timers, until = 0, programme.now() + by
    for _ in range(ROUNDS_MAX):  # of leagues, one by one: a member who moves plays the next round in another division
        async with services.pool.acquire() as connection:
            end = await next_end(connection, await call.programme())
        if end is None or end >= until:
            break
        timers += await _move(call, end)
    timers += await _move(call, until)
    if await settle_competitions(services.engine_pool, services.programmes):
        await _until_decided(call)
    await complete_documents(services.engine_pool)
    programme = await call.programme()
    offset = round(programme.clock.offset.total_seconds())
    return ClockAdvance(now=time_text(programme.now()), offset_seconds=offset, timers=timers)


async def _move(call: Call, until: datetime) -> int:
    """Move the clock to an instant, run what is due, and settle finished rounds. Return the number of timers."""
    services = call.services
    by = until - (await call.programme()).now()
    async with services.pool.acquire() as connection:
        await orgs.advance_clock(connection, call.org_id, max(by, timedelta(0)), clock.now())
    programme = await services.programmes.refresh(call.org_id)
    timers = await run_due(services.engine_pool, programme.compiled, call.org_id, programme.now())
    settled = 1
    while settled:
        async with services.engine_pool.acquire() as connection:
            settled = await settle_rounds(connection, services.programmes, call.org_id)
        await _until_decided(call)  # including prizes that a worker has queued
    return timers


async def _until_decided(call: Call) -> None:
    """Wait until the inbox is empty, so events reported before the clock is moved are decided before it."""
    if call.decide_queued is not None:
        await call.decide_queued()
    deadline = clock.now() + timedelta(seconds=INBOX_SECONDS_MAX)
    async with call.connection() as connection:
        while await waiting(connection, call.org_id):
            if clock.now() > deadline:
                raise Conflict(
                    "The clock was not moved: actions are queued and no worker is processing them", code="inbox_busy"
                )
            await asyncio.sleep(0.02)


OPERATIONS = [
    Operation(
        name="getClock", method="GET", path="/v1/clock", summary="Get the organisation's clock", run=get_clock,
        scope="admin:read", tag="Clock", response=Clock, errors=(400,),
    ),
    Operation(
        name="advanceClock", method="POST", path="/v1/clock/advance", run=advance_clock, scope="admin:write",
        tag="Clock", body=ClockAdvanceRequest, summary="Advance a test organisation's clock",
        description="Test organisations only. Everything due until then happens before the response.",
        response=ClockAdvance, errors=(400, 403, 409, 413),
    ),
]  # fmt: skip
