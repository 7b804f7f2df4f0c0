"""Rolling back what a campaign has led to: a job, member by member, each in one event.

    asked for ──► a worker takes the job, some members at a time ──► each one's log is decided again without the campaign
                                      ──► what differs is an order ──► an event of the member's own, decided as any other

The event's id follows from the job's and the member's: a job that is continued after a crash counts what it had done. A
new job finds nothing more to undo where everything is undone.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct, field, structs

from plaudit import clock
from plaudit.core.cause import ROLLBACK as ROLLBACK_CAUSE
from plaudit.core.commands.rollback import (
    Coupon,
    Rollback,
    RolledBack,
    data_of,
    is_something,
    rolled_back_from,
    unused_id,
)
from plaudit.core.decide_one import decide_one
from plaudit.core.decision import Refusal, Trace
from plaudit.core.doings import Doings, Happened
from plaudit.core.event import REVERSAL, ROLLBACK, TAKEOVER, TRANSFER
from plaudit.core.ids import derived_id, member_id_of
from plaudit.core.member import Member
from plaudit.core.program import Program
from plaudit.core.without import undoing
from plaudit.engine.arrival import Arrival, Payload, arrival_from_client, logged
from plaudit.engine.inline import CommandRefused, process_inline
from plaudit.engine.processed import outcome_from
from plaudit.errors import Conflict, PlauditError
from plaudit.history.member_log import log_of_member
from plaudit.history.sent_on import sent_on
from plaudit.reads.identities import remaining_users
from plaudit.storage import jobs
from plaudit.storage.postgres import RETRIABLE, UNREACHABLE, Connection, Pool
from plaudit.storage.programmes import Programme, Programmes, load_at_version
from plaudit.storage.queries import queries_beside
from plaudit.view import time_text

from .pieces import Piece, attempt
from .rollback_sums import Sums, sums_view

_SQL = queries_beside(__file__)

CHORE = "continue_rollbacks"
log = structlog.get_logger(__name__)

KIND = "rollback"
NOT_UNDONE = "not_undone"
MEMBERS_AT_ONCE = 20
TRIES = 5  # a member to whom something happens meanwhile is worked out again
SECONDS_MAX = 30.0
SECONDS_AT_ONCE = 5.0  # then what is done is noted: the server ends transactions in which nothing happens for long

Json = dict[str, Any]


class Asked(Struct, frozen=True, rename="camel"):
    """What to roll back: a campaign's results, between two times of events; of some members, or of all."""

    campaign_id: str
    since: datetime = field(name="from")
    until: datetime
    user_ids: tuple[str, ...] | None = None
    dry_run: bool = False


class RollbackState(Struct, rename="camel"):
    """What a job stores apart from its columns: `last` is the last finished member."""

    asked: Asked
    members: int = 0
    last: UUID = UUID(int=0)
    sums: Sums = field(default_factory=Sums)


class _Result(Struct):
    rollback: RollbackState
    unchanged: int = 0
    given: dict[str, int] = {}
    booked: dict[str, int] = {}


class _WorkedOut(Struct):
    """A member's present state, the order that undoes, or what it has done before; and claims known to fail.

    `log` begins with the first event that the campaign may have met.
    """

    member: Member
    done: RolledBack | None = None
    order: Rollback | None = None
    refused: frozenset[UUID] = frozenset()
    log: list[Json] = []


_DECODER = msgspec.json.Decoder(_Result)


def rollback_view(programme: Programme, row: Json) -> Json:
    """Return a rollback's own part of its job."""
    kept = _DECODER.decode(row["result"]).rollback
    asked = kept.asked
    return {
        "campaignId": asked.campaign_id, "from": time_text(asked.since), "until": time_text(asked.until),
        "userIds": asked.user_ids, "dryRun": asked.dry_run, "members": kept.members, **sums_view(programme, kept.sums),
    }  # fmt: skip


async def coupon(connection: Connection, org_id: UUID, named: str) -> tuple[str, Coupon] | None:
    """Return a coupon, and who has it; None if there is none. Raises Conflict if it has been revoked."""
    try:
        coupon_id = UUID(named)
    except ValueError:
        return None
    row = await connection.fetchrow(_SQL.coupon, org_id, coupon_id)
    if row is not None and row["revoked_at"] is not None:
        raise Conflict("The coupon has been revoked before", code="coupon_revoked")
    return None if row is None else (row["user_id"], Coupon(coupon_id, row["origin_id"], row["pool_id"], row["code"]))


async def begin(connection: Connection, org_id: UUID, asked: Asked, by: str) -> UUID:
    """Create the job of a rollback, which workers then run."""
    members = await connection.fetchval(_SQL.how_many, org_id, asked.campaign_id, asked.user_ids)
    result = msgspec.json.encode(_Result(RollbackState(asked, members))).decode()
    return await jobs.create(connection, org_id, KIND, by, result)


class Rollbacks:
    """A worker's part in rollbacks. Past programmes are cached while a job exists."""

    def __init__(self, pool: Pool, programmes: Programmes) -> None:
        self._pool = pool
        self._programmes = programmes
        self._past: dict[tuple[UUID, int], Program] = {}

    async def continue_once(self) -> bool:
        """Process some members of one job. Return False if no job is open, or other workers process it."""
        async with self._pool.acquire() as connection, connection.transaction():
            for row in await connection.fetch(_SQL.running):
                piece = Piece(CHORE, "rollback", *row)
                taken = None if piece.is_left_out else await connection.fetchrow(_SQL.take, UUID(piece.document_id))
                if taken is not None:
                    return bool(await attempt(connection, piece, self._go_on(connection, dict(taken))))
        self._past.clear()
        return False

    async def _go_on(self, connection: Connection, row: Json) -> bool:
        result, job = _DECODER.decode(row["result"]), jobs.job_of(row)
        kept, org_id = result.rollback, row["org_id"]
        asked = kept.asked
        doings = Doings(asked.campaign_id, asked.since, asked.until)
        programme = await self._programmes.cached(org_id)
        rows = await connection.fetch(
            _SQL.members, org_id, asked.campaign_id, kept.last, asked.user_ids, MEMBERS_AT_ONCE
        )
        loop = asyncio.get_running_loop()
        stop_at, is_cut = loop.time() + SECONDS_AT_ONCE, False
        for place, (bucket, member_id, user_id) in enumerate(rows):
            if place and loop.time() > stop_at:
                is_cut = True
                break
            job.lines += 1
            try:
                event_id = derived_id(job.job_id, f"{KIND}:{member_id}")
                key = (bucket, member_id, user_id)
                done = await self.undo(programme, doings, key, event_id, dry_run=asked.dry_run)
            except (*UNREACHABLE, *RETRIABLE):
                raise
            except PlauditError as error:
                job.refused += 1
                await jobs.add_error(connection, job.job_id, job.lines, f"{user_id}: {error.message}")
                done = None
            else:
                job.accepted += done is not None
                job.unchanged += done is None
            if done is not None:
                kept.sums.add(done)
            kept.last = member_id
        result = _Result(kept, job.unchanged, _wanted(kept.sums), kept.sums.metrics)
        state = "running" if is_cut or len(rows) == MEMBERS_AT_ONCE else "finished"
        text = msgspec.json.encode(result).decode()
        await jobs.update(connection, job, text, state)
        return True

    async def undo(
        self, programme: Programme, doings: Doings, key: tuple[int, UUID, str], event_id: UUID, *, dry_run: bool
    ) -> RolledBack | None:
        """Undo a campaign's results for one member. Return the result, or None if there is nothing to undo."""
        for _ in range(TRIES):
            now = programme.now()
            found = await self.worked_out(programme, doings, key, event_id, now)
            if found.order is None:
                return found.done
            arrival, also = await self._with_what_was_sent_on(programme, found, found.order, key[2], event_id, now)
            if dry_run:
                return rolled_back_in(
                    decide_one(programme.compiled, found.member, arrival.event(), found.refused).trace
                )
            try:
                outcome = await process_inline(
                    self._pool, programme.compiled, arrival, seconds=SECONDS_MAX, whole=True, also=also
                )
            except CommandRefused as error:
                decision = error.processed.decision
                is_other = error.processed.arrival.event_id != event_id  # a receiver has less than just now
                if is_other or (decision is not None and decision.refusal == Refusal.member_moved_on):
                    continue
                raise Conflict(f"it was refused ({decision and decision.refusal})", code=NOT_UNDONE) from None
            if outcome is not None and outcome.processed.decision is not None:
                return rolled_back_in(outcome.processed.decision.trace)
        raise Conflict(
            "too many events of the member arrive, or the log is incomplete: nothing was undone", code=NOT_UNDONE
        )

    async def _with_what_was_sent_on(
        self, programme: Programme, found: "_WorkedOut", order: Rollback, user_id: str, event_id: UUID, now: datetime
    ) -> tuple[Arrival, list[Arrival]]:
        """Return the event of the order, and the events of members who give back what this member sent on."""
        arrival = arrival_at(programme, user_id, event_id, order, now)
        lost = rolled_back_in(
            decide_one(programme.compiled, found.member, arrival.event(), found.refused).trace
        ).lost_metrics
        if not lost or not any(row["kind"] == TRANSFER for row in found.log):
            return arrival, []
        async with self._pool.acquire() as connection:
            back = await sent_on(connection, programme.compiled, found.member, found.log, lost, event_id)
        order = structs.replace(order, transfers=back.transfers, stays=back.stays)
        also = [_arrival(programme, REVERSAL, other, own_id, data, now) for own_id, other, data in back.orders]
        return arrival_at(programme, user_id, event_id, order, now), also

    async def worked_out(
        self, programme: Programme, doings: Doings, key: tuple[int, UUID, str], event_id: UUID, now: datetime
    ) -> "_WorkedOut":
        """Return what was done by this very event before, or the order that undoes."""
        _, member_id, user_id = key
        blank = Member(member_id=member_id, user_id=user_id)
        async with self._pool.acquire() as connection:
            rows = await log_of_member(connection, member_id)
            if not rows:
                raise Conflict("the member was erased, and with them what the decisions were based on", code=NOT_UNDONE)
            before = next((row for row in rows if row["event_id"] == event_id), None)
            if before is not None:
                return _WorkedOut(blank, done=rolled_back_in(outcome_from(before["outcome"]).trace))
            formers = await self._formers(connection, rows)
            if not any(_concerns(row, doings) for item in (rows, *formers.values()) for row in item):
                return _WorkedOut(blank)
            happened = await self._happened(connection, rows, formers)
            order, member = undoing(happened, blank, doings, programme.compiled, now)
            if order is None:
                return _WorkedOut(member)
            first = next((place for place, row in enumerate(rows) if _concerns(row, doings)), 0)
            return await self._with_codes(connection, key, event_id, order, _WorkedOut(member, log=rows[first:]))

    async def _with_codes(
        self, connection: Connection, key: tuple[int, UUID, str], event_id: UUID, order: Rollback, found: "_WorkedOut"
    ) -> "_WorkedOut":
        """Add the codes of coupons, without those that are gone. What only would ask for used codes is nothing to do."""
        ids = [coupon.coupon_id for coupon in order.coupons]
        rows = await connection.fetch(_SQL.coupons, *key[:2], ids) if ids else []
        coupons = {
            row["coupon_id"]: Coupon(row["coupon_id"], row["origin_id"], row["pool_id"], row["code"]) for row in rows
        }
        used = {row["coupon_id"] for row in rows if row["pool_id"] is not None and row["state"] != "allocated"}
        order = structs.replace(order, coupons=tuple(coupons[id_] for id_ in ids if id_ in coupons))
        found.refused = frozenset(unused_id(event_id, coupons[value]) for value in used)
        if not is_something(order):
            return found
        if len(order.coupons) == len(used) and not is_something(structs.replace(order, coupons=())):
            found.done = RolledBack(lost_coupons=len(used))
        else:
            found.order = order
        return found

    async def _formers(self, connection: Connection, rows: Sequence[Json]) -> dict[UUID, list[Json]]:
        """Return the logs of who was merged into a member, directly or through others, up to the merge: by its takeover.

        Raises Conflict where a log is gone, or a merge was reversed: what was undone there cannot be told from the rest.
        """
        found: dict[UUID, list[Json]] = {}
        for row in rows:
            if row["kind"] != TAKEOVER or row["state"] != "processed":
                continue
            handed = logged(row).event().data
            former = str(handed["from"])
            is_merged = (await remaining_users(connection, row["org_id"], former))[:1] == [row["user_id"]]
            log = await log_of_member(connection, member_id_of(row["org_id"], former)) if is_merged else []
            while log and str(log[-1]["event_id"]) != handed["mergeId"]:
                log.pop()
            if not log:
                why = f"{handed['from']} was merged into this member and then erased, or the merge was reversed"
                raise Conflict(why, code=NOT_UNDONE)
            found |= {row["event_id"]: log} | await self._formers(connection, log)
        return found

    async def _happened(
        self, connection: Connection, rows: Sequence[Json], formers: dict[UUID, list[Json]]
    ) -> tuple[Happened, ...]:
        found: list[Happened] = []
        for row in rows:
            key = (row["org_id"], row["program_version"])
            if key not in self._past:
                self._past[key] = (await load_at_version(connection, *key)).compiled
            refused = frozenset(outcome_from(row["outcome"]).refused)
            former = await self._happened(connection, formers.get(row["event_id"], ()), formers)
            found.append(Happened(logged(row).event(), self._past[key], refused, row["state"] != "processed", former))
        return tuple(found)


def _concerns(row: Json, doings: Doings) -> bool:
    """Return whether an event may be one that the campaign has met, at first sight."""
    if doings.of_event is not None:
        return row["event_id"] == doings.of_event
    within = (doings.since is None or doings.since <= row["occurred_at"]) and (
        doings.until is None or row["occurred_at"] < doings.until
    )
    return within and f'"{doings.campaign_id}"' in row["outcome"]


def arrival_at(programme: Programme, user_id: str, event_id: UUID, order: Rollback, now: datetime) -> Arrival:
    """Return the event that carries an order out."""
    return _arrival(programme, ROLLBACK, user_id, event_id, data_of(order), now)


def _arrival(programme: Programme, kind: str, user_id: str, event_id: UUID, data: Json, now: datetime) -> Arrival:
    return arrival_from_client(
        org_id=programme.compiled.org_id, user_id=user_id, kind=kind, trigger=kind, occurred_at=now, received_at=clock.now(),
        payload=Payload(data), source="rollback", event_id=event_id,
    )  # fmt: skip


def rolled_back_in(trace: Sequence[Trace]) -> RolledBack:
    """Return a rollback's result for a member, from its trace."""
    found = next((entry.progress for entry in trace if entry.cause == ROLLBACK_CAUSE), None)
    return rolled_back_from(found or {})


def _wanted(sums: Sums) -> dict[str, int]:
    """Return what was to be taken back by metric: what came back, and what could not."""
    names = {*sums.metrics, *sums.lost_metrics}
    return {name: sums.metrics.get(name, 0) + sums.lost_metrics.get(name, (0, 0))[0] for name in sorted(names)}
