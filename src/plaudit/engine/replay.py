"""The log again, from nothing: each event decided under the programme that judged it, with the claims that it got."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from msgspec import Struct, field

from plaudit.core.decide import decide
from plaudit.core.ids import BUCKET_COUNT
from plaudit.core.member import Member
from plaudit.core.program import Program
from plaudit.storage.postgres import Connection
from plaudit.storage.programs import load_at_version
from plaudit.storage.queries import queries_beside

from .arrival import Arrival
from .members import load_members
from .outcome import outcome_from

SQL = queries_beside(__file__)


class Replayed(Struct):
    """How many events were decided again, and where that came out otherwise than the tables say."""

    events: int = 0
    differences: list[str] = field(default_factory=list[str])


async def replay(connection: Connection) -> Replayed:
    """Decide the whole log again, bucket by bucket, and compare with what is there. Changes nothing."""
    replayed = Replayed()
    programs: dict[tuple[UUID, int], Program] = {}
    for bucket in range(BUCKET_COUNT):
        rows = await connection.fetch(SQL.log_of_bucket, bucket)
        if rows:
            await _replay_bucket(connection, [dict(row) for row in rows], programs, replayed)
    return replayed


async def _replay_bucket(
    connection: Connection,
    rows: list[dict[str, Any]],
    programs: dict[tuple[UUID, int], Program],
    replayed: Replayed,
) -> None:
    members: dict[UUID, Member] = {}
    posted: list[tuple[UUID, int, int]] = []
    for row in rows:
        key = (row["org_id"], row.pop("program_version"))
        if key not in programs:
            programs[key] = (await load_at_version(connection, *key)).program
        outcome = outcome_from(row.pop("outcome"))
        state = row.pop("state")
        row.pop("position")
        arrival = Arrival(**row, fingerprint=None)
        member = members.get(arrival.member_id) or Member(member_id=arrival.member_id, user_id=arrival.user_id)
        decision = decide(programs[key], member, arrival.event(), frozenset(outcome.refused))
        replayed.events += 1
        if (decision.refusal is None) != (state == "processed"):
            replayed.differences.append(f"event {arrival.event_id}: {decision.refusal}, was {state}")
        members[arrival.member_id] = decision.member
        posted += [(one.transaction_id, one.amount, one.balance_after) for one in decision.postings]
    bucket: int = rows[0]["bucket"]
    written = await connection.fetch(SQL.transactions_of_bucket, bucket)
    if posted != [tuple(row) for row in written]:
        replayed.differences.append(f"bucket {bucket}: {len(posted)} transactions, {len(written)} were written")
    there = await load_members(connection, dict.fromkeys(members, bucket), _users(members))
    for member_id, member in members.items():
        if member.enrolled_at is not None and member != there[member_id]:
            replayed.differences.append(f"member {member_id}: {member}, is {there[member_id]}")


def _users(members: Mapping[UUID, Member]) -> dict[UUID, str]:
    return {member_id: member.user_id for member_id, member in members.items()}
