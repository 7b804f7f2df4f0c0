"""Competitions: contests that members enter."""

from collections.abc import Sequence
from typing import Literal

from plaudit.errors import FieldError

from .base import Document, DocumentKind, Instant


class Competition(Document, kw_only=True):
    """Entries are taken from `startDate` until before `endDate`, while the competition is active."""

    status: Literal["draft", "active", "completed", "archived"] = "active"
    start_date: Instant | None = None
    end_date: Instant | None = None


def _check(competition: Competition) -> Sequence[FieldError]:
    start, end = competition.start_date, competition.end_date
    if start and end and end <= start:
        return [FieldError("endDate", "must be after startDate")]
    return ()


KIND = DocumentKind(
    name="competition",
    title="Competition",
    collection="competitions",
    id_field="competitionId",
    id_prefix="comp_",
    type=Competition,
    filters=("status",),
    check=_check,
)
