"""Undo the results of a campaign: a job that rolls back member by member, with one event each.

    a job is created ──► a worker takes some members at a time ──► decides each member's log again without the campaign
                                      ──► the difference becomes an order ──► an event of the member, decided like any other

The id of the event is derived from the job and the member, so a job that continues after a crash counts what it has
already undone. A new job finds nothing to undo for members who were rolled back before.
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
from plaudit.history.recover_transfers import recover_transfers
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
TRIES = 5  # if another event of the member is decided meanwhile, the order is worked out again
SECONDS_MAX = 30.0
SECONDS_AT_ONCE = 5.0  # then progress is saved: the database ends transactions that are idle for too long

Json = dict[str, Any]


class RollbackScope(Struct, frozen=True, rename="camel"):
    """What to roll back: a campaign's results, for events between two times, of some or all members."""

    campaign_id: str
    since: datetime = field(name="from")
    until: datetime
    user_ids: tuple[str, ...] | None = None
    dry_run: bool = False


class RollbackState(Struct, rename="camel"):
    """The part of a job that is stored as JSON. `last` is the last finished member."""

    asked: RollbackScope
    members: int = 0
    last: UUID = UUID(int=0)
    sums: Sums = field(default_factory=Sums)


class _Result(Struct):
    rollback: RollbackState
    unchanged: int = 0
    given: dict[str, int] = {}
    booked: dict[str, int] = {}


class _MemberRollback(Struct):
    """A member's state, with the order that undoes the campaign's results, or the result if it was undone before.

    `refused` are claims known to fail. `log` begins with the first event that the campaign may have matched.
    """

    member: Member
    done: RolledBack | None = None
    order: Rollback | None = None
    refused: frozenset[UUID] = frozenset()
    log: list[Json] = []


_DECODER = msgspec.json.Decoder(_Result)


def rollback_view(programme: Programme, row: Json) -> Json:
    """Return the fields of a rollback that other jobs do not have."""
    state = _DECODER.decode(row["result"]).rollback
    request = state.asked
    return {
        "campaignId": request.campaign_id, "from": time_text(request.since), "until": time_text(request.until),
        "userIds": request.user_ids, "dryRun": request.dry_run, "members": state.members,
        **sums_view(programme, state.sums),
    }  # fmt: skip


async def find_coupon(connection: Connection, org_id: UUID, id_text: str) -> tuple[str, Coupon] | None:
    """Return the user id of a coupon's owner and the coupon, or None. Raise Conflict if it has been revoked."""
    try:
        coupon_id = UUID(id_text)
    except ValueError:
        return None
    row = await connection.fetchrow(_SQL.coupon, org_id, coupon_id)
    if row is not None and row["revoked_at"] is not None:
        raise Conflict("The coupon has been revoked before", code="coupon_revoked")
    return None if row is None else (row["user_id"], Coupon(coupon_id, row["origin_id"], row["pool_id"], row["code"]))


async def start(connection: Connection, org_id: UUID, scope: RollbackScope, by: str) -> UUID:
    """Create the job of a rollback, which workers then run. Return its id."""
    members = await connection.fetchval(_SQL.count_members, org_id, scope.campaign_id, scope.user_ids)
    result = msgspec.json.encode(_Result(RollbackState(scope, members))).decode()
    return await jobs.create(connection, org_id, KIND, by, result)


class Rollbacks:
    """Runs the rollback jobs of a worker. Caches past programmes while a job exists."""

    def __init__(self, pool: Pool, programmes: Programmes) -> None:
        self._pool = pool
        self._programmes = programmes
        self._past: dict[tuple[UUID, int], Program] = {}

    async def continue_once(self) -> bool:
        """Process some members of one job. Return False if no job is open, or other workers process it."""
        async with self._pool.acquire() as connection, connection.transaction():
            for row in await connection.fetch(_SQL.running):
                piece = Piece(CHORE, "rollback", *row)
                job = None if piece.is_left_out else await connection.fetchrow(_SQL.take, UUID(piece.document_id))
                if job is not None:
                    return bool(await attempt(connection, piece, self._continue(connection, dict(job))))
        self._past.clear()
        return False

    async def _continue(self, connection: Connection, row: Json) -> bool:
        result, job = _DECODER.decode(row["result"]), jobs.job_of(row)
        state, org_id = result.rollback, row["org_id"]
        request = state.asked
        doings = Doings(request.campaign_id, request.since, request.until)
        programme = await self._programmes.cached(org_id)
        rows = await connection.fetch(
            _SQL.members, org_id, request.campaign_id, state.last, request.user_ids, MEMBERS_AT_ONCE
        )
        loop = asyncio.get_running_loop()
        stop_at, is_cut = loop.time() + SECONDS_AT_ONCE, False
        for index, (bucket, member_id, user_id) in enumerate(rows):
            if index and loop.time() > stop_at:
                is_cut = True
                break
            job.lines += 1
            try:
                event_id = derived_id(job.job_id, f"{KIND}:{member_id}")
                key = (bucket, member_id, user_id)
                undone = await self.undo(programme, doings, key, event_id, dry_run=request.dry_run)
            except (*UNREACHABLE, *RETRIABLE):
                raise
            except PlauditError as error:
                job.refused += 1
                await jobs.add_error(connection, job.job_id, job.lines, f"{user_id}: {error.message}")
                undone = None
            else:
                job.accepted += undone is not None
                job.unchanged += undone is None
            if undone is not None:
                state.sums.add(undone)
            state.last = member_id
        result = _Result(state, job.unchanged, _required(state.sums), state.sums.metrics)
        job_state = "running" if is_cut or len(rows) == MEMBERS_AT_ONCE else "finished"

        text = msgspec.json.encode(result).decode()
        await jobs.update(connection, job, text, job_state)
        return True

    async def undo(
        self, programme: Programme, doings: Doings, key: tuple[int, UUID, str], event_id: UUID, *, dry_run: bool
    ) -> RolledBack | None:
        """Undo a campaign's results for one member. Return the result, or None if there is nothing to undo."""
        for _ in range(TRIES):
            now = programme.now()
            rollback = await self.work_out(programme, doings, key, event_id, now)
            if rollback.order is None:
                return rollback.done
            arrival, also = await self._with_returned_transfers(
                programme, rollback, rollback.order, key[2], event_id, now
            )
            if dry_run:
                return rolled_back_in(
                    decide_one(programme.compiled, rollback.member, arrival.event(), rollback.refused).trace
                )
            try:
                outcome = await process_inline(
                    self._pool, programme.compiled, arrival, seconds=SECONDS_MAX, whole=True, also=also
                )
            except CommandRefused as error:
                decision = error.processed.decision
                is_other = error.processed.arrival.event_id != event_id  # a receiver has spent points meanwhile
                if is_other or (decision is not None and decision.refusal == Refusal.member_moved_on):
                    continue
                raise Conflict(f"it was refused ({decision and decision.refusal})", code=NOT_UNDONE) from None
            if outcome is not None and outcome.processed.decision is not None:
                return rolled_back_in(outcome.processed.decision.trace)
        raise Conflict(
            "too many events of the member arrive, or the log is incomplete: nothing was undone", code=NOT_UNDONE
        )

    async def _with_returned_transfers(
        self,
        programme: Programme,
        rollback: "_MemberRollback",
        order: Rollback,
        user_id: str,
        event_id: UUID,
        now: datetime,
    ) -> tuple[Arrival, list[Arrival]]:
        """Return the event of the order, and events of other members who return points that this member sent them."""
        arrival = arrival_at(programme, user_id, event_id, order, now)
        lost = rolled_back_in(
            decide_one(programme.compiled, rollback.member, arrival.event(), rollback.refused).trace
        ).lost_metrics
        if not lost or not any(row["kind"] == TRANSFER for row in rollback.log):
            return arrival, []
        async with self._pool.acquire() as connection:
            back = await recover_transfers(
                connection, programme.compiled, rollback.member, rollback.log, lost, event_id
            )
        order = structs.replace(order, transfers=back.transfers, stays=back.stays)
        also = [_arrival(programme, REVERSAL, other, own_id, data, now) for own_id, other, data in back.orders]
        return arrival_at(programme, user_id, event_id, order, now), also

    async def work_out(
        self, programme: Programme, doings: Doings, key: tuple[int, UUID, str], event_id: UUID, now: datetime
    ) -> "_MemberRollback":
        """Return the order that undoes a member's results, or the result of this event if it was decided before."""
        _, member_id, user_id = key
        blank = Member(member_id=member_id, user_id=user_id)
        async with self._pool.acquire() as connection:
            rows = await log_of_member(connection, member_id)
            if not rows:
                raise Conflict("the member was erased, with all data that the decisions were based on", code=NOT_UNDONE)
            before = next((row for row in rows if row["event_id"] == event_id), None)
            if before is not None:
                return _MemberRollback(blank, done=rolled_back_in(outcome_from(before["outcome"]).trace))
            formers = await self._formers(connection, rows)
            if not any(_concerns(row, doings) for item in (rows, *formers.values()) for row in item):
                return _MemberRollback(blank)
            happened = await self._happened(connection, rows, formers)
            order, member = undoing(happened, blank, doings, programme.compiled, now)
            if order is None:
                return _MemberRollback(member)
            first = next((index for index, row in enumerate(rows) if _concerns(row, doings)), 0)
            return await self._with_codes(connection, key, event_id, order, _MemberRollback(member, log=rows[first:]))

    async def _with_codes(
        self,
        connection: Connection,
        key: tuple[int, UUID, str],
        event_id: UUID,
        order: Rollback,
        rollback: "_MemberRollback",
    ) -> "_MemberRollback":
        """Add the codes of coupons that still exist. If nothing but used codes is left to undo, return no order."""
        ids = [coupon.coupon_id for coupon in order.coupons]
        rows = await connection.fetch(_SQL.coupons, *key[:2], ids) if ids else []
        coupons = {
            row["coupon_id"]: Coupon(row["coupon_id"], row["origin_id"], row["pool_id"], row["code"]) for row in rows
        }
        used = {row["coupon_id"] for row in rows if row["pool_id"] is not None and row["state"] != "allocated"}
        order = structs.replace(order, coupons=tuple(coupons[id_] for id_ in ids if id_ in coupons))
        rollback.refused = frozenset(unused_id(event_id, coupons[coupon_id]) for coupon_id in used)
        if not is_something(order):
            return rollback
        if len(order.coupons) == len(used) and not is_something(structs.replace(order, coupons=())):
            rollback.done = RolledBack(lost_coupons=len(used))
        else:
            rollback.order = order
        return rollback

    async def _formers(self, connection: Connection, rows: Sequence[Json]) -> dict[UUID, list[Json]]:
        """Return the logs of members who were merged into this one, up to the merge, by the id of the takeover.

        This includes merges through other members. Raise Conflict if a log was erased or a merge was reversed: their
        results can no longer be separated.
        """
        logs: dict[UUID, list[Json]] = {}
        for row in rows:
            if row["kind"] != TAKEOVER or row["state"] != "processed":
                continue
            data = logged(row).event().data
            former = str(data["from"])
            is_merged = (await remaining_users(connection, row["org_id"], former))[:1] == [row["user_id"]]
            log = await log_of_member(connection, member_id_of(row["org_id"], former)) if is_merged else []
            while log and str(log[-1]["event_id"]) != data["mergeId"]:
                log.pop()
            if not log:
                reason = f"{data['from']} was merged into this member and then erased, or the merge was reversed"
                raise Conflict(reason, code=NOT_UNDONE)
            logs |= {row["event_id"]: log} | await self._formers(connection, log)
        return logs

    async def _happened(
        self, connection: Connection, rows: Sequence[Json], formers: dict[UUID, list[Json]]
    ) -> tuple[Happened, ...]:
        events: list[Happened] = []
        for row in rows:
            key = (row["org_id"], row["program_version"])
            if key not in self._past:
                self._past[key] = (await load_at_version(connection, *key)).compiled
            refused = frozenset(outcome_from(row["outcome"]).refused)
            former = await self._happened(connection, formers.get(row["event_id"], ()), formers)
            events.append(Happened(logged(row).event(), self._past[key], refused, row["state"] != "processed", former))
        return tuple(events)


def _concerns(row: Json, doings: Doings) -> bool:
    """Return whether the campaign may have matched an event, by a quick check."""
    if doings.of_event is not None:
        return row["event_id"] == doings.of_event
    within = (doings.since is None or doings.since <= row["occurred_at"]) and (
        doings.until is None or row["occurred_at"] < doings.until
    )
    return within and f'"{doings.campaign_id}"' in row["outcome"]


def arrival_at(programme: Programme, user_id: str, event_id: UUID, order: Rollback, now: datetime) -> Arrival:
    """Return the event that executes an order."""
    return _arrival(programme, ROLLBACK, user_id, event_id, data_of(order), now)


def _arrival(programme: Programme, kind: str, user_id: str, event_id: UUID, data: Json, now: datetime) -> Arrival:
    return arrival_from_client(
        org_id=programme.compiled.org_id, user_id=user_id, kind=kind, trigger=kind, occurred_at=now, received_at=clock.now(),
        payload=Payload(data), source="rollback", event_id=event_id,
    )  # fmt: skip


def rolled_back_in(trace: Sequence[Trace]) -> RolledBack:
    """Return a rollback's result for a member, from its trace."""
    result = next((entry.progress for entry in trace if entry.cause == ROLLBACK_CAUSE), None)
    return rolled_back_from(result or {})


def _required(sums: Sums) -> dict[str, int]:
    """Return the amounts that were to be recovered, by metric: the recovered and the lost ones together."""
    names = {*sums.metrics, *sums.lost_metrics}
    return {name: sums.metrics.get(name, 0) + sums.lost_metrics.get(name, (0, 0))[0] for name in sorted(names)}
