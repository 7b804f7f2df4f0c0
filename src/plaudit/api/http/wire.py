"""Values as clients see them: ids with their prefixes, times in milliseconds."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from plaudit.bounds import EventKey, UserId
from plaudit.core.ids import event_id_of, event_name
from plaudit.core.metrics import to_number
from plaudit.core.program import Program
from plaudit.view import optional_time, time_text

Json = dict[str, Any]

__all__ = [
    "AFTER_ALL",
    "EventKey",
    "Json",
    "UserId",
    "amount_view",
    "event_ids_named",
    "event_name",
    "optional_time",
    "time_text",
    "uuid_in",
]


def event_ids_named(org_id: UUID, name: str) -> list[UUID]:
    """Return the possible ids of an event: its name may be the client's key or, after `evt_`, the id."""
    ids = [event_id_of(org_id, name)]
    event_id = uuid_in(name, "evt_")
    return ids if event_id is None else [event_id, *ids]


def amount_view(program: Program, metric_id: str, scaled: int) -> int | float:
    """Return an amount as a number. A metric that was deleted counts as one without decimals."""
    metric = program.metrics.get(metric_id)
    return to_number(scaled, metric.decimals if metric is not None else 0)


def uuid_in(name: str, prefix: str) -> UUID | None:
    """Return the UUID after a prefix, or None if the name does not have that form."""
    try:
        return UUID(name.removeprefix(prefix)) if name.startswith(prefix) else None
    except ValueError:
        return None


# The start of a list that is read newest first.
AFTER_ALL = datetime(9000, 1, 1, tzinfo=UTC)
