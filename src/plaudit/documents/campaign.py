"""Campaigns: when members do something, effects follow. In simple mode, a campaign has its own triggers and effects."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct, field, structs

from plaudit.core.effects.notify import Notify
from plaudit.core.periods import Period
from plaudit.core.recurrence import check_recurrence
from plaudit.errors import FieldError
from plaudit.mechanics.base import CampaignPart
from plaudit.mechanics.registry import MECHANICS

from .base import Description, Document, DocumentKind, Instant, Media, MetricAmount, Name, Reference
from .conditions import check_conditions
from .dialects import read_campaign, write_campaign
from .effect import AudienceSpec, EffectSpec, check_effects, check_notification, effect_amounts, effect_references
from .listening import TRIGGERS_MAX, TriggerSpec

Priority = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class PeriodLimitSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    period: Period
    count: Count


class Limit(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How often the campaign may run: per member, per member and period, and overall."""

    per_user: Count | None = None
    per_period: PeriodLimitSpec | None = None
    overall: Count | None = None


class Window(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The window in which the goal must be reached: a calendar `period`, or the last `days` or `seconds`."""

    period: Period | None = None
    days: Annotated[int, Meta(ge=1, le=3_660)] | None = None
    seconds: Annotated[int, Meta(ge=1, le=3_660 * 86_400)] | None = None


class GoalSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """What completes a step: a `target` number of events, sum of `field`, or number of distinct values of `field`."""

    type: Literal["count", "sum", "distinct"] = "count"
    target: Annotated[int, Meta(ge=1, le=10**9)] | Annotated[float, Meta(gt=0, le=10**9)] = 1
    field: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    window: Window | None = None


class StepSpec(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One part of a campaign: its triggers, its goal and its effects.

    `notification` tells the member that the step is completed.
    """

    name: Name
    triggers: list[TriggerSpec] = field(default_factory=list[TriggerSpec])
    goal: GoalSpec = field(default_factory=GoalSpec)
    effects: list[EffectSpec] = field(default_factory=list[EffectSpec])
    notification: Notify | None = None


class RecurrenceSpec(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A recurrence rule (RFC 5545) in the organisation's time zone, starting at `startDate`.

    An occurrence lasts `durationSeconds`, or until the next one begins. The rule may recur at most once a minute, list at
    most 1,440 times, and have an INTERVAL from 1 to 100,000 and a COUNT from 1 to 10,000. Its first occurrence must
    be within 100 years.
    """

    rule: Annotated[str, Meta(min_length=1, max_length=500)]
    duration_seconds: Annotated[int, Meta(ge=60, le=366 * 86_400)] | None = None


class Campaign(Document, kw_only=True):
    """Effects for what members do: by `triggers` and `effects`, by rules (advanced mode), or by `steps` (a challenge).

    `priority`: higher runs first. `cooldown`: seconds between two runs for a member. `endDate` is exclusive. The
    `effects` of a campaign with steps run when `required` steps (default: all) are completed, in the given `order`. If
    it is `repeatable`, it then starts again. With steps, the default `type` is `Challenge`. A `Badge` is awarded once, a
    `Challenge` is completed once unless it is `repeatable`; a `Reward` pays each time, so with steps it is
    `repeatable`; {parts}. `enrolment`: if `required`, the campaign only applies to members who have joined it.
    `notification` tells the member that they have completed it. `subtitle`, `media` and the `show…` fields are for
    members' apps. `completedAt` is set when a campaign becomes `completed` after its end.
    """

    type: str = "Reward"  # one of `CAMPAIGN_TYPES`
    mode: Literal["always-on", "time-bound", "recurring"] = "always-on"
    status: Literal["draft", "active", "paused", "completed", "archived"] = "active"
    simplified_mode: bool = True
    triggers: list[TriggerSpec] = field(default_factory=list[TriggerSpec])
    effects: list[EffectSpec] = field(default_factory=list[EffectSpec])
    priority: Priority = 5
    exclusive_group: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    limit: Limit | None = None
    cooldown: Annotated[int, Meta(ge=1, le=10 * 366 * 86_400)] | None = None
    start_date: Instant | None = None
    end_date: Instant | None = None
    steps: Annotated[list[StepSpec], Meta(max_length=50)] = field(default_factory=list[StepSpec])
    order: Literal["sequential", "any"] = "sequential"
    required: Annotated[int, Meta(ge=1, le=50)] | None = None
    repeatable: bool = False
    enrolment: Literal["open", "required"] = "open"
    recurrence: RecurrenceSpec | None = None
    segments: AudienceSpec | None = None
    notification: Notify | None = None
    subtitle: Description | None = None
    media: Media | None = None
    show_in_profile: bool = True
    show_in_rail: bool = True
    show_dates: bool = True
    completed_at: Instant | UnsetType = UNSET

    @property
    def listens(self) -> bool:
        """Whether the campaign receives events. One that has ended still receives late events from before its end."""
        ended = (
            self.status == "completed"
            and self.completed_at is not UNSET
            and self.end_date is not None
            and self.end_date <= self.completed_at
        )
        return self.status == "active" or ended


PARTS: Sequence[CampaignPart] = tuple(MECHANICS.campaign_parts())
CAMPAIGN_TYPES = ("Challenge", "Reward", "Badge", *(part.campaign_type for part in PARTS))

# The type of campaign documents, with the parts that mechanics add.
CampaignDocument = cast(
    "type[Campaign]",
    defstruct(
        "Campaign",
        [
            ("type", Literal[CAMPAIGN_TYPES], "Reward"),  # pyright: ignore[reportInvalidTypeForm]
            *((part.name, part.type | None, None) for part in PARTS),
        ],
        bases=(Campaign,),
        kw_only=True,
        namespace={"__doc__": (Campaign.__doc__ or "").replace("{parts}", "; ".join(part.sentence for part in PARTS))},
        module=__name__,
    ),
)


def parts_of(campaign: Campaign) -> list[tuple[CampaignPart, Any]]:
    """Return the parts that a campaign has, with their values."""
    parts = [(part, getattr(campaign, part.name, None)) for part in PARTS]
    return [(part, value) for part, value in parts if value is not None]


def _part_of(campaign_type: str) -> CampaignPart | None:
    """Return the part that campaigns of a type have, or None."""
    return next((part for part in PARTS if part.campaign_type == campaign_type), None)


def _stands_alone(campaign: Campaign) -> bool:
    """Return whether a campaign of this type needs no triggers and effects."""
    part = _part_of(campaign.type)
    return part is not None and part.stands_alone


def _check(campaign: Campaign) -> list[FieldError]:
    wrong = check_effects(campaign.effects) + check_notification(campaign.notification, "notification")
    if len(campaign.triggers) > TRIGGERS_MAX:
        wrong.append(FieldError("triggers", f"may have at most {TRIGGERS_MAX} items"))
    for i, trigger in enumerate(campaign.triggers):
        wrong += check_conditions(trigger.conditions, f"triggers[{i}].conditions")
    if campaign.steps:
        wrong += _step_errors(campaign)
    elif campaign.simplified_mode and campaign.status == "active" and not _stands_alone(campaign):
        if not campaign.triggers:
            wrong.append(FieldError("triggers", "must not be empty in an active campaign"))
        if not campaign.effects and not any(part.pays(value) for part, value in parts_of(campaign)):
            wrong.append(FieldError("effects", "must not be empty in an active campaign"))
    if not campaign.simplified_mode and (campaign.triggers or campaign.effects):
        wrong.append(FieldError("simplifiedMode", "must be true if the campaign has triggers and effects of its own"))
    return wrong + _date_errors(campaign) + _type_errors(campaign)


def _infer(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a campaign with inferred fields: with steps it is a `Challenge` by default, and a `Reward` is repeatable."""
    if not raw.get("steps"):
        return raw
    campaign_type = raw.get("type") or "Challenge"
    repeats = campaign_type == "Reward" and raw.get("mode") != "recurring" and raw.get("repeatable") is None
    return raw | {"type": campaign_type} | ({"repeatable": True} if repeats else {})


def _complete(campaign: Campaign) -> Campaign:
    """Return the campaign with the fields that its type implies, such as a limit of 1 if it can be completed only once."""
    part = _part_of(campaign.type)
    if part is not None:
        return part.complete(campaign)
    limit = campaign.limit or Limit()
    once = campaign.type == "Badge" or (campaign.type == "Challenge" and not campaign.repeatable)
    if not once or campaign.steps or campaign.mode == "recurring" or limit.per_user is not None:
        return campaign
    return structs.replace(campaign, limit=structs.replace(limit, per_user=1))


def _type_errors(campaign: Campaign) -> list[FieldError]:
    """Return the fields that a campaign of this type cannot have."""
    kind, recurring = campaign.type, campaign.mode == "recurring"
    wrong: list[FieldError] = []
    if kind == "Reward" and campaign.steps and not (recurring or campaign.repeatable):
        why = "must be true in a Reward, which pays each time: use a Challenge to pay once (got false)"
        wrong.append(FieldError("repeatable", why))
    if kind == "Badge" and campaign.repeatable:
        wrong.append(FieldError("repeatable", "must be false in a Badge, which is awarded once (got true)"))
    if kind == "Badge" and recurring:
        why = "must be always-on or time-bound in a Badge, which is awarded once (got 'recurring')"
        wrong.append(FieldError("mode", why))
    if kind == "Challenge" and recurring and campaign.simplified_mode and not (campaign.steps or campaign.repeatable):
        why = "must have at least one item in a recurring Challenge, which is completed once in each occurrence"
        wrong.append(FieldError("steps", why))
    if kind == "Badge" or (kind == "Challenge" and not campaign.repeatable and not recurring):
        wrong += _repetition_errors(campaign)
    return wrong + [error for part in PARTS for error in part.check(campaign)]


def _repetition_errors(campaign: Campaign) -> list[FieldError]:
    """Return the fields that limit repetitions, in a campaign that a member can only complete once."""
    limit, challenge = campaign.limit or Limit(), campaign.type == "Challenge"
    once = "a Challenge that is not repeatable is completed once" if challenge else "a Badge is awarded once"
    wrong: list[FieldError] = []
    if limit.per_user is not None and limit.per_user > 1:
        wrong.append(FieldError("limit.perUser", f"must be 1, or absent: {once} (got {limit.per_user})"))
    limits = (("limit.perPeriod", limit.per_period), ("cooldown", campaign.cooldown))
    wrong += [FieldError(name, f"must be absent: {once}") for name, value in limits if value is not None]
    return wrong


def _step_errors(campaign: Campaign) -> list[FieldError]:
    wrong: list[FieldError] = []
    if campaign.triggers or not campaign.simplified_mode:
        wrong.append(FieldError("steps", "cannot be combined with triggers or rules: each step has its own triggers"))
    if campaign.required is not None and campaign.required > len(campaign.steps):
        wrong.append(
            FieldError(
                "required", f"must be at most {len(campaign.steps)}, the number of steps (got {campaign.required})"
            )
        )
    for i, step in enumerate(campaign.steps):
        path = f"steps[{i}]"
        if not 1 <= len(step.triggers) <= TRIGGERS_MAX:
            wrong.append(FieldError(f"{path}.triggers", f"must have 1 to {TRIGGERS_MAX} items"))
        for j, trigger in enumerate(step.triggers):
            wrong += check_conditions(trigger.conditions, f"{path}.triggers[{j}].conditions")
        wrong += [error.under(path) for error in check_effects(step.effects)]
        wrong += check_notification(step.notification, f"{path}.notification")
        goal = step.goal
        if (goal.type == "count") != (goal.field is None):
            wrong.append(
                FieldError(f"{path}.goal.field", "is required for sum and distinct goals, and not allowed otherwise")
            )
        if goal.type != "sum" and goal.target != int(goal.target):
            wrong.append(FieldError(f"{path}.goal.target", "must be a whole number"))
        window = goal.window
        if window is not None and [window.period, window.days, window.seconds].count(None) != 2:
            wrong.append(FieldError(f"{path}.goal.window", "must have exactly one of period, days and seconds"))
    return wrong


def _date_errors(campaign: Campaign) -> list[FieldError]:
    wrong: list[FieldError] = []
    if campaign.mode == "time-bound" and campaign.end_date is None:
        wrong.append(FieldError("endDate", "is required if mode is time-bound"))
    if (campaign.mode == "recurring") != (campaign.recurrence is not None):
        wrong.append(FieldError("recurrence", "is required if mode is recurring, and not allowed otherwise"))
    elif campaign.recurrence is not None and campaign.start_date is None:
        wrong.append(FieldError("startDate", "is required if mode is recurring"))
    elif campaign.recurrence is not None and campaign.start_date is not None:
        try:
            check_recurrence(campaign.recurrence.rule, campaign.start_date)
        except ValueError as error:
            wrong.append(FieldError("recurrence.rule", f"must be an RFC 5545 recurrence rule: {error}"))
    if campaign.start_date and campaign.end_date and campaign.end_date <= campaign.start_date:
        wrong.append(FieldError("endDate", "must be after startDate"))
    return wrong


def _references(campaign: Campaign) -> Sequence[Reference]:
    references = [
        Reference(f"triggers[{i}].type", "trigger", trigger.type, required=False)
        for i, trigger in enumerate(campaign.triggers)
    ]
    for step_index, step in enumerate(campaign.steps):
        under = f"steps[{step_index}]."
        references += [
            Reference(f"{under}triggers[{i}].type", "trigger", trigger.type, required=False)
            for i, trigger in enumerate(step.triggers)
        ]
        references += [
            structs.replace(reference, field=under + reference.field) for reference in effect_references(step.effects)
        ]
        references += _template(step.notification, under)
    references += _template(campaign.notification)
    references += campaign.segments.references("segments") if campaign.segments is not None else []
    for part, value in parts_of(campaign):
        references += part.references(value, f"{part.name}.")
    return references + effect_references(campaign.effects)


def _amounts(campaign: Campaign) -> Sequence[MetricAmount]:
    amounts = effect_amounts(campaign.effects)
    for step_index, step in enumerate(campaign.steps):
        amounts += effect_amounts(step.effects, f"steps[{step_index}].")
    for part, value in parts_of(campaign):
        amounts += part.amounts(value, f"{part.name}.")
    return amounts


def _template(notification: Notify | None, under: str = "") -> list[Reference]:
    template_id = None if notification is None else notification.template_id
    return [] if template_id is None else [Reference(f"{under}notification.templateId", "template", template_id)]


KIND = DocumentKind(
    name="campaign",
    title="Campaign",
    collection="campaigns",
    id_field="campaignId",
    id_prefix="camp_",
    type=CampaignDocument,
    filters=("status", "type", "mode"),
    fixed=tuple(
        f"{part.name}.{name}" for part in PARTS for name in part.fixed
    ),  # members' states depend on these fields
    infer=_infer,
    complete=_complete,
    check=_check,
    references=_references,
    amounts=_amounts,
    read=read_campaign,
    write=write_campaign,
)
