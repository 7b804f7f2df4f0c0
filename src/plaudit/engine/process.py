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
from .recording import RECORDING
from .rows import BatchRows

log = structlog.get_logger(__name__)

YIELD_EVERY_EVENTS = 50  # then the process's other tasks run: after one or two milliseconds

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
    does not affect the others. Raise the database's errors; in that case nothing was written.

    With `skip_duplicate_check`, the log is not queried for duplicates, as the inbox has already done that. If the log has
    a duplicate after all, the commit raises (see `is_duplicate`). `decide_lock` is held while deciding, so that a
    process's lanes decide one batch at a time (docs/decisions/0022).
    """
    started = tracing.now()
    async with atomic(connection):
        batch = await load(connection, programmes, arrivals, skip_duplicate_check=skip_duplicate_check)
        rows = BatchRows(batch, decided_at)
        with telemetry.decide_seconds.time():
            claims = BatchClaims(connection, decided_at)
            processed = await decide_all(batch, programmes, claims, rows, decide_lock, with_decisions=with_decisions)
        with telemetry.commit_seconds.time():
            await commit(connection, batch, rows, decided_at)
    recording = RECORDING.get()
    if recording is not None:
        recording.decided += processed
    if tracing.ENABLED:
        for processed_event in processed:
            _trace(processed_event, started)
    return processed + [ProcessedEvent(arrival=duplicate, state="duplicate") for duplicate in batch.duplicates]


def is_duplicate(problem: Exception) -> bool:
    """Return whether an error means that the event is already in the log."""
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

    Results are final immediately, up to the first event that claims a scarce resource. All events from there on wait
    until the claims are settled.
    """
    arrivals = batch.arrivals
    members = dict(batch.members)  # each after the member's last event so far
    last = {arrival.member_id: index for index, arrival in enumerate(arrivals)}  # the index of each member's last event
    results: list[ProcessedEvent] = []

    def add_results(index: int, processed: Sequence[ProcessedEvent]) -> None:
        for processed_event in processed:
            rows.add(processed_event)
            results.append(
                processed_event
                if with_decisions
                else ProcessedEvent(arrival=processed_event.arrival, state=processed_event.state)
            )
        arrival = arrivals[index]
        member_id = arrival.member_id
        member = _member_after(processed, members[member_id])
        if last[member_id] == index:
            rows.add_member(batch.members[member_id], arrival, member)
        else:
            members[member_id] = member

    first_claiming = len(arrivals)
    async with decide_lock:
        for index, arrival in enumerate(arrivals):
            if index % YIELD_EVERY_EVENTS == YIELD_EVERY_EVENTS - 1:
                in_hand.clear()  # other tasks run now
                await asyncio.sleep(0)
            processed = _decide_arrival(
                programmes[arrival.org_id], members[arrival.member_id], arrival, NOTHING_REFUSED
            )
            if _has_claims(processed):
                first_claiming = index
                break
            add_results(index, processed)
        in_hand.clear()
    if first_claiming < len(arrivals):
        settled = await _settle_claims(arrivals[first_claiming:], members, programmes, claims, decide_lock)
        for index, processed in enumerate(settled, first_claiming):
            add_results(index, processed)
    return results


async def _settle_claims(
    arrivals: Sequence[Arrival],
    members: Mapping[UUID, Member],
    programmes: Mapping[UUID, Program],
    claims: BatchClaims,
    decide_lock: DecideLock,
) -> list[list[ProcessedEvent]]:
    """Decide events, and decide again for members whose claims fail. Return the results in order of arrival.

    Each round settles at least one open claim, so the rounds end. An event's due timers come before it.
    """
    indices: dict[UUID, list[int]] = {}  # of each member's events
    for index, arrival in enumerate(arrivals):
        indices.setdefault(arrival.member_id, []).append(index)
    decided: list[list[ProcessedEvent]] = [[] for _ in arrivals]
    refused: frozenset[UUID] = NOTHING_REFUSED
    undecided: Iterable[UUID] = indices
    while undecided:
        async with decide_lock:  # released while waiting for claims, as another batch may have locked them
            for number, member_id in enumerate(undecided):
                if number % YIELD_EVERY_EVENTS == YIELD_EVERY_EVENTS - 1:
                    in_hand.clear()
                    await asyncio.sleep(0)
                member = members[member_id]
                for index in indices[member_id]:
                    arrival = arrivals[index]
                    decided[index] = _decide_arrival(programmes[arrival.org_id], member, arrival, refused)
                    member = _member_after(decided[index], member)
            in_hand.clear()
        requests = list(_claim_requests(chain.from_iterable(decided)))
        refused_now = await claims.lock_and_refuse(requests)
        undecided = {request.member_id for request in requests if request.claim.claim_id in refused_now - refused}
        refused = refused_now
    await claims.take(_claim_requests(chain.from_iterable(decided)))
    return [[_with_codes(processed_event, claims) for processed_event in processed] for processed in decided]


def _decide_arrival(
    program: Program, member: Member, arrival: Arrival, refused: frozenset[UUID]
) -> list[ProcessedEvent]:
    """Decide an arrival, after the timers due before it. Record it first, in case it stops the process."""
    if arrival.inbox_id is None:
        in_hand.arrival(arrival.event_id, arrival)
    else:
        in_hand.event(arrival.event_id)
    try:
        processed = [
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
        # The timers before it are decided again, before the next event.
        return [ProcessedEvent(arrival=arrival, state="failed", error=traceback.format_exc(limit=-20))]
    for processed_event in processed:
        if processed_event.decision is not None and processed_event.decision.faults:
            _report(arrival, processed_event.decision)
    return processed


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


def _member_after(processed: Sequence[ProcessedEvent], member: Member) -> Member:
    if not processed or processed[-1].decision is None:
        return member
    return processed[-1].decision.member


def _has_claims(processed: Sequence[ProcessedEvent]) -> bool:
    """Return whether any event makes claims, which can be refused."""
    for processed_event in processed:
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
    """Return an event with the codes of its coupons."""
    if processed_event.decision is None or not processed_event.decision.coupons:
        return processed_event
    codes = {
        issue.coupon_id: claims.code(issue.coupon_id)
        for issue in processed_event.decision.coupons
        if issue.code is None
    }
    return msgspec.structs.replace(processed_event, codes=codes)
