"""process(connection, programs, arrivals): load, decide each, commit. Worker and inline calls alike come through here."""

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
from plaudit.core.advance import advance, decide_in_time
from plaudit.core.decide import NOTHING_REFUSED
from plaudit.core.decision import Decision
from plaudit.core.event import TIMER, Event
from plaudit.core.expressions import must_pass
from plaudit.core.member import Member
from plaudit.core.program import Program
from plaudit.guard import in_hand
from plaudit.storage.postgres import Connection, atomic

from .arrival import TICK, Arrival, correlation_id_of, timer_arrival
from .claims import Claims, Wanted
from .commit import commit
from .load import Batch, load
from .outcome import Processed
from .rows import Rows
from .watching import WATCHED

log = structlog.get_logger(__name__)

AT_ONCE = 50  # events decided before others of the process may send what they have ready: a millisecond or two

Turn = AbstractAsyncContextManager[object]
ALONE: Turn = nullcontext()


async def process(
    connection: Connection,
    programs: Mapping[UUID, Program],
    arrivals: Sequence[Arrival],
    decided_at: datetime,
    *,
    unseen: bool = False,
    with_decisions: bool = True,
    turn: Turn = ALONE,
) -> list[Processed]:
    """Decide a batch of events and write down all that follows, in one transaction: all of it or nothing.

    Answers what became of each arrival, and of what fell due before it (those that somebody else has taken out of
    the inbox are left out), `with_decisions` only if they are wanted, since they take much memory. An event
    that makes the core raise is set aside as failed; the others are not touched by it. Raises what the server
    raises: then nothing has happened. With `unseen`, as for what the inbox took in because the log did not have it,
    the log is not asked again; should it have one of them nevertheless, that raises (see `is_seen`). `turn` is held
    while deciding, by those who share a process (docs/decisions/0022).
    """
    started = tracing.now()
    async with atomic(connection):
        batch = await load(connection, programs, arrivals, unseen=unseen)
        rows = Rows(batch, decided_at)
        with telemetry.decide_seconds.time():
            claims = Claims(connection, decided_at)
            processed = await decide_all(batch, programs, claims, rows, turn, with_decisions=with_decisions)
        with telemetry.commit_seconds.time():
            await commit(connection, batch, rows, decided_at)
    watched = WATCHED.get()
    if watched is not None:
        watched.decided += processed
    if tracing.ENABLED:
        for one in processed:
            _trace(one, started)
    return processed + [Processed(arrival=one, state="duplicate") for one in batch.again]


def is_seen(problem: Exception) -> bool:
    """Whether an event could not be written because the log has it already."""
    return isinstance(problem, asyncpg.UniqueViolationError) and problem.table_name == "event_ids"


def _trace(one: Processed, started: int) -> None:
    correlation_id = correlation_id_of(one.arrival.payload)
    tracing.record("decide and commit", correlation_id, started, trigger=one.arrival.trigger, state=one.state)


async def decide_all(
    batch: Batch, programs: Mapping[UUID, Program], claims: Claims, rows: Rows, turn: Turn, *, with_decisions: bool
) -> list[Processed]:
    """Decide each event in its order, and put what came of it into `rows` as soon as that is certain.

    Which is at once, until the first that claims something: that one and all after it have to wait for the claims.
    """
    fresh = batch.fresh
    members = dict(batch.members)  # as the last of their events has left them
    last = {one.member_id: place for place, one in enumerate(fresh)}  # of each member's events
    done: list[Processed] = []

    def take(place: int, found: Sequence[Processed]) -> None:
        for one in found:
            rows.add(one)
            done.append(one if with_decisions else Processed(arrival=one.arrival, state=one.state))
        arrival = fresh[place]
        member_id = arrival.member_id
        member = _member_after(found, members[member_id])
        if last[member_id] == place:
            rows.add_member(batch.members[member_id], arrival, member)
        else:
            members[member_id] = member

    open_from = len(fresh)
    async with turn:
        for place, arrival in enumerate(fresh):
            if place % AT_ONCE == AT_ONCE - 1:
                in_hand.clear()  # the loop's other tasks run now
                await asyncio.sleep(0)
            found = _decided(programs[arrival.org_id], members[arrival.member_id], arrival, NOTHING_REFUSED)
            if _is_open(found):
                open_from = place
                break
            take(place, found)
        in_hand.clear()
    if open_from < len(fresh):
        settled = await _in_rounds(fresh[open_from:], members, programs, claims, turn)
        for place, found in enumerate(settled, open_from):
            take(place, found)
    return done


async def _in_rounds(
    arrivals: Sequence[Arrival],
    members: Mapping[UUID, Member],
    programs: Mapping[UUID, Program],
    claims: Claims,
    turn: Turn,
) -> list[list[Processed]]:
    """Decide events, and again those of members whose claims cannot be had.

    Each round settles at least one claim that was open before, so the rounds come to an end. Answers what was decided,
    in the order of arrival; what fell due before an event stands before it.
    """
    places: dict[UUID, list[int]] = {}  # of each member's events
    for place, arrival in enumerate(arrivals):
        places.setdefault(arrival.member_id, []).append(place)
    decided: list[list[Processed]] = [[] for _ in arrivals]
    refused: frozenset[UUID] = NOTHING_REFUSED
    undecided: Iterable[UUID] = places
    while undecided:
        async with turn:  # not held while the server is asked for claims, which another batch may have locked
            for number, member_id in enumerate(undecided):
                if number % AT_ONCE == AT_ONCE - 1:
                    in_hand.clear()
                    await asyncio.sleep(0)
                member = members[member_id]
                for place in places[member_id]:
                    arrival = arrivals[place]
                    decided[place] = _decided(programs[arrival.org_id], member, arrival, refused)
                    member = _member_after(decided[place], member)
            in_hand.clear()
        wanted = list(_wanted(chain.from_iterable(decided)))
        refused_now = await claims.refused(wanted)
        undecided = {one.member_id for one in wanted if one.claim.claim_id in refused_now - refused}
        refused = refused_now
    await claims.settle(_wanted(chain.from_iterable(decided)))
    return [[_with_codes(one, claims) for one in found] for found in decided]


def _decided(program: Program, member: Member, arrival: Arrival, refused: frozenset[UUID]) -> list[Processed]:
    """What becomes of an arrival, after what fell due before it. Should the process not survive it, that is known."""
    if arrival.inbox_id is None:
        in_hand.arrival(arrival.event_id, arrival)
    else:
        in_hand.event(arrival.event_id)
    try:
        found = [
            Processed(
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
        # What fell due before it has nothing to do with its trouble: it is decided again before the next event.
        return [Processed(arrival=arrival, state="failed", error=traceback.format_exc(limit=-20))]
    for one in found:
        if one.decision is not None and one.decision.faults:
            _report(arrival, one.decision)
    return found


def _report(arrival: Arrival, decision: Decision) -> None:
    for fault in decision.faults:
        telemetry.faults_contained.inc()
        where = traceback.format_list(traceback.extract_tb(fault.problem.__traceback__)[-5:])
        log.error(  # without the exception's message, which may quote a member's data
            "fault_contained", org_id=str(arrival.org_id), event_id=str(decision.event_id), cause=fault.cause,
            problem=type(fault.problem).__name__, where=where,
        )  # fmt: skip


def _decisions(
    program: Program, member: Member, arrival: Arrival, refused: frozenset[UUID]
) -> Iterable[tuple[Event, Decision]]:
    if arrival.kind == TICK:
        return advance(program, member, arrival.occurred_at, refused)
    return decide_in_time(program, member, arrival.event(), refused)


def _member_after(found: Sequence[Processed], member: Member) -> Member:
    if not found or found[-1].decision is None:
        return member
    return found[-1].decision.member


def _is_open(found: Sequence[Processed]) -> bool:
    """Whether something is claimed, which may yet be refused."""
    for one in found:  # noqa: SIM110  (a loop: `any` would take longer than all there is to do, for each event)
        if one.decision is not None and one.decision.claims:
            return True
    return False


def _wanted(processed: Iterable[Processed]) -> Iterable[Wanted]:
    for one in processed:
        if one.decision is not None and one.decision.claims:
            arrival = one.arrival
            for claim in one.decision.claims:
                yield Wanted(arrival.org_id, arrival.bucket, arrival.member_id, claim)


def _with_codes(one: Processed, claims: Claims) -> Processed:
    """The codes that an event's coupons got, beside its decision."""
    if one.decision is None or not one.decision.coupons:
        return one
    codes = {issue.coupon_id: claims.code(issue.coupon_id) for issue in one.decision.coupons if issue.code is None}
    return msgspec.structs.replace(one, codes=codes)
