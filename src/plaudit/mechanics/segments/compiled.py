"""Segments as deciding needs them."""

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
    """What is counted of a member's events: how many (`count`), the `sum` of a field, the `days_since` the last.

    `days` is how many local days back, today included; None: ever.
    """

    type: str
    trigger: str
    condition: Condition = ALWAYS
    get: Getter | None = None
    days: int | None = None


class Criterion(Struct, frozen=True, kw_only=True):
    """One criterion of a segment: a `condition` on the member, or a `tally` compared with a value.

    `bounds` are the numbers of days since the last event at which the comparison may turn.
    """

    key: str
    condition: Condition = ALWAYS
    tally: EventTally | None = None
    compare: Compare = bool
    bounds: tuple[int, ...] = ()


class Segment(Struct, frozen=True, kw_only=True):
    """A group of members: a list of users, or criteria. `depends_on` names the parts of a member that it looks at."""

    segment_id: str
    name: str
    active: bool = True
    users: frozenset[str] | None = None
    include: tuple[Criterion, ...] = ()
    exclude: tuple[Criterion, ...] = ()
    depends_on: frozenset[str] = frozenset()
    cause: Cause = UNKNOWN  # follows from its id

    def __post_init__(self) -> None:
        force_setattr(self, "cause", cause_of(self.segment_id))

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """All criteria, by their numbers in traces."""
        return (*self.include, *self.exclude)


_NONE: Mapping[str, Segment] = {}


def segments_in(program: Program) -> Mapping[str, Segment]:
    """Return the segments of a programme by their ids."""
    return program.mechanics.get(KIND, _NONE)


def segment_in(program: Program, segment_id: str) -> Segment | None:
    """Return a segment of a programme; None if there is none of this id."""
    return program.mechanics.get(KIND, _NONE).get(segment_id)
