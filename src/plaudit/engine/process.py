"""Process a batch: load, decide each event, commit. Workers and inline calls both use it."""

import asyncio
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from itertools import chain
from uuid import UUID

import asyncpg
import msgspec
import structlog

from plaudit import telemetry, tracing
from plaudit.core.decide import decide, run_due_timers
from plaudit.core.decide_one import NOTHING_REFUSED
from plaudit.core.decision import Decision
from plaudit.core.event import TIMER, Event
from plaudit.core.expressions import must_pass
from plaudit.core.member import Member
from plaudit.core.program import Program
from plaudit.guard import in_hand
from plaudit.storage.postgres import Connection, atomic

from .arrival import TICK, Arrival, correlation_id_of, timer_arrival
from .claims import BatchClaims, ClaimRequest
from .commit import commit
from .load import Batch, load
from .processed import ProcessedEvent
from .rows import BatchRows
from .watching import WATCHED

log = structlog.get_logger(__name__)

YIELD_EVERY_EVENTS = 50  # events decided before the process's other tasks may run: one or two milliseconds

DecideLock = AbstractAsyncContextManager[object]
NO_LOCK: DecideLock = nullcontext()


async def process(
    connection: Connection,
    programmes: Mapping[UUID, Program],
    arrivals: Sequence[Arrival],
    decided_at: datetime,
    *,
    skip_duplicate_check: bool = False,
    with_decisions: bool = True,
    decide_lock: DecideLock = NO_LOCK,
) -> list[ProcessedEvent]:
    """Decide a batch of events and commit the results in one transaction.

    Return one `ProcessedEvent` per arrival and per timer that was due before it. Arrivals that another worker took are
    left out. Pass `with_decisions=False` to save memory. An event that makes the core raise is set aside as failed and
    does not affect the others. Raise the database's errors: then nothing was written.

    With `skip_duplicate_check`, the log is not queried for duplicates, as the inbox has done that. A duplicate that is
    in the log nevertheless raises (see `is_duplicate`). `decide_lock` is held while deciding, by the lanes of a process
    (docs/decisions/0022).
    """
    started = tracing.now()
    async with atomic(connection):
        batch = await load(connection, programmes, arrivals, unseen=skip_duplicate_check)
        rows = BatchRows(batch, decided_at)
        with telemetry.decide_seconds.time():
            claims = BatchClaims(connection, decided_at)
            processed = await decide_all(batch, programmes, claims, rows, decide_lock, with_decisions=with_decisions)
        with telemetry.commit_seconds.time():
            await commit(connection, batch, rows, decided_at)
    watched = WATCHED.get()
    if watched is not None:
        watched.decided += processed
    if tracing.ENABLED:
        for processed_event in processed:
            _trace(processed_event, started)
    return processed + [ProcessedEvent(arrival=duplicate, state="duplicate") for duplicate in batch.duplicates]


def is_duplicate(problem: Exception) -> bool:
    """Return whether an error means that the log has the event already."""
    return isinstance(problem, asyncpg.UniqueViolationError) and problem.table_name == "event_ids"


def _trace(processed_event: ProcessedEvent, started: int) -> None:
    correlation_id = correlation_id_of(processed_event.arrival.payload)
    tracing.record(
        "decide and commit",
        correlation_id,
        started,
        trigger=processed_event.arrival.trigger,
        state=processed_event.state,
    )


async def decide_all(
    batch: Batch,
    programmes: Mapping[UUID, Program],
    claims: BatchClaims,
    rows: BatchRows,
    decide_lock: DecideLock,
    *,
    with_decisions: bool,
) -> list[ProcessedEvent]:
    """Decide each event in order, and add its results to `rows` as soon as they are final.

    Results are final immediately, up to the first event that claims something: from there on, all wait for the claims.
    """
    fresh = batch.arrivals
    members = dict(batch.members)  # after their last event so far
    last = {arrival.member_id: place for place, arrival in enumerate(fresh)}  # of each member's events
    done: list[ProcessedEvent] = []

    def take(place: int, found: Sequence[ProcessedEvent]) -> None:
        for processed_event in found:
            rows.add(processed_event)
            done.append(
                processed_event
                if with_decisions
                else ProcessedEvent(arrival=processed_event.arrival, state=processed_event.state)
            )
        arrival = fresh[place]
        member_id = arrival.member_id
        member = _member_after(found, members[member_id])
        if last[member_id] == place:
            rows.add_member(batch.members[member_id], arrival, member)
        else:
            members[member_id] = member

    open_from = len(fresh)
    async with decide_lock:
        for place, arrival in enumerate(fresh):
            if place % YIELD_EVERY_EVENTS == YIELD_EVERY_EVENTS - 1:
                in_hand.clear()  # the loop's other tasks run now
                await asyncio.sleep(0)
            found = _decide_one(programmes[arrival.org_id], members[arrival.member_id], arrival, NOTHING_REFUSED)
            if _has_claims(found):
                open_from = place
                break
            take(place, found)
        in_hand.clear()
    if open_from < len(fresh):
        settled = await _settle_claims(fresh[open_from:], members, programmes, claims, decide_lock)
        for place, processed_events in enumerate(settled, open_from):
            take(place, processed_events)
    return done


async def _settle_claims(
    arrivals: Sequence[Arrival],
    members: Mapping[UUID, Member],
    programmes: Mapping[UUID, Program],
    claims: BatchClaims,
    decide_lock: DecideLock,
) -> list[list[ProcessedEvent]]:
    """Decide events, and decide again for members whose claims fail. Return the decisions in the order of arrival.

    Each round settles at least one open claim, so the rounds end. An event's due timers come before it.
    """
    places: dict[UUID, list[int]] = {}  # of each member's events
    for place, arrival in enumerate(arrivals):
        places.setdefault(arrival.member_id, []).append(place)
    decided: list[list[ProcessedEvent]] = [[] for _ in arrivals]
    refused: frozenset[UUID] = NOTHING_REFUSED
    undecided: Iterable[UUID] = places
    while undecided:
        async with decide_lock:  # not held while claims are locked, which another batch may hold
            for number, member_id in enumerate(undecided):
                if number % YIELD_EVERY_EVENTS == YIELD_EVERY_EVENTS - 1:
                    in_hand.clear()
                    await asyncio.sleep(0)
                member = members[member_id]
                for place in places[member_id]:
                    arrival = arrivals[place]
                    decided[place] = _decide_one(programmes[arrival.org_id], member, arrival, refused)
                    member = _member_after(decided[place], member)
            in_hand.clear()
        wanted = list(_claim_requests(chain.from_iterable(decided)))
        refused_now = await claims.lock_and_refuse(wanted)
        undecided = {
            claim_request.member_id for claim_request in wanted if claim_request.claim.claim_id in refused_now - refused
        }
        refused = refused_now
    await claims.take(_claim_requests(chain.from_iterable(decided)))
    return [[_with_codes(processed_event, claims) for processed_event in item] for item in decided]


def _decide_one(program: Program, member: Member, arrival: Arrival, refused: frozenset[UUID]) -> list[ProcessedEvent]:
    """Decide an arrival, after the timers due before it. If the process dies of it, its successor knows."""
    if arrival.inbox_id is None:
        in_hand.arrival(arrival.event_id, arrival)
    else:
        in_hand.event(arrival.event_id)
    try:
        found = [
            ProcessedEvent(
                arrival=arrival if event.kind != TIMER else timer_arrival(arrival, event),
                state="processed" if decision.refusal is None else "rejected",
                decision=decision,
                program=program,
                refused=refused,
            )
            for event, decision in _decisions(program, member, arrival, refused)
        ]
    except BaseException as problem:
        if must_pass(problem):
            raise
        # The timers before it are not at fault: they are decided again before the next event.
        return [ProcessedEvent(arrival=arrival, state="failed", error=traceback.format_exc(limit=-20))]
    for processed_event in found:
        if processed_event.decision is not None and processed_event.decision.faults:
            _report(arrival, processed_event.decision)
    return found


def _report(arrival: Arrival, decision: Decision) -> None:
    for fault in decision.faults:
        telemetry.faults_contained.inc()
        where = traceback.format_list(traceback.extract_tb(fault.problem.__traceback__)[-5:])
        log.error(  # without the exception's message, which may quote a member's data
            "fault_contained", org_id=str(arrival.org_id), event_id=str(decision.event_id), cause=fault.cause.text,
            problem=type(fault.problem).__name__, where=where,
        )  # fmt: skip


def _decisions(
    program: Program, member: Member, arrival: Arrival, refused: frozenset[UUID]
) -> Iterable[tuple[Event, Decision]]:
    if arrival.kind == TICK:
        return run_due_timers(program, member, arrival.occurred_at, refused)
    return decide(program, member, arrival.event(), refused)


def _member_after(found: Sequence[ProcessedEvent], member: Member) -> Member:
    if not found or found[-1].decision is None:
        return member
    return found[-1].decision.member


def _has_claims(found: Sequence[ProcessedEvent]) -> bool:
    """Return whether something is claimed that may yet be refused."""
    for processed_event in found:  # noqa: SIM110  (a loop: `any` would take longer than all there is to do, for each event)
        if processed_event.decision is not None and processed_event.decision.claims:
            return True
    return False


def _claim_requests(processed: Iterable[ProcessedEvent]) -> Iterable[ClaimRequest]:
    for processed_event in processed:
        if processed_event.decision is not None and processed_event.decision.claims:
            arrival = processed_event.arrival
            for claim in processed_event.decision.claims:
                yield ClaimRequest(arrival.org_id, arrival.bucket, arrival.member_id, claim)


def _with_codes(processed_event: ProcessedEvent, claims: BatchClaims) -> ProcessedEvent:
    """Return a decision's coupons with the codes they got."""
    if processed_event.decision is None or not processed_event.decision.coupons:
        return processed_event
    codes = {
        issue.coupon_id: claims.code(issue.coupon_id)
        for issue in processed_event.decision.coupons
        if issue.code is None
    }
    return msgspec.structs.replace(processed_event, codes=codes)
