"""Competitions: standings by what is earned or done within the period, places, prizes, and draws that can be checked.

Of equal scores the one that was reached first is ahead; of those, the smaller member id, so that the order is total.
A draw is a function of a seed whose hash was published beforehand: whoever has the entries can do it again.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from hmac import digest
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from .deciding import Deciding, Place
from .decision import Considered, EffectTrace
from .goals import SUM_DECIMALS
from .member import Standing
from .metrics import round_half_up
from .periods import period_key
from .program import Competition, League

SCOPE_MAX = 100


def count(deciding: Deciding, metric_id: str, amount: int) -> None:
    """Count what was earned (or taken back) of a metric in the competitions that rank by it."""
    for competition in deciding.program.competitions_by_metric.get(metric_id, ()):
        _score(deciding, competition, amount)


def meet(deciding: Deciding) -> None:
    """Count the present event in the competitions that rank by events of its kind."""
    for competition in deciding.program.competitions_by_trigger.get(deciding.event.trigger, ()):
        if competition.condition is None or competition.condition.holds(deciding.scope, []):
            amount = 10**SUM_DECIMALS
            if competition.get is not None:
                found = round_half_up(competition.get(deciding.scope), SUM_DECIMALS)
                if found is None:
                    continue
                amount = found
            _score(deciding, competition, amount)


def is_open(competition: Competition, deciding: Deciding) -> bool:
    """Whether a competition takes part in what happens now."""
    now = deciding.now
    return (
        competition.active
        and (competition.starts_at is None or competition.starts_at <= now)
        and (competition.ends_at is None or now < competition.ends_at)
    )


def _score(deciding: Deciding, competition: Competition, amount: int) -> None:
    if not is_open(competition, deciding) or deciding.member.user_id in competition.excluded:
        return
    if competition.audience is not None and not deciding.is_for(competition.audience):
        return
    before = deciding.member.standings.get(competition.competition_id)
    if competition.league is not None:
        _score_in_league(deciding, competition, competition.league, before, amount)
        return
    score = amount if before is None else before.score + amount
    reached_at = deciding.now if before is None else max(before.reached_at, deciding.now)
    scope = ""
    if competition.scope_field is not None:
        scope = str(deciding.member.attributes.get(competition.scope_field) or "")[:SCOPE_MAX]
    deciding.member.standings[competition.competition_id] = Standing(score, reached_at, scope)


def _score_in_league(
    deciding: Deciding, competition: Competition, league: League, before: Standing | None, amount: int
) -> None:
    """A score counts in the round that its event belongs to: this one, or, when it is late, the one before."""
    now = deciding.now
    key = period_key(now, league.period, deciding.program.settings.time_zone)
    if before is None:
        after = Standing(amount, now, league.divisions[0], key)
    elif key == before.round:
        after = structs.replace(before, score=before.score + amount, reached_at=max(before.reached_at, now))
    elif key > before.round:
        after = Standing(amount, now, before.scope, key, before.round, before.score, before.reached_at)
    elif key == before.last_round:
        reached_at = max(before.last_reached_at or now, now)
        after = structs.replace(before, last_score=before.last_score + amount, last_reached_at=reached_at)
    else:
        return
    deciding.member.standings[competition.competition_id] = after


def move(deciding: Deciding, competition: Competition, division: str, told: dict[str, Any]) -> None:
    """Into another division of a league, at the end of a round."""
    before = deciding.member.standings.get(competition.competition_id)
    league = competition.league
    if before is None or league is None or division not in league.divisions or division == before.scope:
        return
    up = before.scope in league.divisions and league.divisions.index(division) > league.divisions.index(before.scope)
    deciding.member.standings[competition.competition_id] = structs.replace(before, scope=division)
    data = {"competitionId": competition.competition_id, "division": division, **told}
    name = f"competition.{competition.competition_id}"
    deciding.follow("competition.promoted" if up else "competition.relegated", data, name)


def award(deciding: Deciding, competition: Competition, band: int, rank: int) -> None:
    """The prize of a rank band. The event that brings it has an id of its own, so it is paid once."""
    prize = competition.prizes[band]
    name = f"competition.{competition.competition_id}"
    done: list[EffectTrace] = [
        effect.apply(deciding, Place(name, band, index), effect.settings) for index, effect in enumerate(prize.effects)
    ]
    deciding.trace.append(Considered(name, band, 0, None, [], done, None, {"rank": rank}))
    told: dict[str, Any] = {"competitionId": competition.competition_id, "rank": rank}
    deciding.follow("competition.ended", told, name)


class Ticket(Struct, frozen=True):
    """Somebody's entries in a draw."""

    member_id: UUID
    user_id: str
    entries: int


def seed_hash(seed: bytes) -> str:
    """What is published of a seed before the draw: its SHA-256, in hexadecimal."""
    return sha256(seed).hexdigest()


def tickets_digest(tickets: Iterable[Ticket]) -> str:
    """What a draw was made from: the SHA-256 of lines `user_id<TAB>entries`, in the order of the draw."""
    found = sha256()
    for ticket in tickets:
        found.update(f"{ticket.user_id}\t{ticket.entries}\n".encode())
    return found.hexdigest()


def in_order(tickets: Iterable[Ticket]) -> list[Ticket]:
    """The order in which tickets are drawn from: by user id, by its UTF-8 bytes."""
    return sorted(tickets, key=lambda ticket: ticket.user_id.encode())


def draw(seed: bytes, tickets: Sequence[Ticket], winners: int) -> list[Ticket]:
    """The winners, in order; nobody wins twice.

    The n-th (from 0) is who holds entry number HMAC-SHA256(seed, "n") modulo the number of entries that are left,
    counted from 0 through the tickets by user id. The bias of a modulus by 2^256 is beyond measuring.
    """
    left = in_order(tickets)
    found: list[Ticket] = []
    for n in range(min(winners, len(left))):
        total = sum(ticket.entries for ticket in left)
        number = int.from_bytes(digest(seed, str(n).encode(), "sha256"), "big") % total
        for place, ticket in enumerate(left):
            if number < ticket.entries:
                found.append(ticket)
                del left[place]
                break
            number -= ticket.entries
    return found


def band_of(competition: Competition, rank: int) -> int | None:
    """Which prize a rank wins: the first band that it falls in."""
    return next((number for number, prize in enumerate(competition.prizes) if prize.first <= rank <= prize.last), None)
