"""Compiled segments."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import force_setattr

from plaudit.core.cause import UNKNOWN, Cause
from plaudit.core.conditions import ALWAYS, Condition
from plaudit.core.fields import Getter
from plaudit.core.operators import Compare
from plaudit.core.program import Program

from .state import KIND, cause_of


class EventTally(Struct, frozen=True, kw_only=True):
    """A number worked out from a member's events: their `count`, the `sum` of a field, or the `days_since` the last one.

    `days` limits it to a number of local days, including today; None: no limit.
    """

    type: str
    trigger: str
    condition: Condition = ALWAYS
    get: Getter | None = None
    days: int | None = None


class Criterion(Struct, frozen=True, kw_only=True):
    """One criterion of a segment: a `condition` on the member, or a `tally` compared with a value.

    `bounds` are the numbers of days since the last event at which the comparison's result can change.
    """

    key: str
    condition: Condition = ALWAYS
    tally: EventTally | None = None
    compare: Compare = bool
    bounds: tuple[int, ...] = ()


class Segment(Struct, frozen=True, kw_only=True):
    """A compiled segment: a list of users, or criteria. `depends_on` are the parts of a member that the criteria read."""

    segment_id: str
    name: str
    active: bool = True
    users: frozenset[str] | None = None
    include: tuple[Criterion, ...] = ()
    exclude: tuple[Criterion, ...] = ()
    depends_on: frozenset[str] = frozenset()
    cause: Cause = UNKNOWN  # derived from the id

    def __post_init__(self) -> None:
        force_setattr(self, "cause", cause_of(self.segment_id))

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """All criteria, in the order of their indexes in traces."""
        return (*self.include, *self.exclude)


_NONE: Mapping[str, Segment] = {}


def segments_in(program: Program) -> Mapping[str, Segment]:
    """Return a programme's segments by id."""
    return program.mechanics.get(KIND, _NONE)


def segment_in(program: Program, segment_id: str) -> Segment | None:
    """Return the programme's segment with this id, or None."""
    return program.mechanics.get(KIND, _NONE).get(segment_id)
