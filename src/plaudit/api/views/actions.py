"""Response types for reported actions."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from msgspec import UNSET, UnsetType

from plaudit.api.views.decision import Outcome
from plaudit.errors import PlauditError
from plaudit.ingest.actions import AcceptedAction

from .base import View

Status = Literal["accepted", "duplicate", "refused"]


class ActionReceipt(View):
    """A reported action. `processed` is true and `outcome` is present if the caller waited for it (`Prefer: wait=N`)."""

    event_id: str
    processed: bool
    message: str
    outcome: Outcome | UnsetType = UNSET


class FieldProblem(View):
    """An invalid field, by its path in the request, and what is wrong with it."""

    field: str
    message: str


class Problem(View):
    """Why a part of a request was refused."""

    message: str
    code: str
    details: list[FieldProblem] | UnsetType = UNSET


class ActionResult(View):
    """The result of one action of several. `index` is its position in the request, from 0."""

    index: int
    status: Status
    event_id: str | UnsetType = UNSET
    error: Problem | UnsetType = UNSET


class ActionBatchResult(View):
    """The results of a batch: the counts, and each action in the order of the request."""

    accepted: int
    duplicate: int
    refused: int
    results: list[ActionResult]


class IngestResult(View, kw_only=True):
    """The results of a request's events: the counts, and each event in the order of the request.

    If any event was refused, `success` is false and there is an `error`.
    """

    success: bool
    accepted: int
    refused: int
    error: Problem | UnsetType = UNSET
    results: list[ActionResult]


class TrackResult(View):
    """The call was accepted."""

    success: bool


def problem_of(error: PlauditError) -> Problem:
    """Return the error of a part of a request, as clients see it."""
    details = [FieldProblem(field=field.field, message=field.message) for field in error.fields]
    return Problem(message=error.message, code=error.code, details=details or UNSET)


def action_results(results: Sequence[AcceptedAction | PlauditError]) -> list[ActionResult]:
    """Return the result of each action."""
    return [
        ActionResult(index=index, status="refused", error=problem_of(result))
        if isinstance(result, PlauditError)
        else ActionResult(index=index, status="accepted" if result.new else "duplicate", event_id=result.event)
        for index, result in enumerate(results)
    ]


def batch_result(results: Sequence[AcceptedAction | PlauditError]) -> ActionBatchResult:
    """Return the result of a batch."""
    views = action_results(results)
    counts = Counter(result.status for result in views)
    return ActionBatchResult(
        accepted=counts["accepted"], duplicate=counts["duplicate"], refused=counts["refused"], results=views
    )


def ingest_result(results: Sequence[AcceptedAction | PlauditError], error: Problem | UnsetType = UNSET) -> IngestResult:
    """Return the result of a request in another system's format."""
    refused = sum(isinstance(result, PlauditError) for result in results)
    return IngestResult(
        success=refused == 0,
        accepted=len(results) - refused,
        refused=refused,
        error=error,
        results=action_results(results),
    )
