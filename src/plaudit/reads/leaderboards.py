"""Leaderboards in memory: exact ranks in microseconds, updated from the standings at each read.

A leaderboard is built on first use. It follows the positions of the buckets' logs, which become visible in order, so no
change is missed. Nothing is stored outside PostgreSQL.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from msgspec import Struct
from sortedcontainers import SortedList

from plaudit.core.ids import BUCKET_COUNT, bucket_of, member_id_of
from plaudit.storage.postgres import Connection, Pool
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

BOARDS_MAX = 64  # leaderboards in memory; the least recently used one is dropped first

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCORE_MAX = 1 << 63
_MEMBER_BITS = 128
_TIME_BITS = 64


class RankedMember(Struct, frozen=True):
    """A member's place on a leaderboard. `rank` counts from 1."""

    rank: int
    user_id: str
    score: int
    reached_at: datetime


def order_key(score: int, reached_at: datetime, member_id: UUID) -> int:
    """Return a number to sort by: the highest score first. Ties: the earliest to reach it, then the smaller id."""
    microseconds = (reached_at - _EPOCH) // timedelta(microseconds=1)
    return (_SCORE_MAX - score) << (_TIME_BITS + _MEMBER_BITS) | microseconds << _MEMBER_BITS | member_id.int


class Leaderboard:
    """The leaderboard of a competition, or of one scope of it; in a league, of one round."""

    def __init__(self, org_id: UUID, competition_id: str, scope: str | None, round_: str = "") -> None:
        self._round = round_
        self._org_id = org_id
        self._competition_id = competition_id
        self._scope = scope
        self._seen = [-1] * BUCKET_COUNT
        self._keys: SortedList[int] = SortedList()
        self._members: dict[int, tuple[int, str]] = {}
        self._lock = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._keys)

    async def refresh(self, connection: Connection) -> None:
        """Apply the changes since the last read."""
        async with self._lock:
            buckets = list(range(BUCKET_COUNT))
            rows: Sequence[Any] = await connection.fetch(
                _SQL.changed, self._org_id, self._competition_id, buckets, self._seen
            )
            if rows:
                if self._members:
                    self._update(rows)
                else:
                    await asyncio.to_thread(self._update, rows)  # the first read can return millions of rows

    def _update(self, rows: Sequence[Any]) -> None:
        new_keys: list[int] = []
        for row in rows:
            self._seen[row["bucket"]] = row["now"]
            if row["member_id"] is None:
                continue
            member = row["member_id"].int
            known = self._members.pop(member, None)
            if known is not None:
                self._keys.remove(known[0])
            if row["round"] == self._round and (self._scope is None or row["scope"] == self._scope):
                key = order_key(row["score"], row["reached_at"], row["member_id"])
                self._members[member] = (key, row["user_id"])
                new_keys.append(key)
        self._keys.update(new_keys)

    def top(self, first: int, number: int) -> list[RankedMember]:
        """Return the places from rank `first` on."""
        return [
            self._place(rank, key) for rank, key in enumerate(islice(self._keys.islice(first - 1), number), start=first)
        ]

    def rank(self, user_id: str) -> RankedMember | None:
        """Return a member's place, or None if the member is not on the leaderboard."""
        known = self._members.get(member_id_of(self._org_id, user_id).int)
        return None if known is None else self._place(self._keys.index(known[0]) + 1, known[0])

    def around(self, user_id: str, number: int) -> list[RankedMember]:
        """Return the places around a member, equally many before and after."""
        place = self.rank(user_id)
        return [] if place is None else self.top(max(1, place.rank - number // 2), number)

    def among(self, user_ids: Iterable[str]) -> list[RankedMember]:
        """Return the places of these members, by rank. Members who are not on the leaderboard are left out."""
        places = [place for user_id in dict.fromkeys(user_ids) if (place := self.rank(user_id)) is not None]
        return sorted(places, key=lambda place: place.rank)

    def _place(self, rank: int, key: int) -> RankedMember:
        member = key & ((1 << _MEMBER_BITS) - 1)
        microseconds = key >> _MEMBER_BITS & ((1 << _TIME_BITS) - 1)
        score = _SCORE_MAX - (key >> (_TIME_BITS + _MEMBER_BITS))
        return RankedMember(rank, self._members[member][1], score, _EPOCH + timedelta(microseconds=microseconds))


class Leaderboards:
    """The leaderboards that this process has built."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._boards: OrderedDict[tuple[UUID, str, str | None, str], Leaderboard] = OrderedDict()

    def forget(self, org_id: UUID | None) -> None:
        """Drop an organisation's leaderboards, or all. They are built again on the next use."""
        for key in [key for key in self._boards if org_id in (None, key[0])]:
            del self._boards[key]

    async def board(self, org_id: UUID, competition_id: str, scope: str | None = None, round_: str = "") -> Leaderboard:
        """Return an up-to-date leaderboard."""
        key = (org_id, competition_id, scope, round_)
        board = self._boards.get(key)
        if board is None:
            board = self._boards[key] = Leaderboard(*key)
        self._boards.move_to_end(key)
        if len(self._boards) > BOARDS_MAX:
            self._boards.popitem(last=False)
        async with self._pool.acquire() as connection:
            await board.refresh(connection)
        return board


async def entries(
    connection: Connection, org_id: UUID, competition_id: str, after: UUID, size: int
) -> list[dict[str, Any]]:
    """Return a page of a competition's entries."""
    return [dict(row) for row in await connection.fetch(_SQL.entries, org_id, competition_id, after, size)]


async def contest(connection: Connection, org_id: UUID, competition_id: str) -> Mapping[str, Any] | None:
    """Return a competition's seed and result, or None if it has no seed yet."""
    row = await connection.fetchrow(_SQL.contest, org_id, competition_id)
    return None if row is None else dict(row)


async def standings_of(connection: Connection, member_id: UUID) -> dict[str, tuple[str, str]]:
    """Return the competitions that a member has a score in, each with its scope and round."""
    rows = await connection.fetch(_SQL.standings_of_member, bucket_of(member_id), member_id)
    return {row["competition_id"]: (row["scope"], row["round"]) for row in rows}
