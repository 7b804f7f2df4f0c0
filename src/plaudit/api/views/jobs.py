"""Response types of the operations on bulk jobs and rollbacks."""

from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType, defstruct

from plaudit.api.http.wire import time_text
from plaudit.chores.rollbacks import KIND, rollback_view
from plaudit.mechanics.registry import MECHANICS
from plaudit.storage import jobs
from plaudit.storage.programmes import Programme

from .base import Json, Time, View, page_of, view_from

PREFIX = "job_"


class Reconciliation(View):
    """What a file's lines contain of a metric, and what was posted."""

    metric: str
    given: float
    booked: float
    agrees: bool


def _counts(*, in_own_tables: bool) -> list[tuple[str, Any, Any]]:
    return [
        (name, int | UnsetType, UNSET)
        for mechanic in MECHANICS.values()
        if bool(mechanic.tables) is in_own_tables
        for name in mechanic.undone_counts
    ]


if TYPE_CHECKING:
    Undone = View
else:
    Undone = defstruct(
        "Undone",
        [
            ("metrics", dict[str, float]),
            *((name, int | UnsetType, UNSET) for name in ("transfers", "products", "coupons")),
            *_counts(in_own_tables=True),
            *((name, int | UnsetType, UNSET) for name in ("notifications", "completions")),
            *_counts(in_own_tables=False),
        ],
        bases=(View,),
        kw_only=True,
        rename="camel",
        namespace={"__doc__": "What a rollback has undone, by type."},
    )


class LostAmount(View):
    """How much of a metric members had already spent, and the number of members."""

    amount: float
    members: int


class LostItems(View):
    """How many items could not be recovered, and from how many members."""

    number: int
    members: int


class SentOn(View):
    """An amount that a member had transferred to another, who keeps it for this `reason`."""

    to_user_id: str
    metric: str
    amount: float
    reason: str | None


class NotRecovered(View):
    """What a rollback could not recover."""

    metrics: dict[str, LostAmount]
    products: LostItems | UnsetType = UNSET
    coupons: LostItems | UnsetType = UNSET
    sent_on: list[SentOn] | UnsetType = UNSET


class RollbackState(View):
    """A rollback's progress. `members` is the number of members concerned."""

    campaign_id: str
    since: Time = msgspec.field(name="from")
    until: Time
    user_ids: list[str] | None
    dry_run: bool
    members: int
    undone: Undone
    not_recovered: NotRecovered


class UndoResult(View):
    """The results of an event that were undone. `changed` is false if there was nothing to undo."""

    event_id: str
    campaign_id: str
    user_id: str
    changed: bool
    undone: Undone
    not_recovered: NotRecovered


class Job(View):
    """A bulk job with its progress. A rollback shows what it has undone."""

    job_id: str
    kind: str
    state: Literal["running", "finished", "failed", "cancelled"]
    lines: int
    accepted: int
    unchanged: int
    refused: int
    reconciliation: list[Reconciliation]
    timers_wait_until: Time | None
    begun_at: Time
    moved_at: Time
    begun_by: str
    rollback: RollbackState | UnsetType = UNSET


class LineError(View):
    """An invalid field of a line."""

    field: str
    message: str


class RejectedLine(View):
    """A line that was rejected, and why."""

    line: int
    message: str
    details: list[LineError]


class JobReport(Job, kw_only=True):
    """A bulk job with a page of its rejected lines."""

    errors: list[RejectedLine]
    cursor: str | None


JobList = page_of(Job, "jobs")


def job_view(programme: Programme, row: Json, of: type[Job] = Job, **others: Any) -> Job:
    """Return a job as clients see it. `others` are further fields of the view type."""
    job = jobs.job_of(row)
    held = jobs.held_until(job, row["state"], row["moved_at"])
    is_rollback = job.kind == KIND
    return of(
        job_id=f"{PREFIX}{job.job_id}",
        kind=job.kind,
        state=row["state"],
        lines=job.lines,
        accepted=job.accepted,
        unchanged=job.unchanged,
        refused=job.refused,
        reconciliation=[view_from(Reconciliation, line) for line in jobs.reconciliation(programme, job)],
        timers_wait_until=None if held is None else time_text(held),
        begun_at=time_text(row["begun_at"]),
        moved_at=time_text(row["moved_at"]),
        begun_by=row["begun_by"],
        rollback=view_from(RollbackState, rollback_view(programme, row)) if is_rollback else UNSET,
        **others,
    )
