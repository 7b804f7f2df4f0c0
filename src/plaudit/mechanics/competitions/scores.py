"""Scores: what is earned or done within the period of a ranking, and who counts; in a league, by the rounds.

Of equal scores the one that was reached first is ahead; of those, the smaller member id, so that the order is total.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import structs

from plaudit.core.context import Context
from plaudit.core.decision import Refusal, Trace
from plaudit.core.goals import SUM_DECIMALS, summed
from plaudit.core.metrics import SUM_MAX
from plaudit.core.periods import period_key

from .compiled import Competition, League
from .state import CompetitionState, Standing, add_entries, keep_standing, standing_of

SCOPE_MAX = 100


def meet(context: Context, competition: Competition) -> Trace | None:
    """Count the present event, in a competition that ranks by events of its kind. Return why it does not count, if told."""
    if competition.condition is not None and not competition.condition.holds(context.scope, []):
        return None
    amount = 10**SUM_DECIMALS
    if competition.get is not None:
        found = summed(competition.get(context.scope))
        if isinstance(found, Refusal):
            return _out_of_range(competition) if found is Refusal.amount_out_of_range else None
        amount = found
    return _score(context, competition, amount, context.now)


def count_earned(
    context: Context, competition: Competition, amount: int, at: datetime, counted_in: frozenset[str] | None
) -> Trace | None:
    """Count what was earned at an instant, in a competition that ranks by its metric. Return why it does not count, if told.

    What was taken back of it counts only where it had been counted (None: nobody knows).
    """
    if counted_in is None:
        return _score(context, competition, amount, at)
    if competition.competition_id in counted_in:
        return _add(context, competition, amount, at)
    return None


def has_counted(competition: Competition, trace: Iterable[Trace], user_id: str, now: datetime, at: datetime) -> bool:
    """Return whether a competition has counted for a user what was earned, or taken back of it, in an event.

    `now` is the time of the event and `trace` what it says; `at` is when that counts. One that the event came before,
    or found closed or for others, has not counted it.
    """
    return (
        competition.is_open(now)
        and competition.is_open(at)
        and user_id not in competition.excluded
        and not any(entry.refusal is not None and entry.cause == competition.cause for entry in trace)
    )


def take_back(context: Context, competition: Competition, amount: int) -> Trace | None:
    """Take back what triggers have counted in a competition, unless it is over. Return why it does not count, if told."""
    return _score(context, competition, -amount, context.now)


def _out_of_range(competition: Competition) -> Trace:
    return Trace(competition.cause.logged, 0, 0, Refusal.amount_out_of_range)


def _score(context: Context, competition: Competition, amount: int, at: datetime) -> Trace | None:
    """Count an amount, if the competition is for the member."""
    if competition.is_open(context.now) and competition.audience and not context.is_for(competition.audience):
        return Trace(competition.cause.logged, 0, 0, Refusal.not_in_segment)
    return _add(context, competition, amount, at)


def _add(context: Context, competition: Competition, amount: int, at: datetime) -> Trace | None:
    """Add to a score. One that would be beyond what can be written down is refused, and stays as it was.

    What a reversal takes back of before the beginning, or after the end, was not counted, and results stay.
    """
    if not competition.is_open(context.now) or context.member.user_id in competition.excluded:
        return None
    if at != context.now and not competition.is_open(at):
        return None
    before = standing_of(context.member, competition.competition_id)
    if competition.league is not None:
        return _score_in_league(context, competition, competition.league, before, amount, at)
    score = amount if before is None else before.score + amount
    if abs(score) > SUM_MAX:
        return _out_of_range(competition)
    reached_at = context.now if before is None else _reached_at(before.reached_at, context.now, amount)
    after = Standing(score, reached_at, _part_of(context, competition))
    keep_standing(context.member, competition.competition_id, after)
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
    keep_standing(context.member, competition.competition_id, after)
    return None


def take_over(context: Context, competition: Competition | None, competition_id: str, state: CompetitionState) -> None:
    """Add another member's state in a competition, also in a deleted one (None)."""
    add_entries(context.member, competition_id, state.entries)
    if state.standing is not None:
        _add_standing(context, competition, competition_id, state.standing)


def _add_standing(context: Context, competition: Competition | None, competition_id: str, other: Standing) -> None:
    """Add somebody else's score, round by round; in a league, in the higher of the two divisions, else by the profile."""
    own = standing_of(context.member, competition_id)
    if competition is not None and context.member.user_id in competition.excluded:
        return
    if competition is not None and competition.league is None:
        other = structs.replace(other, scope=_part_of(context, competition))
    if own is None:
        keep_standing(context.member, competition_id, other)
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
    keep_standing(context.member, competition_id, after)


def _reached_at(before: datetime, now: datetime, amount: int) -> datetime:
    """When a score was reached: a score of 0 does not reach it again, and loses no tie."""
    return max(before, now) if amount else before
