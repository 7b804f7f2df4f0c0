"""Place members on a new or changed document of a mechanic, by what they have earned of its metric so far.

Earnings are read from the ledger, as far back as it reaches, by the same rule as everywhere (see `core/ledger/earned`).
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


class _Placement(msgspec.Struct, frozen=True):
    """A member to place: the index of the arrival, and the document."""

    index: int
    mechanic: Mechanic
    compiled: Any


def _placement_of(program: Program, index: int, arrival: Arrival) -> _Placement | None:
    mechanic = MECHANICS.get(arrival.kind)
    data = {} if mechanic is None else arrival.event().data
    if mechanic is None or not data.get("fill"):
        return None
    compiled = program.compiled(mechanic.kind, str(data.get(mechanic.document.id_field)))
    return None if compiled is None else _Placement(index, mechanic, compiled)


async def placed_by_ledger(
    connection: Connection, program: Program, arrivals: Sequence[Arrival], members: Mapping[UUID, Member]
) -> list[Arrival]:
    """Return the arrivals. Those that place a member on a document get the member's state. Buckets must be locked."""
    by_metric: dict[str, list[_Placement]] = {}
    results = list(arrivals)
    for index, arrival in enumerate(arrivals):
        placement = _placement_of(program, index, arrival)
        metric_id = None if placement is None else placement.mechanic.metric_of(placement.compiled)
        if placement is not None and metric_id is not None:
            by_metric.setdefault(metric_id, []).append(placement)
    for metric_id, placements in by_metric.items():
        ids = {results[placement.index].member_id: results[placement.index].bucket for placement in placements}
        earned = await earned_by_members(connection, program, metric_id, ids)
        for placement in placements:
            arrival = results[placement.index]
            member = members[arrival.member_id]
            now = max(arrival.occurred_at, member.latest_at or arrival.occurred_at)
            counting = by_day(
                [item for item in earned.get(arrival.member_id, []) if item[0] <= now], program.settings.time_zone
            )
            state = placement.mechanic.placed(program, member, placement.compiled, counting, now)
            event = arrival.event()
            data = {**event.data, "state": msgspec.to_builtins(state), "sequence": member.sequence}
            payload = msgspec.json.encode(Payload(data, event.metadata)).decode()
            results[placement.index] = msgspec.structs.replace(arrival, payload=payload)
    return results


async def earned_by_members(
    connection: Connection, program: Program, metric_id: str, ids: Mapping[UUID, int]
) -> dict[UUID, list[Earned]]:
    """Return the amounts that members (ids with their buckets) have earned of a metric, with the times when they count.

    That time is in the future for pending amounts. Includes the earnings of members who were merged into them.
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
        member_id: earned_in(changes, lambda booked: counted_at(booked, metric, zone))
        for member_id, changes in by_owner.items()
    }


class Change(msgspec.Struct, frozen=True):
    """A transaction that is a credit, or reverses another transaction."""

    transaction_id: UUID
    reverses: UUID | None
    booked: Booked


def earned_in(changes: Iterable[Change], counts_at: Callable[[Booked], datetime]) -> list[Earned]:
    """Return the earned credits among transactions, reduced by their reversals, in the order in which they count."""
    counting: dict[UUID, datetime] = {}
    earned: dict[UUID, int] = {}
    origins: dict[UUID, UUID] = {}  # the original transaction of each reversal, through reversals of reversals
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
    """Return the amounts summed up by local day, each at the day's last time, as windows begin and end with days."""
    by_day_: dict[Any, Earned] = {}
    for at, amount in earned:
        day = local_day(at, zone)
        by_day_[day] = (at, by_day_[day][1] + amount if day in by_day_ else amount)
    return list(by_day_.values())
