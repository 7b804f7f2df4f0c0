"""Past rounds of leagues, with their places and winners."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.mechanics.competitions.leagues import PLACES_KEPT
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .leaderboards import RankedMember

_SQL = queries_beside(__file__)


class RoundMove(Struct, rename={"from_": "from", "user_id": "userId"}):
    """A member who moved to another `division` or won the prize of a `band` in a round."""

    user_id: str
    from_: str
    rank: int
    score: int
    division: str | None = None
    band: int | None = None


class Placed(Struct, rename={"user_id": "userId"}):
    """A member's place in a settled round, as stored."""

    user_id: str
    scope: str
    rank: int
    score: int
    reached_at: datetime


class Round(Struct):
    """The stored result of a round. Earlier versions stored only the places of members who moved or won."""

    moved: list[RoundMove] = []
    places: list[Placed] = []
    members: dict[str, int] = {}


class Settled(Struct, frozen=True):
    """A settled round."""

    name: str
    settled_at: datetime
    round: Round


class PastBoard(Struct, frozen=True):
    """The leaderboard of a division in a past round: its first places, and the number of members."""

    places: Sequence[RankedMember]
    count: int

    def top(self, first: int, number: int) -> list[RankedMember]:
        """Return the places from rank `first` on."""
        return [place for place in self.places if place.rank >= first][:number]

    def around(self, user_id: str, number: int) -> list[RankedMember]:
        """Return the places around a member, equally many before and after."""
        places = self.among([user_id])
        return self.top(max(1, places[0].rank - number // 2), number) if places else []

    def among(self, user_ids: Sequence[str]) -> list[RankedMember]:
        """Return the places of these members, by rank."""
        return [place for place in self.places if place.user_id in user_ids]

    def __len__(self) -> int:
        return self.count


_DECODER = msgspec.json.Decoder(Round)


async def settled(connection: Connection, org_id: UUID, competition_id: str, name: str | None) -> Settled | None:
    """Return the settled round with this name, or the latest one, or None."""
    row = await connection.fetchrow(_SQL.settled, org_id, competition_id, name)
    return None if row is None else Settled(row["round"], row["settled_at"], _DECODER.decode(row["result"]))


async def board_of(
    connection: Connection, org_id: UUID, competition_id: str, scope: str, name: str
) -> PastBoard | None:
    """Return the leaderboard of a division in a past round, or None if the round is unknown."""
    settled_round = await settled(connection, org_id, competition_id, name)
    if settled_round is None:
        rows = await connection.fetch(_SQL.unsettled, org_id, competition_id, name, scope, PLACES_KEPT)
        places = [RankedMember(row["rank"], row["user_id"], row["score"], row["reached_at"]) for row in rows]
        return PastBoard(places, rows[0]["members"]) if rows else None
    stored = settled_round.round
    places = [
        RankedMember(placed.rank, placed.user_id, placed.score, placed.reached_at)
        for placed in stored.places
        if placed.scope == scope
    ]
    if not stored.members:  # stored by an earlier version
        places = [
            RankedMember(round_move.rank, round_move.user_id, round_move.score, settled_round.settled_at)
            for round_move in stored.moved
            if round_move.from_ == scope
        ]
    places.sort(key=lambda place: place.rank)
    return PastBoard(places, stored.members.get(scope, len(places)))
