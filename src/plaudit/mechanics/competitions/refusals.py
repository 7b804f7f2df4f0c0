"""The reasons why entries or a prize are refused, and the errors of the competitions' operations."""

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

# The errors of its operations.
ERROR_CODES: dict[str, tuple[tuple[int, ...], str]] = {
    "competition_open": ((409,), "The competition is still open. Winners are drawn after its `endDate`."),
    "is_a_ranking": ((400,), "A competition with a `score` has no draw: its prizes are for its ranks."),
    "not_a_ranking": ((400,), "The competition has no `score`, so it has no leaderboard."),
    "round_not_found": ((404,), "The league has no such round, or it has not been played yet."),
}
