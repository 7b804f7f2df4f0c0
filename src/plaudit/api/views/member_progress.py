"""A member's progress in campaigns, and their states in mechanics, as clients see them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from plaudit.api.http.wire import optional_time
from plaudit.core.goals import SUM_DECIMALS
from plaudit.core.member import (
    STATE_KINDS,
    STATE_TABLES,
    Balance,
    Holding,
    Member,
    Progress,
    StepProgress,
    state_decoder,
)
from plaudit.core.metrics import Metric, to_number
from plaudit.core.program import Campaign, Product, Program, Step
from plaudit.core.progress import progress_at
from plaudit.mechanics.registry import MECHANICS
from plaudit.reads.members import MemberView

from .base import Time, View


class CampaignStep(View):
    """A member's progress in a step of a campaign."""

    name: str
    current: float
    target: float
    remaining: float
    percent: int
    done: bool
    done_at: Time | None


class CampaignProgress(View):
    """A member's progress in a campaign. With steps: `done` of the `required` ones."""

    completions: int
    last_completed_at: Time | None
    steps: list[CampaignStep]
    done: int | UnsetType = UNSET
    required: int | UnsetType = UNSET
    percent: int | UnsetType = UNSET
    enrolled_at: Time | UnsetType | None = UNSET


class CampaignEnrolmentResult(View):
    """The member was enrolled in the campaign."""

    campaign_id: str
    user_id: str


class ShownProfile(Struct, frozen=True):
    """A member for profiles. Only what the current programme still has is shown, with states by its current documents."""

    program: Program
    member: Member

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """The programme's metrics."""
        return self.program.metrics

    @property
    def mechanics(self) -> Mapping[str, Mapping[str, Any]]:
        """The programme's compiled documents of the mechanics."""
        return self.program.mechanics

    @property
    def products(self) -> Mapping[str, Product]:
        """The programme's products."""
        return self.program.products


def profile_source(program: Program, view: MemberView) -> ShownProfile:
    """Return a member for profiles, from the member's rows."""
    states: dict[str, dict[str, Any]] = {kind: {} for kind in (*STATE_KINDS, *MECHANICS)}
    for row in view.parts["progress"]:
        if row["kind"] in STATE_KINDS:
            states[row["kind"]][row["key"]] = state_decoder(row["kind"]).decode(row["state"])
    for table in STATE_TABLES.values():
        kind_states = states[table.kind]
        for row in view.parts.get(table.name, ()):
            _, key, *part = row.values()
            kind_states[key] = table.put(kind_states.get(key), table.type(*part))
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
            states={
                kind: mechanic.states_to_show(program.mechanics.get(kind, {}), states[kind])
                for kind, mechanic in MECHANICS.items()
            },
        ),
    )


def progress_parts(profile: ShownProfile, now: datetime) -> dict[str, dict[str, Any]]:
    """Return a member's progress in `campaigns`, and their states in each mechanic that profiles show."""
    program, member = profile.program, profile.member
    parts: dict[str, dict[str, Any]] = {
        "campaigns": {
            campaign_id: progress_view(program, campaign, member.progress.get(campaign_id, Progress()), now)
            for campaign_id, campaign in program.campaigns().items()
            if campaign.steps or campaign_id in member.progress
        }
    }
    for kind, mechanic in MECHANICS.items():
        if mechanic.state_view is not None:
            parts[mechanic.name_in_profiles] = {
                document_id: mechanic.view(program, member, document_id, now) for document_id in member.states[kind]
            }
    return parts


def progress_view(program: Program, campaign: Campaign, stored: Progress, now: datetime) -> CampaignProgress:
    """Return a member's progress in a campaign at `now`."""
    return CampaignProgress(**progress_fields(program, campaign, stored, now))


def progress_fields(program: Program, campaign: Campaign, stored: Progress, now: datetime) -> dict[str, Any]:
    """Return the fields of `CampaignProgress`."""
    progress = progress_at(campaign, stored, now, program.settings.time_zone)
    steps = [_step_view(step, progress.steps.get(index, StepProgress())) for index, step in enumerate(campaign.steps)]
    fields: dict[str, Any] = {
        "completions": progress.completions,
        "last_completed_at": optional_time(progress.last_at),
        "steps": steps,
    }
    if steps:
        best = sorted((step.percent for step in steps), reverse=True)[: campaign.required]
        fields["done"] = sum(step.done for step in steps)
        fields["required"] = campaign.required
        fields["percent"] = sum(best) // campaign.required
    if campaign.requires_enrolment:
        fields["enrolled_at"] = optional_time(progress.enrolled_at)
    return fields


def _step_view(step: Step, state: StepProgress) -> CampaignStep:
    decimals = SUM_DECIMALS if step.goal.type == "sum" else 0
    current = step.goal.target if state.done_at is not None else min(state.value, step.goal.target)
    return CampaignStep(
        name=step.name,
        current=to_number(current, decimals),
        target=to_number(step.goal.target, decimals),
        remaining=to_number(step.goal.target - current, decimals),
        percent=100 * current // step.goal.target,
        done=state.done_at is not None,
        done_at=optional_time(state.done_at),
    )
