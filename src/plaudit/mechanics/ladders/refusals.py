"""The reasons why a rung is refused."""

from enum import StrEnum


class LadderRefusal(StrEnum):
    """The refusals of ladders, in order of precedence."""

    ladder_not_found = "ladder_not_found"
    rung_not_found = "rung_not_found"


MEANINGS: dict[str, str] = {
    LadderRefusal.ladder_not_found: "The ladder does not exist or is archived.",
    LadderRefusal.rung_not_found: "The ladder has no such rung.",
}

FORMER: dict[str, str] = {
    "ladder_missing": LadderRefusal.ladder_not_found,
    "rung_missing": LadderRefusal.rung_not_found,
}
