"""Replays the log from the beginning: decides each event by its own programme version, with its own refused claims."""

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

_LESS_DETAILED_BEFORE = {"progress", "balances"}  # parts of which earlier versions stored fewer details

Posted = tuple[UUID, int, int]  # a transaction: its id, amount, and the balance after it


class ReplayResult(Struct):
    """The number of events decided again, the differences from the tables, and the further checks (`recount`).

    `not_comparable` are members whose replay differs because their log used a document that this version can no longer
    compile.
    """

    events: int = 0
    differences: list[str] = field(default_factory=list[str])
    not_comparable: list[str] = field(default_factory=list[str])
    recount: Recount = field(default_factory=Recount)


class _Bucket(Struct):
    """The result of deciding a bucket's log again, with the metrics of each member's last programme.

    `doubtful` are members whose log used a programme of which a part is out of force today.
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
    result = _Bucket()
    for row in rows:
        key = (row["org_id"], row["program_version"])
        if key not in programmes:
            programmes[key] = await load_at_version(connection, *key)
        programme = programmes[key]
        outcome, arrival = outcome_from(row["outcome"]), logged(row)
        member_id = arrival.member_id
        recount.see_event(arrival, outcome.trace, programme)
        member = result.members.get(member_id) or Member(member_id=member_id, user_id=arrival.user_id)
        decision = decide_one(programme.compiled, member, arrival.event(), frozenset(outcome.refused))
        if programme.out_of_force:
            result.doubtful.add(member_id)
        if (decision.refusal is None) != (row["state"] == "processed"):
            result.wrong.append((member_id, f"event {arrival.event_id}: {decision.refusal}, was {row['state']}"))
        result.members[member_id] = decision.member
        result.metrics[member_id] = programme.compiled.metrics
        result.posted += [
            (member_id, (transaction.transaction_id, transaction.amount, transaction.balance_after))
            for transaction in decision.transactions
        ]
    return result


async def _compare(connection: Connection, bucket: int, decided: _Bucket, replayed: ReplayResult) -> None:
    wrong = list(decided.wrong)
    stored = await load_members(connection, dict.fromkeys(decided.members, bucket), _users(decided.members))
    for member_id, member in decided.members.items():
        parts = _differing_parts(member, stored[member_id])
        if parts and {*parts} <= _LESS_DETAILED_BEFORE | {mechanic.collection for mechanic in MECHANICS.values()}:
            parts = _differing_parts(_comparable(member, stored[member_id]), stored[member_id])
        if member.enrolled_at is not None:
            replayed.recount.see_member(stored[member_id], decided.metrics[member_id])
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
    posted, expected = (
        [entry for entry in entries if entry[0] not in doubtful] for entries in (decided.posted, written)
    )
    if posted != expected:
        replayed.differences.append(f"bucket {bucket}: {len(posted)} transactions, {len(expected)} were written")


def _differing_parts(member: Member, stored: Member) -> list[str]:
    parts = [name for name in member.__struct_fields__ if getattr(member, name) != getattr(stored, name)]
    if "states" not in parts:
        return parts
    parts.remove("states")
    for kind, mechanic in MECHANICS.items():
        states, stored_states = member.states.get(kind, {}), stored.states.get(kind, {})
        if states != stored_states:
            parts += [table.name for table in mechanic.tables if _parts(table, states) != _parts(table, stored_states)]
            parts += [] if mechanic.tables else [mechanic.collection]
    return parts


def _parts(table: StateTable, states: Mapping[str, Any]) -> dict[str, Any]:
    parts = {key: table.part(state) for key, state in states.items()}
    return {key: part for key, part in parts.items() if part is not None}


def _comparable(member: Member, stored: Member) -> Member:
    """Return a replayed member without the details that the version that stored `stored` did not record."""
    return structs.replace(
        member,
        progress=_comparable_progress(member, stored),
        states={
            kind: {
                document_id: MECHANICS[kind].comparable_state(state, stored.states.get(kind, {}).get(document_id))
                for document_id, state in states.items()
            }
            for kind, states in member.states.items()
        },
        balances={
            balance_id: _comparable_balance(balance, stored.balances.get(balance_id))
            for balance_id, balance in member.balances.items()
        },
    )


def _comparable_progress(member: Member, stored: Member) -> dict[str, Progress]:
    """Return the progress without times, early events and windows that are not stored."""
    comparable: dict[str, Progress] = {}
    for campaign_id, progress in member.progress.items():
        stored_progress = stored.progress.get(campaign_id, Progress())
        steps: dict[int, StepProgress] = {}
        for step_index, step in progress.steps.items():
            stored_step = stored_progress.steps.get(step_index, StepProgress())
            older = max(len(step.times) - len(stored_step.times), 0)
            comparable_step = structs.replace(
                step,
                seen=step.seen[older:],
                times=step.times[older:],
                last_at=None if stored_step.last_at is None else step.last_at,
                early=tuple(item for item in step.early if item in stored_step.early),
                windows=tuple(window for window in step.windows if window in stored_step.windows),
            )
            if step_index in stored_progress.steps or comparable_step != StepProgress():
                steps[step_index] = comparable_step
        comparable_progress = structs.replace(progress, steps=steps)
        if campaign_id in stored.progress or comparable_progress != Progress():
            comparable[campaign_id] = comparable_progress
    return comparable


def _comparable_balance(balance: Balance, stored: Balance | None) -> Balance:
    """Return a balance without the sums for caps that are not stored, and with the stored activity if it is incomplete."""
    book = balance.book
    if book is None or stored is None or stored.book is None:
        return balance
    is_complete = stored.book.active and stored.book.active[0][0]
    credited = {key: amount for key, amount in book.credited.items() if key in stored.book.credited}
    active = book.active if is_complete else stored.book.active
    return structs.replace(balance, book=structs.replace(book, credited=credited, active=active))


def _users(members: Mapping[UUID, Member]) -> dict[UUID, str]:
    return {member_id: member.user_id for member_id, member in members.items()}
