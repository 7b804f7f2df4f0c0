"""What members have earned of a metric so far, and where that places them on a mechanic's document, new or changed.

The ledger says what was earned, by the same rule as everywhere (see `core/ledger/earned`), as far back as it reaches.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit.core.ledger.earned import Booked, Earned, counted_at, is_scored
from plaudit.core.member import Member
from plaudit.core.periods import local_day
from plaudit.core.program import Program
from plaudit.mechanics.base import Mechanic
from plaudit.mechanics.registry import MECHANICS
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .arrival import Arrival, Payload

_SQL = queries_beside(__file__)


class _Wanted(msgspec.Struct, frozen=True):
    """A member to be placed, by the number of the arrival that says so."""

    number: int
    mechanic: Mechanic
    compiled: Any


def _wanted_by(program: Program, number: int, arrival: Arrival) -> _Wanted | None:
    mechanic = MECHANICS.get(arrival.kind)
    data = {} if mechanic is None else arrival.event().data
    if mechanic is None or not data.get("fill"):
        return None
    compiled = program.compiled(mechanic.kind, str(data.get(mechanic.document.id_field)))
    return None if compiled is None else _Wanted(number, mechanic, compiled)


async def placed_by_ledger(
    connection: Connection, program: Program, arrivals: Sequence[Arrival], members: Mapping[UUID, Member]
) -> list[Arrival]:
    """Return the arrivals, those that place a member on a document with the place. Their buckets are locked."""
    by_metric: dict[str, list[_Wanted]] = {}
    found = list(arrivals)
    for number, arrival in enumerate(arrivals):
        wanted = _wanted_by(program, number, arrival)
        metric_id = None if wanted is None else wanted.mechanic.metric_of(wanted.compiled)
        if wanted is not None and metric_id is not None:
            by_metric.setdefault(metric_id, []).append(wanted)
    for metric_id, those in by_metric.items():
        ids = {found[wanted.number].member_id: found[wanted.number].bucket for wanted in those}
        earned = await earned_by_members(connection, program, metric_id, ids)
        for wanted in those:
            arrival = found[wanted.number]
            member = members[arrival.member_id]
            now = max(arrival.occurred_at, member.latest_at or arrival.occurred_at)
            counting = by_day(
                [item for item in earned.get(arrival.member_id, []) if item[0] <= now], program.settings.time_zone
            )
            state = wanted.mechanic.placed(program, member, wanted.compiled, counting, now)
            event = arrival.event()
            data = {**event.data, "state": msgspec.to_builtins(state), "sequence": member.sequence}
            payload = msgspec.json.encode(Payload(data, event.metadata)).decode()
            found[wanted.number] = msgspec.structs.replace(arrival, payload=payload)
    return found


async def earned_by_members(
    connection: Connection, program: Program, metric_id: str, ids: Mapping[UUID, int]
) -> dict[UUID, list[Earned]]:
    """Return what members (ids with their buckets) have earned of a metric, by when it counts; it may be pending yet.

    With them goes what those have earned who have been merged into them.
    """
    rows = await connection.fetch(_SQL.with_former, list(ids.values()), list(ids))
    owner = {row["former_id"]: row["member_id"] for row in rows}
    keys = [row["bucket"] for row in rows], [row["former_id"] for row in rows]
    by_owner: dict[UUID, list[Change]] = {}
    for member_id, transaction_id, reverses, *booked in await connection.fetch(
        _SQL.credits_and_reversals, *keys, metric_id
    ):
        by_owner.setdefault(owner[member_id], []).append(Change(transaction_id, reverses, Booked(*booked)))
    metric = program.metrics.get(metric_id)
    zone = program.settings.time_zone
    return {
        member_id: earned_in(value, lambda booked: counted_at(booked, metric, zone))
        for member_id, value in by_owner.items()
    }


class Change(msgspec.Struct, frozen=True):
    """A transaction: a credit, or a reversal of another."""

    transaction_id: UUID
    reverses: UUID | None
    booked: Booked


def earned_in(changes: Iterable[Change], counts_at: Callable[[Booked], datetime]) -> list[Earned]:
    """Return the credits among transactions that were earned, less what was taken back of them, by when they count."""
    counting: dict[UUID, datetime] = {}
    earned: dict[UUID, int] = {}
    origins: dict[UUID, UUID] = {}  # what a reversal goes back to, through reversals of reversals
    for change in changes:
        if change.reverses is not None:
            origin = origins.get(change.reverses, change.reverses)
            origins[change.transaction_id] = origin
            if origin in earned:
                earned[origin] += change.booked.amount
        elif is_scored(change.booked):
            counting[change.transaction_id] = counts_at(change.booked)
            earned[change.transaction_id] = change.booked.amount
    return sorted((counting[id_], amount) for id_, amount in earned.items() if amount > 0)


def by_day(earned: Iterable[Earned], zone: str) -> list[Earned]:
    """Return what was earned, a local day together at its last instant: windows begin and end with days."""
    found: dict[Any, Earned] = {}
    for at, amount in earned:
        day = local_day(at, zone)
        found[day] = (at, found[day][1] + amount if day in found else amount)
    return list(found.values())
