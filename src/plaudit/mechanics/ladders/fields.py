"""The fields of ladders in conditions, formulas and profiles."""

from collections.abc import Mapping
from typing import Any, Final

from plaudit.core.profile_fields import MISSING, Keeper, ProfileField, ProfileSource

from .compiled import Ladder
from .state import KIND, LadderState, ladders_of

FIRST_RUNG: Final = "tier"  # the profile field with the rung on the first ladder


def _first_rung(source: ProfileSource) -> Any:
    ladders: Mapping[str, Ladder] = source.mechanics.get(KIND, {})
    for ladder_id, ladder in ladders.items():
        state = ladders_of(source.member).get(ladder_id)
        return None if state is None else _rung_id(ladder, state)
    return MISSING


def ladder_fields(ladder: Ladder | None, state: LadderState) -> dict[str, Any]:
    """Return a ladder's fields for conditions and formulas; `ladder` is None if it was deleted."""
    return {"rung": None if ladder is None else _rung_id(ladder, state), "number": state.effective + 1}


def _rung_id(ladder: Ladder, state: LadderState) -> str | None:
    rung = state.effective
    return ladder.rungs[rung].rung_id if 0 <= rung < len(ladder.rungs) else None


def path_of(field: str, ladders: Mapping[str, Ladder]) -> str | None:
    """Return the path of the rung on the first ladder if `field` stands for it, or None."""
    first = next(iter(ladders), None)
    return f"ladders.{first}.rung" if field == FIRST_RUNG and first is not None else None


PROFILE_FIELDS = (
    ProfileField(
        name=FIRST_RUNG, type="string", group="loyalty", kept_by=Keeper.engine, parts=("ladders",), value=_first_rung,
        about="`tier` is the rung on the first ladder.",
    ),
)  # fmt: skip
