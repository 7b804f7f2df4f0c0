"""How a member's challenges, streaks, ladders and segments look outside, with what is next."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from plaudit.api.http.wire import Json, optional_time
from plaudit.core.goals import SUM_DECIMALS
from plaudit.core.ladders import describe, score
from plaudit.core.member import (
    STATE_KINDS,
    Balance,
    Holding,
    LadderState,
    Member,
    Progress,
    StepProgress,
    state_decoder,
)
from plaudit.core.metrics import Metric, to_number
from plaudit.core.program import Campaign, Ladder, Product, Program
from plaudit.core.progress import progress_at
from plaudit.core.rungs import renumbered, rung_for
from plaudit.mechanics.streaks.state import StreakState, streaks_of
from plaudit.reads.members import MemberView


class ShownProfile(Struct, frozen=True):
    """A member as profiles show them: with what the programme still has, and the rungs by the ladders of today."""

    program: Program
    member: Member

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """The programme's metrics."""
        return self.program.metrics

    @property
    def ladders(self) -> Mapping[str, Ladder]:
        """The programme's ladders."""
        return self.program.ladders

    @property
    def products(self) -> Mapping[str, Product]:
        """The programme's products."""
        return self.program.products


def profile_source(program: Program, view: MemberView) -> ShownProfile:
    """Return a member as profiles show them."""
    states: dict[str, dict[str, Any]] = {kind: {} for kind in STATE_KINDS}
    for row in view.parts["progress"]:
        states[row["kind"]][row["key"]] = state_decoder(row["kind"]).decode(row["state"])
    reached: dict[str, LadderState] = states["ladder"]
    ladders = {
        ladder_id: renumbered(ladder, reached[ladder_id])
        if ladder_id in reached
        else LadderState(rung=rung_for(ladder, 0))
        for ladder_id, ladder in program.ladders.items()
    }
    return ShownProfile(
        program,
        Member(
            member_id=view.member_id,
            user_id=view.user_id,
            enrolled_at=view.enrolled_at,
            latest_at=view.latest_at,
            active_at=view.active_at,
            attributes=view.attributes,
            balances={row["metric"]: Balance(row["amount"], row["earned"]) for row in view.parts["balances"]},
            holdings={
                row["product_id"]: Holding(row["quantity"], row["first_at"], row["last_at"])
                for row in view.parts["holdings"]
            },
            progress=states["campaign"],
            segments={key: state for key, state in states["segment"].items() if key in program.segments},
            ladders=ladders,
            states={
                kind: {key: state for key, state in states[kind].items() if key in documents}
                for kind, documents in program.mechanics.items()
            },
        ),
    )


def mechanics_view(shown: ShownProfile, now: datetime) -> Json:
    """A member's `campaigns`, `streaks` and `ladders`."""
    program, member = shown.program, shown.member
    return {
        "ladders": {
            ladder_id: _ladder_view(shown, ladder_id, state, now) for ladder_id, state in member.ladders.items()
        },
        "streaks": {streak_id: _streak_view(state) for streak_id, state in streaks_of(member).items()},
        "campaigns": {
            campaign_id: progress_view(program, campaign, member.progress.get(campaign_id, Progress()), now)
            for campaign_id, campaign in program.campaigns().items()
            if campaign.steps or campaign_id in member.progress
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


def _ladder_view(shown: ShownProfile, ladder_id: str, state: LadderState, now: datetime) -> Json:
    program, ladder = shown.program, shown.program.ladders[ladder_id]
    metric = program.metrics.get(ladder.metric)
    counted = score(ladder, state, now, program.settings.time_zone, shown.member.enrolled_at)
    found = describe(ladder, state, counted, metric.decimals if metric else 0)
    found["since"] = optional_time(found["since"])
    if found["keep"] is not None:
        found["keep"]["by"] = optional_time(found["keep"]["by"])
    return found
