"""How a member's challenges, streaks, ladders and segments look outside, with what is next."""

from datetime import datetime
from typing import Any

import msgspec

from plaudit.api.http.wire import Json, optional_time
from plaudit.core.goals import SUM_DECIMALS
from plaudit.core.ladders import describe, score
from plaudit.core.member import LadderState, Progress, SegmentState, StepProgress, StreakState
from plaudit.core.metrics import to_number
from plaudit.core.program import Campaign, Program
from plaudit.core.progress import progress_at
from plaudit.core.rungs import renumbered, rung_for
from plaudit.reads.members import MemberView

_DECODERS = {
    kind: msgspec.json.Decoder(of)
    for kind, of in (
        ("campaign", Progress), ("streak", StreakState), ("ladder", LadderState), ("segment", SegmentState),
    )
}  # fmt: skip


def mechanics_view(program: Program, view: MemberView, now: datetime) -> Json:
    """A member's `campaigns`, `streaks`, `ladders`, `segments` and `tier`."""
    states: dict[str, dict[str, Any]] = {kind: {} for kind in _DECODERS}
    for row in view.parts["progress"]:
        states[row["kind"]][row["key"]] = _DECODERS[row["kind"]].decode(row["state"])
    ladders = {
        ladder: _ladder_view(program, view, ladder, states["ladder"].get(ladder), now) for ladder in program.ladders
    }
    return {
        "tier": next((ladder["rung"] for ladder in ladders.values()), None),
        "ladders": ladders,
        "streaks": {key: _streak_view(state) for key, state in states["streak"].items() if key in program.streaks},
        "segments": sorted(key for key, s in states["segment"].items() if s.member and key in program.segments),
        "campaigns": {
            campaign_id: progress_view(program, campaign, states["campaign"].get(campaign_id, Progress()), now)
            for campaign_id, campaign in program.campaigns().items()
            if campaign.steps or campaign_id in states["campaign"]
        },
    }


def progress_view(program: Program, campaign: Campaign, kept: Progress, now: datetime) -> Json:
    """How far a member is in a campaign at `now`: each step's `current`, `target`, `remaining`, `percent`."""
    progress = progress_at(campaign, kept, now, program.settings.time_zone)
    steps: list[Json] = []
    for number, step in enumerate(campaign.steps):
        state = progress.steps.get(number, StepProgress())
        decimals = SUM_DECIMALS if step.goal.type == "sum" else 0
        current = step.goal.target if state.done_at is not None else min(state.value, step.goal.target)
        steps.append(
            {
                "name": step.name,
                "current": to_number(current, decimals),
                "target": to_number(step.goal.target, decimals),
                "remaining": to_number(step.goal.target - current, decimals),
                "percent": 100 * current // step.goal.target,
                "done": state.done_at is not None,
                "doneAt": optional_time(state.done_at),
            }
        )
    found: Json = {
        "completions": progress.completions,
        "lastCompletedAt": optional_time(progress.last_at),
        "steps": steps,
    }
    if steps:
        done = sum(row["done"] for row in steps)
        best = sorted((row["percent"] for row in steps), reverse=True)[: campaign.required]
        found |= {"done": done, "required": campaign.required, "percent": sum(best) // campaign.required}
    if campaign.requires_enrolment:
        found["enrolledAt"] = optional_time(progress.enrolled_at)
    return found


def _streak_view(state: StreakState) -> Json:
    return {
        "current": state.current,
        "longest": state.longest,
        "alive": state.alive,
        "freezes": state.freezes,
        "extendBy": optional_time(state.due_at),
        "brokenAt": None if state.alive else optional_time(state.lapsed_at),
        "timeZone": state.zone,
    }


def _ladder_view(program: Program, view: MemberView, ladder_id: str, state: LadderState | None, now: datetime) -> Json:
    ladder = program.ladders[ladder_id]
    metric = program.metrics.get(ladder.metric)
    known = LadderState(rung=rung_for(ladder, 0)) if state is None else renumbered(ladder, state)
    counted = score(ladder, known, now, program.settings.time_zone, view.enrolled_at)
    found = describe(ladder, known, counted, metric.decimals if metric else 0)
    found["since"] = optional_time(found["since"])
    if found["keep"] is not None:
        found["keep"]["by"] = optional_time(found["keep"]["by"])
    return found
