"""Scores: counts members' earnings or events while a ranking is open, and in a league separately for each round.

Ties: the score that was reached earlier ranks higher, then the smaller member id, so that the order is total.
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
    """Count the event in a competition that ranks by its trigger. Return a trace if it is refused, else None."""
    if competition.condition is not None and not competition.condition.holds(context.scope, []):
        return None
    amount = 10**SUM_DECIMALS
    if competition.get is not None:
        field_amount = summed(competition.get(context.scope))
        if isinstance(field_amount, Refusal):
            return _out_of_range(competition) if field_amount is Refusal.amount_out_of_range else None
        amount = field_amount
    return _score(context, competition, amount, context.now)


def count_earned(
    context: Context, competition: Competition, amount: int, at: datetime, counted_in: frozenset[str] | None
) -> Trace | None:
    """Count an amount earned at an instant in a competition that ranks by the metric. Return a trace if it is refused.

    A reversed amount only counts in the competitions in which the credit counted (None: unknown).
    """
    if counted_in is None:
        return _score(context, competition, amount, at)
    if competition.competition_id in counted_in:
        return _add(context, competition, amount, at)
    return None


def has_counted(competition: Competition, trace: Iterable[Trace], user_id: str, now: datetime, at: datetime) -> bool:
    """Return whether a competition has counted an amount that a user earned, or that was reversed, in an event.

    `now` is the event's time, `trace` its trace, and `at` the time at which the amount counts. A competition that was
    closed or had refused the member has not counted it.
    """
    return (
        competition.is_open(now)
        and competition.is_open(at)
        and user_id not in competition.excluded
        and not any(entry.refusal is not None and entry.cause == competition.cause for entry in trace)
    )


def withdraw(context: Context, competition: Competition, amount: int) -> Trace | None:
    """Subtract a score from events in a competition, unless it is over. Return a trace if it is refused, else None."""
    return _score(context, competition, -amount, context.now)


def _out_of_range(competition: Competition) -> Trace:
    return Trace(competition.cause.logged, 0, 0, Refusal.amount_out_of_range)


def _score(context: Context, competition: Competition, amount: int, at: datetime) -> Trace | None:
    """Count an amount if the member belongs to the competition's audience."""
    if competition.is_open(context.now) and competition.audience and not context.is_for(competition.audience):
        return Trace(competition.cause.logged, 0, 0, Refusal.not_in_segment)
    return _add(context, competition, amount, at)


def _add(context: Context, competition: Competition, amount: int, at: datetime) -> Trace | None:
    """Add an amount to the member's score. Refuse it if the score would be out of range.

    Ignore an amount that counts at a time when the competition was not open, such as a reversal of an earlier credit.
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
    after = Standing(score, reached_at, _scope_of(context, competition))
    keep_standing(context.member, competition.competition_id, after)
    return None


def _scope_of(context: Context, competition: Competition) -> str:
    """Return the part of the leaderboard to which a member belongs by their profile."""
    if competition.scope_field is None:
        return ""
    return str(context.member.attributes.get(competition.scope_field) or "")[:SCOPE_MAX]


def _score_in_league(
    context: Context, competition: Competition, league: League, before: Standing | None, amount: int, at: datetime
) -> Trace | None:
    """Count an amount in the round of `at`: the current round, or the previous one if the event is late.

    A reversal counts in the round of its original.
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
    """Add another member's state; `competition` is None if it was deleted."""
    add_entries(context.member, competition_id, state.entries)
    if state.standing is not None:
        _add_standing(context, competition, competition_id, state.standing)


def _add_standing(context: Context, competition: Competition | None, competition_id: str, other: Standing) -> None:
    """Add another member's score, round by round. In a league, keep the higher division."""
    own = standing_of(context.member, competition_id)
    if competition is not None and context.member.user_id in competition.excluded:
        return
    if competition is not None and competition.league is None:
        other = structs.replace(other, scope=_scope_of(context, competition))
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
    """Return when a score was reached. Adding 0 keeps the earlier time, so the member does not fall behind in a tie."""
    return max(before, now) if amount else before
