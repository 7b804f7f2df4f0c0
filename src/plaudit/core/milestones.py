"""Milestones of streaks: what follows when a run has a length; once in each run, also when it was reported late."""

from msgspec import structs

from . import runs
from .deciding import Deciding, Place
from .decision import Considered, EffectTrace
from .fields import streak_fields
from .freezes import bridged_by
from .member import StreakState
from .program import Streak

AWARDED_KEPT = 200


def pay_milestones(deciding: Deciding, streak: Streak, before: StreakState | None) -> None:
    """Let the milestones happen that the streak has come to without an action of its own, and put that down."""
    effects = reach_milestones(deciding, streak, before, deciding.member.streaks[streak.streak_id])
    name, shown = f"streak.{streak.streak_id}", streak_fields(deciding.member.streaks[streak.streak_id])
    deciding.trace.append(Considered(name, 0, 0, None, [], effects, None, shown))


def reach_milestones(
    deciding: Deciding, streak: Streak, before: StreakState | None, state: StreakState
) -> list[EffectTrace]:
    """The milestones that runs have come to, each once in a run: the last run, if it goes on.

    With `before`, what it is now was reported late: any run that is longer than it was then, also one that has ended.
    """
    if not streak.milestones:
        return []
    grown = runs.all_runs(state.spans, bridged_by(streak, state))
    if before is None:
        grown = grown[-1:] if state.alive else []
    else:
        known = set(runs.all_runs(before.spans, bridged_by(streak, before)))
        grown = [run for run in grown if run not in known]
    effects: list[EffectTrace] = []
    for place, run in enumerate(grown):
        effects += _reach_in_run(deciding, streak, run, place * len(streak.milestones))
    return effects


def _reach_in_run(deciding: Deciding, streak: Streak, run: tuple[int, int, int], offset: int) -> list[EffectTrace]:
    """The milestones of a run. `offset` tells their effects from those of other runs that the same event adds to."""
    start, last, length = run
    name = f"streak.{streak.streak_id}"
    awarded = deciding.member.streaks[streak.streak_id].awarded
    before = max((reached for turn, reached in awarded if start <= turn <= last), default=0)
    effects: list[EffectTrace] = []
    for number, milestone in enumerate(streak.milestones):
        if not before < milestone.length <= length:
            continue
        effects += [
            deciding.carry_out(effect, Place(name, number + offset, index))
            for index, effect in enumerate(milestone.effects)
        ]
        deciding.follow("streak.milestone", {"streakId": streak.streak_id, "length": milestone.length}, name)
    if length > before and any(milestone.length <= length for milestone in streak.milestones):
        kept = deciding.member.streaks[streak.streak_id]
        reached = (*kept.awarded, (last, length))[-AWARDED_KEPT:]
        deciding.member.streaks[streak.streak_id] = structs.replace(kept, awarded=reached)
    return effects
