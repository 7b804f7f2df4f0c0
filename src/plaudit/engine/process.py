"""process(connection, programs, arrivals): load, decide each, commit. Worker and inline calls alike come through here."""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from uuid import UUID

import msgspec

from plaudit import telemetry, tracing
from plaudit.core.advance import advance, decide_in_time
from plaudit.core.decision import Decision
from plaudit.core.event import TIMER, Event
from plaudit.core.member import Member
from plaudit.core.program import Program
from plaudit.storage.postgres import Connection, atomic

from .arrival import TICK, Arrival, correlation_id_of, timer_arrival
from .claims import Claims, Wanted
from .commit import commit
from .load import Batch, load
from .outcome import Processed


async def process(
    connection: Connection,
    programs: Mapping[UUID, Program],
    arrivals: Sequence[Arrival],
    decided_at: datetime,
) -> list[Processed]:
    """Decide a batch of events and write down all that follows, in one transaction: all of it or nothing.

    Answers what became of each arrival, and of what fell due before it (those that somebody else has taken out of
    the inbox are left out). An event
    that makes the core raise is set aside as failed; the others are not touched by it. Raises what the server
    raises: then nothing has happened.
    """
    started = tracing.now()
    async with atomic(connection):
        batch = await load(connection, programs, arrivals)
        claims = Claims(connection)
        with telemetry.decide_seconds.time():
            processed = await decide_all(batch, programs, claims)
        with telemetry.commit_seconds.time():
            await claims.settle(_wanted(processed), decided_at)
            await commit(connection, batch, processed, decided_at)
    if tracing.ENABLED:
        for one in processed:
            _trace(one, started)
    return processed + [Processed(arrival=one, state="duplicate") for one in batch.again]


def _trace(one: Processed, started: int) -> None:
    correlation_id = correlation_id_of(one.arrival.payload)
    tracing.record("decide and commit", correlation_id, started, trigger=one.arrival.trigger, state=one.state)


async def decide_all(batch: Batch, programs: Mapping[UUID, Program], claims: Claims) -> list[Processed]:
    """Decide each event in its order, and again those of members whose claims cannot be had.

    Each round settles at least one claim that was open before, so the rounds come to an end.
    """
    places: dict[UUID, list[int]] = {}  # of each member's events in the batch
    for place, arrival in enumerate(batch.fresh):
        places.setdefault(arrival.member_id, []).append(place)
    # What was decided, in the order of arrival; what fell due before an event stands before it.
    decided: list[list[Processed]] = [[] for _ in batch.fresh]
    refused: frozenset[UUID] = frozenset()
    undecided: Iterable[UUID] = places
    while True:
        for member_id in undecided:
            _decide_for_member(batch, programs, member_id, places[member_id], refused, decided)
        processed = list(chain.from_iterable(decided))
        wanted = list(_wanted(processed))
        if not wanted:
            return processed
        refused_now = await claims.refused(wanted)
        undecided = {one.member_id for one in wanted if one.claim.claim_id in refused_now - refused}
        if not undecided:
            return [_with_codes(one, claims) for one in processed]
        refused = refused_now


def _decide_for_member(
    batch: Batch,
    programs: Mapping[UUID, Program],
    member_id: UUID,
    places: Sequence[int],
    refused: frozenset[UUID],
    decided: list[list[Processed]],
) -> None:
    member = batch.members[member_id]
    for place in places:
        arrival = batch.fresh[place]
        program = programs[arrival.org_id]
        try:
            decisions = _decisions(program, member, arrival, refused)
            found = [_processed(program, arrival, event, decision, refused) for event, decision in decisions]
        except Exception:
            # What fell due before it has nothing to do with its trouble: it is decided again before the next event.
            decided[place] = [Processed(arrival=arrival, state="failed", error=traceback.format_exc(limit=-20))]
            continue
        if found:
            last = found[-1].decision
            assert last is not None
            member = last.member
        decided[place] = found


def _decisions(
    program: Program, member: Member, arrival: Arrival, refused: frozenset[UUID]
) -> Iterable[tuple[Event, Decision]]:
    if arrival.kind == TICK:
        return advance(program, member, arrival.occurred_at, refused)
    return decide_in_time(program, member, arrival.event(), refused)


def _processed(
    program: Program, arrival: Arrival, event: Event, decision: Decision, refused: frozenset[UUID]
) -> Processed:
    return Processed(
        arrival=arrival if event.kind != TIMER else timer_arrival(arrival, event),
        state="processed" if decision.refusal is None else "rejected",
        decision=decision,
        program=program,
        refused=refused,
    )


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
