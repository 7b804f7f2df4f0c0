"""What conditions, formulas and profiles see of a member's ladders."""

from collections.abc import Mapping
from typing import Any, Final

from plaudit.core.profile_fields import MISSING, Keeper, ProfileField, ProfileSource

from .compiled import Ladder
from .state import KIND, LadderState, ladders_of

FIRST_RUNG: Final = "tier"  # what the profile calls the rung on the first ladder


def _first_rung(source: ProfileSource) -> Any:
    ladders: Mapping[str, Ladder] = source.mechanics.get(KIND, {})
    for ladder_id, ladder in ladders.items():
        state = ladders_of(source.member).get(ladder_id)
        return None if state is None else _rung_id(ladder, state)
    return MISSING


def ladder_fields(ladder: Ladder | None, state: LadderState) -> dict[str, Any]:
    """Return what conditions and formulas see of a ladder, which may have gone."""
    return {"rung": None if ladder is None else _rung_id(ladder, state), "number": state.effective + 1}


def _rung_id(ladder: Ladder, state: LadderState) -> str | None:
    rung = state.effective
    return ladder.rungs[rung].rung_id if 0 <= rung < len(ladder.rungs) else None


def path_of(field: str, ladders: Mapping[str, Ladder]) -> str | None:
    """Return the path to the rung on the first ladder, if a field means that and there is one."""
    first = next(iter(ladders), None)
    return f"ladders.{first}.rung" if field == FIRST_RUNG and first is not None else None


PROFILE_FIELDS = (
    ProfileField(
        name=FIRST_RUNG, type="string", group="loyalty", kept_by=Keeper.engine, parts=("ladders",), value=_first_rung,
        about="`tier` is the rung on the first ladder.",
    ),
)  # fmt: skip
