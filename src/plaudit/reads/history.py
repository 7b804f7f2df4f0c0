"""A member's history: achievements with their rewards, combined from the log and the ledger."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import asyncpg
from msgspec import Struct

from plaudit.core.cause import Cause
from plaudit.core.change_summary import BalanceChange, ChangeSummary, summarise
from plaudit.core.ids import bucket_of, derived_id
from plaudit.engine.processed import Outcome, outcome_from
from plaudit.mechanics.registry import MECHANICS
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

ENTRIES_MAX = 1_000
EVENTS_AT_ONCE = 500
BEFORE_ALL = datetime(1, 1, 1, tzinfo=UTC)


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """The results of one campaign, or another cause, at one event.

    `fired`: the effects ran. `step` is the step that was completed, and `completed` says whether the campaign was.
    """

    entry_id: UUID
    at: datetime
    cause: Cause
    fired: bool = False
    step: int | None = None
    completed: bool = False
    changes: ChangeSummary


async def history(
    connection: Connection, member_id: UUID, since: datetime, until: datetime, is_shown: Callable[[HistoryEntry], bool]
) -> list[HistoryEntry]:
    """Return the entries from `since` (inclusive) to `until` (exclusive) that are shown, in chronological order.

    If there are more than 1,000, return at least 1,000, up to the end of a second.
    """
    key = bucket_of(member_id), member_id
    entries: list[HistoryEntry] = []
    after = BEFORE_ALL, 0
    while True:
        rows = await connection.fetch(_SQL.events, *key, since, until, *after, EVENTS_AT_ONCE)
        moved: dict[int, list[BalanceChange]] = defaultdict(list)
        transactions = await connection.fetch(_SQL.transactions, *key, [row["position"] for row in rows])
        for position, metric, amount, balance_after, kind, id_ in transactions:
            moved[position].append(BalanceChange(metric, amount, balance_after, Cause(kind, id_)))
        for row in rows:
            # The caller continues after the last second that is returned, so that second must be complete.
            if len(entries) >= ENTRIES_MAX and row["occurred_at"].replace(microsecond=0) > entries[-1].at.replace(
                microsecond=0
            ):
                return entries
            entries += filter(is_shown, _entries(row, outcome_from(row["outcome"]), moved[row["position"]]))
        if len(rows) < EVENTS_AT_ONCE:
            return entries
        after = rows[-1]["occurred_at"], rows[-1]["position"]


def _entries(row: asyncpg.Record, outcome: Outcome, moved: list[BalanceChange]) -> list[HistoryEntry]:
    shown: dict[Cause, dict[str, Any]] = {}
    for trace in outcome.trace:
        if trace.refusal is not None:
            continue
        steps = cast("dict[str, Any]", trace.progress or {"completed": True})
        if steps.get("done", True):
            completed = bool(steps.get("completed"))
            shown[trace.cause] = {"fired": True, "step": trace.step, "completed": completed}
    for cause in [*(balance_change.cause for balance_change in moved), *(change.cause for change in outcome.items)]:
        shown.setdefault(cause, {})
    if outcome.moves and not shown:
        shown[Cause(_moving_kind(), outcome.moves[0].document_id)] = {}
    # Show moves with the first cause that changed a balance: the log does not say which of several caused them.
    first = next(
        (balance_change.cause for balance_change in moved if balance_change.cause in shown),
        next(iter(shown), None),
    )
    return [
        HistoryEntry(
            entry_id=derived_id(row["event_id"], f"history:{cause.text}"),
            at=row["occurred_at"],
            cause=cause,
            changes=summarise(cause, moved, outcome.items, outcome.moves if cause == first else ()),
            **fields,
        )
        for cause, fields in shown.items()
    ]


def _moving_kind() -> str:
    """Return the kind of the mechanic that moves members. There is only one, as the log does not store the kind."""
    return next(kind for kind, mechanic in MECHANICS.items() if mechanic.moves_members)
