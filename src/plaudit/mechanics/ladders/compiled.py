"""Ladders as deciding needs them."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import force_setattr

from plaudit.core.cause import UNKNOWN, Cause
from plaudit.core.program import Effect, Program

from .state import KIND, cause_of


class Rung(Struct, frozen=True, kw_only=True):
    """A place on a ladder. `effects_once`: its effects happen only the first time that a member gets there."""

    rung_id: str
    name: str
    threshold: int
    perks: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    effects_once: bool = True


class Ladder(Struct, frozen=True, kw_only=True):
    """Rungs in ascending order by what was earned of a metric within a `window` (see `rules`)."""

    ladder_id: str
    name: str
    metric: str
    rungs: tuple[Rung, ...]
    window: str = "all_time"
    days: int | None = None
    soft_landing: bool = False
    grace_days: int = 0
    rung_ids: tuple[str, ...] = ()  # of the rungs, in their order: worked out once
    cause: Cause = UNKNOWN  # follows from its id

    def __post_init__(self) -> None:
        force_setattr(self, "cause", cause_of(self.ladder_id))

    @property
    def never_down(self) -> bool:
        """Whether members never move down."""
        return self.window == "all_time"

    @property
    def windows_kept(self) -> int:
        """How many windows (days, for a rolling one) are remembered of a member: all that the present rung may stand on."""
        if self.days is not None:
            return 2 * self.days + self.grace_days + 1
        return 3 if self.grace_days < 365 else 4


_NONE: Mapping[str, Ladder] = {}


def ladders_in(program: Program) -> Mapping[str, Ladder]:
    """Return the ladders of a programme that are active, by their ids."""
    return program.mechanics.get(KIND, _NONE)
