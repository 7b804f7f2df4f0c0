"""Competitions: standings by what is earned or done within the period, places, prizes, and draws that can be checked.

Of equal scores the one that was reached first is ahead; of those, the smaller member id, so that the order is total.
A draw is a function of a seed whose hash was published beforehand: whoever has the entries can do it again.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from hmac import digest
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from .context import Context, EffectPlace
from .decision import EffectTrace, Refusal, Trace
from .goals import SUM_DECIMALS, summed
from .member import Standing
from .metrics import SUM_MAX
from .periods import period_key
from .program import Competition, League, Program

SCOPE_MAX = 100
PLACES_KEPT = 1_000  # of each division of a round, for whoever asks for its board later


def count(
    context: Context, metric_id: str, amount: int, at: datetime, counted_in: frozenset[str] | None = None
) -> None:
    """Count what was earned at an instant of a metric in the competitions that rank by it.

    What was taken back of it counts only in those that had counted it (None: nobody knows).
    """
    for competition in context.program.competitions_by_metric.get(metric_id, ()):
        if counted_in is None:
            _contain(context, competition, _score, amount, at)
        elif competition.competition_id in counted_in:
            _contain(context, competition, _add, amount, at)


def score_event(context: Context) -> None:
    """Count the present event in the competitions that rank by events of its kind."""
    for competition in context.program.competitions_by_trigger.get(context.event.trigger, ()):
        _contain(context, competition, _meet)


def _contain(context: Context, competition: Competition, work: Callable[..., Trace | None], *arguments: Any) -> None:
    if context.broken and context.is_broken(competition.cause):
        return
    try:
        refused = work(context, competition, *arguments)
    except BaseException as problem:
        raise context.blamed(problem, competition.cause) from None
    if refused is not None:
        context.trace.append(refused)


def _meet(context: Context, competition: Competition) -> Trace | None:
    if competition.condition is not None and not competition.condition.holds(context.scope, []):
        return None
    amount = 10**SUM_DECIMALS
    if competition.get is not None:
        found = summed(competition.get(context.scope))
        if isinstance(found, Refusal):
            return _out_of_range(competition) if found is Refusal.amount_out_of_range else None
        amount = found
    return _score(context, competition, amount, context.now)


def is_open(competition: Competition, at: datetime) -> bool:
    """Whether a competition takes part in what happens at an instant."""
    return (
        competition.active
        and (competition.starts_at is None or competition.starts_at <= at)
        and (competition.ends_at is None or at < competition.ends_at)
    )


def counted(
    program: Program, trace: Iterable[Trace], metric_id: str, user_id: str, now: datetime, at: datetime
) -> frozenset[str]:
    """Return the competitions that counted for a user what was earned of a metric, or taken back of it, in an event.

    `now` is the time of the event and `trace` what it says; `at` is when that counts. One that the event came before,
    or found closed or for others, has not counted it.
    """
    refused = {entry.cause for entry in trace if entry.refusal is not None}
    return frozenset(
        competition.competition_id
        for competition in program.competitions_by_metric.get(metric_id, ())
        if is_open(competition, now)
        and is_open(competition, at)
        and user_id not in competition.excluded
        and competition.cause not in refused
    )


def take_back(context: Context, competition: Competition, amount: int) -> None:
    """Take back what triggers have counted in a competition, unless it is over."""
    _contain(context, competition, _score, -amount, context.now)


def _out_of_range(competition: Competition) -> Trace:
    return Trace(competition.cause.logged, 0, 0, Refusal.amount_out_of_range)


def _score(context: Context, competition: Competition, amount: int, at: datetime) -> Trace | None:
    """Count an amount, if the competition is for the member."""
    if is_open(competition, context.now) and competition.audience and not context.is_for(competition.audience):
        return Trace(competition.cause.logged, 0, 0, Refusal.not_in_segment)
    return _add(context, competition, amount, at)


def _add(context: Context, competition: Competition, amount: int, at: datetime) -> Trace | None:
    """Add to a score. One that would be beyond what can be written down is refused, and stays as it was.

    What a reversal takes back of before the beginning, or after the end, was not counted, and results stay.
    """
    if not is_open(competition, context.now) or context.member.user_id in competition.excluded:
        return None
    if at != context.now and not is_open(competition, at):
        return None
    before = context.member.standings.get(competition.competition_id)
    if competition.league is not None:
        return _score_in_league(context, competition, competition.league, before, amount, at)
    score = amount if before is None else before.score + amount
    if abs(score) > SUM_MAX:
        return _out_of_range(competition)
    reached_at = context.now if before is None else _reached_at(before.reached_at, context.now, amount)
    context.member.standings[competition.competition_id] = Standing(score, reached_at, _part_of(context, competition))
    return None


def _part_of(context: Context, competition: Competition) -> str:
    """Return the part of the board that a member belongs to by their profile."""
    if competition.scope_field is None:
        return ""
    return str(context.member.attributes.get(competition.scope_field) or "")[:SCOPE_MAX]


def _score_in_league(
    context: Context, competition: Competition, league: League, before: Standing | None, amount: int, at: datetime
) -> Trace | None:
    """A score counts in the round that its event belongs to: this one, or, when it is late, the one before.

    So does a reversal, by its original's time.
    """
    now = context.now
    key = period_key(at, league.period, context.program.settings.time_zone)
    if before is None:
        after = Standing(amount, now, league.divisions[0], key)
    elif key == before.round:
        reached_at = _reached_at(before.reached_at, now, amount)
        after = structs.replace(before, score=before.score + amount, reached_at=reached_at)
    elif key > before.round:
        after = Standing(amount, now, before.scope, key, before.round, before.score, before.reached_at)
    elif key == before.previous_round:
        reached_at = _reached_at(before.previous_reached_at or now, now, amount)
        after = structs.replace(before, previous_score=before.previous_score + amount, previous_reached_at=reached_at)
    else:
        return None
    if max(abs(after.score), abs(after.previous_score)) > SUM_MAX:
        return _out_of_range(competition)
    context.member.standings[competition.competition_id] = after
    return None


def take_over(context: Context, competition: Competition | None, competition_id: str, other: Standing) -> None:
    """Add somebody else's score, round by round; in a league, in the higher of the two divisions, else by the profile."""
    own = context.member.standings.get(competition_id)
    if competition is not None and context.member.user_id in competition.excluded:
        return
    if competition is not None and competition.league is None:
        other = structs.replace(other, scope=_part_of(context, competition))
    if own is None:
        context.member.standings[competition_id] = other
        return
    rounds: dict[str, tuple[int, datetime]] = {}
    for standing in (own, other):
        for name, score, at in (
            (standing.round, standing.score, standing.reached_at),
            (standing.previous_round, standing.previous_score, standing.previous_reached_at),
        ):
            if at is not None:
                before, reached_at = rounds.get(name, (0, at))
                total = max(min(before + score, SUM_MAX), -SUM_MAX)
                rounds[name] = (total, max(reached_at, at) if score else reached_at)
    now, *earlier = sorted(rounds, reverse=True)
    scope = own.scope if competition is None else other.scope
    if competition is not None and competition.league is not None:
        divisions = competition.league.divisions
        scope = max((own.scope, other.scope), key=lambda key: divisions.index(key) if key in divisions else -1)
    after = Standing(rounds[now][0], rounds[now][1], scope, now)
    if earlier:
        last = earlier[0]
        after = structs.replace(
            after, previous_round=last, previous_score=rounds[last][0], previous_reached_at=rounds[last][1]
        )
    context.member.standings[competition_id] = after


def _reached_at(before: datetime, now: datetime, amount: int) -> datetime:
    """When a score was reached: a score of 0 does not reach it again, and loses no tie."""
    return max(before, now) if amount else before


def move_to_division(context: Context, competition: Competition, division: str, told: dict[str, Any]) -> None:
    """Into another division of a league, at the end of a round."""
    before = context.member.standings.get(competition.competition_id)
    league = competition.league
    if before is None or league is None or division not in league.divisions or division == before.scope:
        return
    up = before.scope in league.divisions and league.divisions.index(division) > league.divisions.index(before.scope)
    context.member.standings[competition.competition_id] = structs.replace(before, scope=division)
    data = {"competitionId": competition.competition_id, "division": division, **told}
    context.emit("competition.promoted" if up else "competition.relegated", data, competition.cause)


def pay_prize(context: Context, competition: Competition, band: int, rank: int) -> None:
    """The prize of a rank band. The event that brings it has an id of its own, so it is paid once."""
    prize = competition.prizes[band]
    done: list[EffectTrace] = [
        context.carry_out(effect, EffectPlace(competition.cause, band, index))
        for index, effect in enumerate(prize.effects)
    ]
    context.trace.append(Trace(competition.cause.logged, band, 0, None, [], done, None, {"rank": rank}))
    told: dict[str, Any] = {"competitionId": competition.competition_id, "rank": rank}
    context.emit("competition.ended", told, competition.cause)


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


def draw_order(tickets: Iterable[Ticket]) -> list[Ticket]:
    """The order in which tickets are drawn from: by user id, by its UTF-8 bytes."""
    return sorted(tickets, key=lambda ticket: ticket.user_id.encode())


def draw(seed: bytes, tickets: Sequence[Ticket], winners: int) -> list[Ticket]:
    """The winners, in order; nobody wins twice.

    The n-th (from 0) is who holds entry number HMAC-SHA256(seed, "n") modulo the number of entries that are left,
    counted from 0 through the tickets by user id. The bias of a modulus by 2^256 is beyond measuring.
    """
    left = draw_order(tickets)
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


def prize_for(competition: Competition, rank: int) -> int | None:
    """Which prize a rank wins: the first band that it falls in."""
    return next((number for number, prize in enumerate(competition.prizes) if prize.first <= rank <= prize.last), None)
