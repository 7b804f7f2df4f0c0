"""The views of competitions in the API: leaderboards, entries, draws and winners."""

from msgspec import UNSET, UnsetType

from plaudit.core.goals import SUM_DECIMALS
from plaudit.core.program import Program
from plaudit.view import Time, View

from .compiled import Competition


def score_decimals(program: Program, competition: Competition) -> int:
    """Return how many decimals a competition's scores have."""
    if competition.metric is None:
        return SUM_DECIMALS
    metric = program.metrics.get(competition.metric)
    return metric.decimals if metric else 0


class LeaderboardPlace(View):
    """A place on a leaderboard. Ties: the score that was reached earlier ranks higher."""

    rank: int
    user_id: str
    score: float
    reached_at: Time


class Entry(View):
    """A member's entries in a competition."""

    user_id: str
    entries: int


class DrawnWinner(View):
    """A winner of a draw, with their number of entries."""

    rank: int
    user_id: str
    entries: int | UnsetType = UNSET


class Draw(View, kw_only=True):
    """A draw. The hash of its seed is public from the start, the seed and the winners once it is drawn.

    With the seed and the entries, whose digest is `entriesDigest`, anyone can repeat the draw.
    """

    seed_hash: str | UnsetType = UNSET
    drawn_at: Time | UnsetType | None = UNSET
    seed: str | UnsetType = UNSET
    members: int | UnsetType = UNSET
    entries: int | UnsetType = UNSET
    entries_digest: str | UnsetType = UNSET
    winners: list[DrawnWinner] | UnsetType = UNSET


class Winner(View):
    """A winner: of a draw with their entries, of a ranking with their score, of a league also with their division."""

    rank: int
    user_id: str
    score: float | UnsetType = UNSET
    scope: str | UnsetType | None = UNSET
    entries: int | UnsetType = UNSET


class MemberCompetition(View):
    """A competition with the member's entries, or with their rank, score, and the number of competitors in their `scope`."""

    competition_id: str
    name: str
    status: str
    starts_at: Time | None
    ends_at: Time | None
    entries: int | UnsetType = UNSET
    rank: int | UnsetType | None = UNSET
    score: float | UnsetType | None = UNSET
    of: int | UnsetType | None = UNSET
    scope: str | UnsetType | None = UNSET
