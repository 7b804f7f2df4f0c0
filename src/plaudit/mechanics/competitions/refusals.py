"""Why entries or a prize are refused."""

from enum import StrEnum


class CompetitionRefusal(StrEnum):
    """The refusals of competitions, in order of precedence."""

    competition_not_found = "competition_not_found"
    competition_not_open = "competition_not_open"
    excluded_from_competition = "excluded_from_competition"


MEANINGS: dict[str, str] = {
    CompetitionRefusal.competition_not_found: "The competition, or the prize, does not exist.",
    CompetitionRefusal.competition_not_open: "The competition is not open. It is not active, or the event lies outside `startDate` and `endDate`.",
    CompetitionRefusal.excluded_from_competition: "The member is excluded from the competition (`excludedUserIds`).",
}

FORMER: dict[str, str] = {"competition_missing": CompetitionRefusal.competition_not_found}
