"""Compiled ladders."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import force_setattr

from plaudit.core.cause import UNKNOWN, Cause
from plaudit.core.program import Effect, Program

from .state import KIND, cause_of


class Rung(Struct, frozen=True, kw_only=True):
    """A rung of a ladder. `effects_once`: its effects run only the first time that a member reaches it."""

    rung_id: str
    name: str
    threshold: int
    perks: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    effects_once: bool = True


class Ladder(Struct, frozen=True, kw_only=True):
    """A compiled ladder: rungs in ascending order, reached by the amount of a metric earned in a `window` (see `rules`)."""

    ladder_id: str
    name: str
    metric: str
    rungs: tuple[Rung, ...]
    window: str = "all_time"
    days: int | None = None
    soft_landing: bool = False
    grace_days: int = 0
    rung_ids: tuple[str, ...] = ()  # the ids of `rungs`, in order
    cause: Cause = UNKNOWN  # derived from the id

    def __post_init__(self) -> None:
        force_setattr(self, "cause", cause_of(self.ladder_id))

    @property
    def never_ends(self) -> bool:
        """Whether the window never ends, so that members only move down when earnings are reversed."""
        return self.window == "all_time"

    @property
    def windows_kept(self) -> int:
        """How many windows (for a rolling one, days) a state stores: all those on which the current rung may be based."""
        if self.days is not None:
            return 2 * self.days + self.grace_days + 1
        return 3 if self.grace_days < 365 else 4


_NONE: Mapping[str, Ladder] = {}


def ladders_in(program: Program) -> Mapping[str, Ladder]:
    """Return a programme's active ladders by id."""
    return program.mechanics.get(KIND, _NONE)
