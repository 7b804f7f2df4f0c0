"""Campaigns: what members do, and what follows. In simple mode a campaign carries its triggers and effects itself."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field, structs

from plaudit.core.effect_settings import Notify
from plaudit.core.periods import Period
from plaudit.core.recurrence import Recurrence
from plaudit.errors import FieldError

from .base import Description, Document, DocumentKind, Instant, Media, Name, Reference
from .conditions import check_conditions
from .dialects import read_campaign, write_campaign
from .effect import AudienceSpec, EffectSpec, check_effects, check_notification, effect_references

TriggerKey = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
Priority = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
TRIGGERS_MAX = 20


class TriggerSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """What sets a campaign off: a type of event, and the conditions that it must meet."""

    type: TriggerKey
    conditions: list[Any] | dict[str, Any] | None = None


class PeriodLimit(Struct, kw_only=True, forbid_unknown_fields=True):
    period: Period
    count: Count


class Limit(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How often a campaign may fire: for a member in all, for a member in a calendar period, for everybody."""

    per_user: Count | None = None
    per_period: PeriodLimit | None = None
    overall: Count | None = None


class Window(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Within which a goal must be reached: one calendar `period`, or any `seconds` or `days` (rolling)."""

    period: Period | None = None
    days: Annotated[int, Meta(ge=1, le=3_660)] | None = None
    seconds: Annotated[int, Meta(ge=1, le=3_660 * 86_400)] | None = None


class GoalSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """When a step is done: `target` events, a sum of `field` of at least `target`, or as many distinct values of it."""

    type: Literal["count", "sum", "distinct"] = "count"
    target: Annotated[int, Meta(ge=1, le=10**9)] | Annotated[float, Meta(gt=0, le=10**9)] = 1
    field: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    window: Window | None = None


class StepSpec(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A part of a campaign: what counts, towards which goal, and what follows when it is reached.

    `notification` tells the member that it is done.
    """

    name: Name
    triggers: list[TriggerSpec] = field(default_factory=list[TriggerSpec])
    goal: GoalSpec = field(default_factory=GoalSpec)
    effects: list[EffectSpec] = field(default_factory=list[EffectSpec])
    notification: Notify | None = None


class RecurrenceSpec(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """When a recurring campaign comes round: an RFC 5545 rule from `startDate` on, in the organisation's time zone.

    An occurrence lasts `durationSeconds`, or until the next begins.
    """

    rule: Annotated[str, Meta(min_length=1, max_length=500)]
    duration_seconds: Annotated[int, Meta(ge=60, le=366 * 86_400)] | None = None


class Campaign(Document, kw_only=True):
    """`priority`: the higher goes first. `cooldown` is in seconds. `endDate` itself is no longer inside.

    With `steps`, `effects` are those of the whole: when `required` steps (all unless said) are done, in the `order`
    given. It begins anew then if `repeatable`. `enrolment`: `open` counts for everybody, `required` for who has joined.
    `notification` tells the member that it is completed; `subtitle`, `media` and the `show…` are for members' apps.
    """

    type: Literal["Challenge", "Reward", "Badge", "Streak", "Competition"] = "Reward"
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


def _check(campaign: Campaign) -> list[FieldError]:
    wrong = check_effects(campaign.effects) + check_notification(campaign.notification, "notification")
    if len(campaign.triggers) > TRIGGERS_MAX:
        wrong.append(FieldError("triggers", f"may have at most {TRIGGERS_MAX} items"))
    for i, trigger in enumerate(campaign.triggers):
        wrong += check_conditions(trigger.conditions, f"triggers[{i}].conditions")
    if campaign.steps:
        wrong += _wrong_steps(campaign)
    elif campaign.simplified_mode and campaign.status == "active":
        if not campaign.triggers:
            wrong.append(FieldError("triggers", "must have at least one item in an active campaign"))
        if not campaign.effects:
            wrong.append(FieldError("effects", "must have at least one item in an active campaign"))
    if not campaign.simplified_mode and (campaign.triggers or campaign.effects):
        wrong.append(FieldError("simplifiedMode", "must be true for a campaign with triggers and effects"))
    wrong += _wrong_times(campaign)
    return wrong


def _wrong_steps(campaign: Campaign) -> list[FieldError]:
    wrong: list[FieldError] = []
    if campaign.triggers or not campaign.simplified_mode:
        wrong.append(FieldError("steps", "cannot stand beside triggers or rules: each step has its own"))
    if campaign.required is not None and campaign.required > len(campaign.steps):
        wrong.append(FieldError("required", f"must not be more than the {len(campaign.steps)} steps"))
    for i, step in enumerate(campaign.steps):
        at = f"steps[{i}]"
        if not 1 <= len(step.triggers) <= TRIGGERS_MAX:
            wrong.append(FieldError(f"{at}.triggers", f"must have 1 to {TRIGGERS_MAX} items"))
        for j, trigger in enumerate(step.triggers):
            wrong += check_conditions(trigger.conditions, f"{at}.triggers[{j}].conditions")
        wrong += [error.under(at) for error in check_effects(step.effects)]
        wrong += check_notification(step.notification, f"{at}.notification")
        goal = step.goal
        if (goal.type == "count") != (goal.field is None):
            wrong.append(FieldError(f"{at}.goal.field", "is for a sum or distinct values, and is needed there"))
        if goal.type != "sum" and goal.target != int(goal.target):
            wrong.append(FieldError(f"{at}.goal.target", "must be a whole number"))
        window = goal.window
        if window is not None and [window.period, window.days, window.seconds].count(None) != 2:
            wrong.append(FieldError(f"{at}.goal.window", "must have one of period, days, seconds"))
    return wrong


def _wrong_times(campaign: Campaign) -> list[FieldError]:
    wrong: list[FieldError] = []
    if campaign.mode == "time-bound" and campaign.end_date is None:
        wrong.append(FieldError("endDate", "is needed in a time-bound campaign"))
    if (campaign.mode == "recurring") != (campaign.recurrence is not None):
        wrong.append(FieldError("recurrence", "is for a recurring campaign, and is needed there"))
    elif campaign.recurrence is not None and campaign.start_date is None:
        wrong.append(FieldError("startDate", "is needed in a recurring campaign"))
    elif campaign.recurrence is not None and campaign.start_date is not None:
        try:
            Recurrence(campaign.recurrence.rule, campaign.start_date, None, "UTC")
        except (ValueError, TypeError, AttributeError) as error:
            wrong.append(FieldError("recurrence.rule", f"must be an RFC 5545 recurrence rule ({error})"))
    if campaign.start_date and campaign.end_date and campaign.end_date <= campaign.start_date:
        wrong.append(FieldError("endDate", "must be after startDate"))
    return wrong


def _references(campaign: Campaign) -> Sequence[Reference]:
    triggers = [
        Reference(f"triggers[{i}].type", "trigger", trigger.type, required=False)
        for i, trigger in enumerate(campaign.triggers)
    ]
    for number, step in enumerate(campaign.steps):
        at = f"steps[{number}]."
        triggers += [
            Reference(f"{at}triggers[{i}].type", "trigger", trigger.type, required=False)
            for i, trigger in enumerate(step.triggers)
        ]
        named = effect_references(step.effects)
        triggers += [structs.replace(one, field=at + one.field) for one in named]
        triggers += _template(step.notification, at)
    audience = campaign.segments.references("segments") if campaign.segments is not None else []
    return triggers + _template(campaign.notification) + audience + effect_references(campaign.effects)


def _template(note: Notify | None, at: str = "") -> list[Reference]:
    named = None if note is None else note.template_id
    return [] if named is None else [Reference(f"{at}notification.templateId", "template", named)]


KIND = DocumentKind(
    name="campaign",
    title="Campaign",
    collection="campaigns",
    id_field="campaignId",
    id_prefix="camp_",
    type=Campaign,
    filters=("status", "type", "mode"),
    check=_check,
    references=_references,
    read=read_campaign,
    write=write_campaign,
)
