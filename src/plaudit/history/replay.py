"""Replay the log from the beginning: each event is decided by its own programme version, with its claims."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from msgspec import Struct, field, structs

from plaudit.core.decide_one import decide_one
from plaudit.core.member import Balance, Member, Progress, StateTable, StepProgress
from plaudit.core.metrics import Metric
from plaudit.engine.arrival import logged
from plaudit.engine.members import load_members
from plaudit.engine.processed import outcome_from
from plaudit.mechanics.registry import MECHANICS
from plaudit.storage.postgres import Connection
from plaudit.storage.programmes import Programme, load_at_version
from plaudit.storage.queries import queries_beside

from .recount import Recount

_SQL = queries_beside(__file__)

_ONCE_OTHERWISE = {"progress", "balances"}  # which earlier versions kept less of

Posted = tuple[UUID, int, int]  # a transaction: its id, amount, and the balance after it


class ReplayResult(Struct):
    """How many events were decided again, and where that came out otherwise than the tables say.

    `not_comparable` are members for whom it did, and who met a programme with a document that is out of force today:
    an earlier version of Plaudit carried that out, and this one cannot. `recount` has what else was found on the way.
    """

    events: int = 0
    differences: list[str] = field(default_factory=list[str])
    not_comparable: list[str] = field(default_factory=list[str])
    recount: Recount = field(default_factory=Recount)


class _Bucket(Struct):
    """What came out of the log of a bucket, with the metrics that each member's last event was judged by.

    `doubtful` members met a programme that is not wholly in force today.
    """

    members: dict[UUID, Member] = field(default_factory=dict[UUID, Member])
    metrics: dict[UUID, Mapping[str, Metric]] = field(default_factory=dict[UUID, Mapping[str, Metric]])
    posted: list[tuple[UUID, Posted]] = field(default_factory=list[tuple[UUID, Posted]])
    doubtful: set[UUID] = field(default_factory=set[UUID])
    wrong: list[tuple[UUID, str]] = field(default_factory=list[tuple[UUID, str]])


async def replay(connection: Connection) -> ReplayResult:
    """Decide the whole log again, bucket by bucket, and compare the result with the tables. Change nothing."""
    replayed = ReplayResult()
    programmes: dict[tuple[UUID, int], Programme] = {}
    for row in await connection.fetch(_SQL.buckets):
        bucket = row["bucket"]
        rows = [dict(row) for row in await connection.fetch(_SQL.log_of_bucket, bucket)]
        decided = await _decided_again(connection, rows, programmes, replayed.recount)
        replayed.events += len(rows)
        await _compare(connection, bucket, decided, replayed)
    return replayed


async def _decided_again(
    connection: Connection, rows: list[dict[str, Any]], programmes: dict[tuple[UUID, int], Programme], recount: Recount
) -> _Bucket:
    found = _Bucket()
    for row in rows:
        key = (row["org_id"], row["program_version"])
        if key not in programmes:
            programmes[key] = await load_at_version(connection, *key)
        programme = programmes[key]
        outcome, arrival = outcome_from(row["outcome"]), logged(row)
        member_id = arrival.member_id
        recount.see_event(arrival, outcome.trace, programme)
        member = found.members.get(member_id) or Member(member_id=member_id, user_id=arrival.user_id)
        decision = decide_one(programme.compiled, member, arrival.event(), frozenset(outcome.refused))
        if programme.out_of_force:
            found.doubtful.add(member_id)
        if (decision.refusal is None) != (row["state"] == "processed"):
            found.wrong.append((member_id, f"event {arrival.event_id}: {decision.refusal}, was {row['state']}"))
        found.members[member_id] = decision.member
        found.metrics[member_id] = programme.compiled.metrics
        found.posted += [
            (member_id, (transaction.transaction_id, transaction.amount, transaction.balance_after))
            for transaction in decision.transactions
        ]
    return found


async def _compare(connection: Connection, bucket: int, decided: _Bucket, replayed: ReplayResult) -> None:
    wrong = list(decided.wrong)
    there = await load_members(connection, dict.fromkeys(decided.members, bucket), _users(decided.members))
    for member_id, member in decided.members.items():
        parts = _differing(member, there[member_id])
        if parts and {*parts} <= _ONCE_OTHERWISE | {mechanic.collection for mechanic in MECHANICS.values()}:
            parts = _differing(_as_earlier_versions_kept(member, there[member_id]), there[member_id])
        if member.enrolled_at is not None:
            replayed.recount.see_member(there[member_id], decided.metrics[member_id])
        if member.enrolled_at is not None and parts:
            wrong.append((member_id, f"member {member_id}: {', '.join(parts)}"))
    written = [
        (row["member_id"], (row["transaction_id"], row["amount"], row["balance_after"]))
        for row in await connection.fetch(_SQL.transactions_of_bucket, bucket)
    ]
    differing = {member_id for member_id, _ in wrong}
    if decided.posted != written:
        differing |= {member_id for member_id, _ in {*decided.posted} ^ {*written}}
    doubtful = decided.doubtful & differing
    replayed.not_comparable += [f"member {member_id}" for member_id in sorted(doubtful)]
    replayed.differences += [text for member_id, text in wrong if member_id not in doubtful]
    posted, kept = ([entry for entry in entries if entry[0] not in doubtful] for entries in (decided.posted, written))
    if posted != kept:
        replayed.differences.append(f"bucket {bucket}: {len(posted)} transactions, {len(kept)} were written")


def _differing(member: Member, kept: Member) -> list[str]:
    parts = [name for name in member.__struct_fields__ if getattr(member, name) != getattr(kept, name)]
    if "states" not in parts:
        return parts
    parts.remove("states")
    for kind, mechanic in MECHANICS.items():
        states, others = member.states.get(kind, {}), kept.states.get(kind, {})
        if states != others:
            parts += [table.name for table in mechanic.tables if _parts(table, states) != _parts(table, others)]
            parts += [] if mechanic.tables else [mechanic.collection]
    return parts


def _parts(table: StateTable, states: Mapping[str, Any]) -> dict[str, Any]:
    parts = {key: table.part(state) for key, state in states.items()}
    return {key: part for key, part in parts.items() if part is not None}


def _as_earlier_versions_kept(member: Member, kept: Member) -> Member:
    """Return a member without what earlier versions did not remember."""
    return structs.replace(
        member,
        progress=_progress_as_kept(member, kept),
        states={
            kind: {
                key: MECHANICS[kind].comparable_state(state, kept.states.get(kind, {}).get(key))
                for key, state in states.items()
            }
            for kind, states in member.states.items()
        },
        balances={
            balance_id: _balance_as_kept(balance, kept.balances.get(balance_id))
            for balance_id, balance in member.balances.items()
        },
    )


def _progress_as_kept(member: Member, kept: Member) -> dict[str, Progress]:
    """When steps last counted, what came before they were open, and what was in windows that are over."""
    progress: dict[str, Progress] = {}
    for campaign_id, value in member.progress.items():
        old = kept.progress.get(campaign_id, Progress())
        steps: dict[int, StepProgress] = {}
        for number, step in value.steps.items():
            was = old.steps.get(number, StepProgress())
            older = max(len(step.times) - len(was.times), 0)
            shown = structs.replace(
                step,
                seen=step.seen[older:],
                times=step.times[older:],
                last_at=None if was.last_at is None else step.last_at,
                early=tuple(item for item in step.early if item in was.early),
                windows=tuple(window for window in step.windows if window in was.windows),
            )
            if number in old.steps or shown != StepProgress():
                steps[number] = shown
        shown_progress = structs.replace(value, steps=steps)
        if campaign_id in kept.progress or shown_progress != Progress():
            progress[campaign_id] = shown_progress
    return progress


def _balance_as_kept(balance: Balance, was: Balance | None) -> Balance:
    """Sums of long ago for caps; and when the member was active: always, it is taken, where it is not known."""
    book = balance.book
    if book is None or was is None or was.book is None:
        return balance
    known = was.book.active and was.book.active[0][0]
    credited = {key: amount for key, amount in book.credited.items() if key in was.book.credited}
    active = book.active if known else was.book.active
    return structs.replace(balance, book=structs.replace(book, credited=credited, active=active))


def _users(members: Mapping[UUID, Member]) -> dict[UUID, str]:
    return {member_id: member.user_id for member_id, member in members.items()}
