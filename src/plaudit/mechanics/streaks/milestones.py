"""Milestones of streaks: what follows when a run has a length; once in each run, also when it was reported late."""

from msgspec import structs

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, Trace

from . import runs
from .compiled import Streak
from .freezes import protected_periods
from .state import StreakState, keep, streak_fields, streaks_of

AWARDED_KEPT = 200


def pay_milestones(context: Context, streak: Streak, before: StreakState | None) -> None:
    """Run the milestones that the streak has reached without an action of its own, and add them to the trace."""
    effects = reach_milestones(context, streak, before, streaks_of(context.member)[streak.streak_id])
    shown = streak_fields(streaks_of(context.member)[streak.streak_id])
    context.trace.append(Trace(streak.cause.logged, 0, 0, None, [], effects, None, shown))


def reach_milestones(
    context: Context, streak: Streak, before: StreakState | None, state: StreakState
) -> list[EffectTrace]:
    """The milestones that runs have come to, each once in a run: the last run, if it goes on.

    With `before`, what it is now was reported late: any run that is longer than it was then, also one that has ended.
    """
    if not streak.milestones:
        return []
    grown = runs.all_runs(state.spans, protected_periods(streak, state))
    if before is None:
        grown = grown[-1:] if state.alive else []
    else:
        known = set(runs.all_runs(before.spans, protected_periods(streak, before)))
        grown = [run for run in grown if run not in known]
    effects: list[EffectTrace] = []
    for place, run in enumerate(grown):
        effects += _reach_in_run(context, streak, run, place * len(streak.milestones))
    return effects


def _reach_in_run(context: Context, streak: Streak, run: tuple[int, int, int], offset: int) -> list[EffectTrace]:
    """The milestones of a run. `offset` tells their effects from those of other runs that the same event adds to."""
    start, last, length = run
    awarded = streaks_of(context.member)[streak.streak_id].awarded
    before = max((reached for period, reached in awarded if start <= period <= last), default=0)
    effects: list[EffectTrace] = []
    for number, milestone in enumerate(streak.milestones):
        if not before < milestone.length <= length:
            continue
        effects += [
            context.carry_out(effect, EffectPlace(streak.cause, number + offset, index))
            for index, effect in enumerate(milestone.effects)
        ]
        context.emit("streak.milestone", {"streakId": streak.streak_id, "length": milestone.length}, streak.cause)
    if length > before and any(milestone.length <= length for milestone in streak.milestones):
        kept = streaks_of(context.member)[streak.streak_id]
        reached = (*kept.awarded, (last, length))[-AWARDED_KEPT:]
        keep(context.member, streak.streak_id, structs.replace(kept, awarded=reached))
    return effects
