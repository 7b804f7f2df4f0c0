"""Milestones of streaks: effects when a run reaches a length, once per run, even if it was reported late."""

from msgspec import structs

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, Trace

from . import runs
from .compiled import Streak
from .freezes import protected_periods
from .state import StreakState, keep, streak_fields, streaks_of

AWARDED_KEPT = 200


def pay_milestones(context: Context, streak: Streak, before: StreakState | None) -> None:
    """Run the milestones that a timer, a freeze or a merge made the streak reach, and add them to the trace."""
    effects = reach_milestones(context, streak, before, streaks_of(context.member)[streak.streak_id])
    fields = streak_fields(streaks_of(context.member)[streak.streak_id])
    context.trace.append(Trace(streak.cause.logged, 0, 0, None, [], effects, None, fields))


def reach_milestones(
    context: Context, streak: Streak, before: StreakState | None, state: StreakState
) -> list[EffectTrace]:
    """Run the milestones that the latest run has reached if it is alive, each once per run.

    After a late action, pass the state `before` it: then every run that it changed is checked, even one that has ended.
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
    for index, run in enumerate(grown):
        effects += _reach_in_run(context, streak, run, index * len(streak.milestones))
    return effects


def _reach_in_run(context: Context, streak: Streak, run: tuple[int, int, int], offset: int) -> list[EffectTrace]:
    """Run the milestones of one run. `offset` keeps their effects' ids apart from those of the event's other runs."""
    start, last, length = run
    awarded = streaks_of(context.member)[streak.streak_id].awarded
    before = max((reached for period, reached in awarded if start <= period <= last), default=0)
    effects: list[EffectTrace] = []
    for milestone_index, milestone in enumerate(streak.milestones):
        if not before < milestone.length <= length:
            continue
        effects += [
            context.carry_out(effect, EffectPlace(streak.cause, milestone_index + offset, index))
            for index, effect in enumerate(milestone.effects)
        ]
        context.emit("streak.milestone", {"streakId": streak.streak_id, "length": milestone.length}, streak.cause)
    if length > before and any(milestone.length <= length for milestone in streak.milestones):
        state = streaks_of(context.member)[streak.streak_id]
        reached = (*state.awarded, (last, length))[-AWARDED_KEPT:]
        keep(context.member, streak.streak_id, structs.replace(state, awarded=reached))
    return effects
