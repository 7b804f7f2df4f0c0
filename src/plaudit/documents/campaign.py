"""Campaigns: what members do and what follows. In simple mode, a campaign has its own triggers and effects."""

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
    """How often the campaign may fire: per member, per member and period, overall."""

    per_user: Count | None = None
    per_period: PeriodLimitSpec | None = None
    overall: Count | None = None


class Window(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The window in which the goal must be reached: a calendar `period`, or the last `days` or `seconds`."""

    period: Period | None = None
    days: Annotated[int, Meta(ge=1, le=3_660)] | None = None
    seconds: Annotated[int, Meta(ge=1, le=3_660 * 86_400)] | None = None


class GoalSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """When a step is completed: `target` events, a sum of `field`, or distinct values of `field`."""

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
    """Recurrence rule (RFC 5545) in the organisation's time zone, starting at `startDate`.

    An occurrence lasts `durationSeconds`, or until the next begins. The rule recurs at most once a minute. It has at
    most 1,440 times in a list of times, an INTERVAL from 1 to 100,000 and a COUNT from 1 to 10,000. An occurrence must
    follow within 100 years.
    """

    rule: Annotated[str, Meta(min_length=1, max_length=500)]
    duration_seconds: Annotated[int, Meta(ge=60, le=366 * 86_400)] | None = None


class Campaign(Document, kw_only=True):
    """What members do and what follows: `triggers` and `effects`, or rules (advanced mode), or `steps` (a challenge).

    `priority`: higher runs first. `cooldown`: seconds between two runs for a member. `endDate` is exclusive. `effects`
    of a campaign with steps run when `required` steps (default: all) are completed, in the given `order`; if
    `repeatable`, it starts again. Its `type` is then `Challenge` by default. A `Badge` is awarded once, a `Challenge`
    completed once unless it is `repeatable`; a `Reward` pays each time, so with steps it is `repeatable`; {parts}.
    `enrolment`: with `required`, only members who have joined take part. `notification` tells the member that it is
    completed; `subtitle`, `media` and the `show…` fields are for members' apps. `completedAt` is set when a finished
    campaign became `completed`.
    """

    type: str = "Reward"  # of `CAMPAIGN_TYPES`
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
        """Return whether events are accepted: also late ones of its time, after it became completed."""
        by_itself = (
            self.status == "completed"
            and self.completed_at is not UNSET
            and self.end_date is not None
            and self.end_date <= self.completed_at
        )
        return self.status == "active" or by_itself


PARTS: Sequence[CampaignPart] = tuple(MECHANICS.campaign_parts())
CAMPAIGN_TYPES = ("Challenge", "Reward", "Badge", *(part.campaign_type for part in PARTS))

# A campaign as it is written: with the parts that the mechanics add.
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
    """Return the parts that a campaign has, which are documents of mechanics, with what they are."""
    parts = [(part, getattr(campaign, part.name, None)) for part in PARTS]
    return [(part, own) for part, own in parts if own is not None]


def _part_of(campaign_type: str) -> CampaignPart | None:
    """Return the part that campaigns of a type have."""
    return next((part for part in PARTS if part.campaign_type == campaign_type), None)


def _stands_alone(campaign: Campaign) -> bool:
    """Return whether a campaign needs no triggers and effects, because of its type."""
    part = _part_of(campaign.type)
    return part is not None and part.stands_alone


def _check(campaign: Campaign) -> list[FieldError]:
    wrong = check_effects(campaign.effects) + check_notification(campaign.notification, "notification")
    if len(campaign.triggers) > TRIGGERS_MAX:
        wrong.append(FieldError("triggers", f"may have at most {TRIGGERS_MAX} items"))
    for i, trigger in enumerate(campaign.triggers):
        wrong += check_conditions(trigger.conditions, f"triggers[{i}].conditions")
    if campaign.steps:
        wrong += _wrong_steps(campaign)
    elif campaign.simplified_mode and campaign.status == "active" and not _stands_alone(campaign):
        if not campaign.triggers:
            wrong.append(FieldError("triggers", "must not be empty in an active campaign"))
        if not campaign.effects and not any(part.pays(own) for part, own in parts_of(campaign)):
            wrong.append(FieldError("effects", "must not be empty in an active campaign"))
    if not campaign.simplified_mode and (campaign.triggers or campaign.effects):
        wrong.append(FieldError("simplifiedMode", "must be true if the campaign has triggers and effects of its own"))
    return wrong + _wrong_times(campaign) + _wrong_type(campaign)


def _suppose(given: dict[str, Any]) -> dict[str, Any]:
    """Return a campaign as it is meant: with steps it is a challenge if it names no type, and a reward comes again."""
    if not given.get("steps"):
        return given
    kind = given.get("type") or "Challenge"
    again = kind == "Reward" and given.get("mode") != "recurring" and given.get("repeatable") is None
    return given | {"type": kind} | ({"repeatable": True} if again else {})


def _complete(campaign: Campaign) -> Campaign:
    """Return the campaign with what its type means. With steps, a campaign is completed once anyway."""
    part = _part_of(campaign.type)
    if part is not None:
        return part.complete(campaign)
    limit = campaign.limit or Limit()
    once = campaign.type == "Badge" or (campaign.type == "Challenge" and not campaign.repeatable)
    if not once or campaign.steps or campaign.mode == "recurring" or limit.per_user is not None:
        return campaign
    return structs.replace(campaign, limit=structs.replace(limit, per_user=1))


def _wrong_type(campaign: Campaign) -> list[FieldError]:
    """Return what makes no sense in a campaign of its type."""
    kind, recurring = campaign.type, campaign.mode == "recurring"
    wrong: list[FieldError] = []
    if kind == "Reward" and campaign.steps and not (recurring or campaign.repeatable):
        why = "must be true in a Reward, which pays each time: what is completed once is a Challenge (got false)"
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
        wrong += _wrong_again(campaign)
    return wrong + [error for part in PARTS for error in part.check(campaign)]


def _wrong_again(campaign: Campaign) -> list[FieldError]:
    """Return what says how often a campaign may come that comes once."""
    limit, challenge = campaign.limit or Limit(), campaign.type == "Challenge"
    once = "a Challenge that is not repeatable is completed once" if challenge else "a Badge is awarded once"
    wrong: list[FieldError] = []
    if limit.per_user is not None and limit.per_user > 1:
        wrong.append(FieldError("limit.perUser", f"must be 1, or absent: {once} (got {limit.per_user})"))
    again = (("limit.perPeriod", limit.per_period), ("cooldown", campaign.cooldown))
    wrong += [FieldError(name, f"must be absent: {once}") for name, value in again if value is not None]
    return wrong


def _wrong_steps(campaign: Campaign) -> list[FieldError]:
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
        at = f"steps[{i}]"
        if not 1 <= len(step.triggers) <= TRIGGERS_MAX:
            wrong.append(FieldError(f"{at}.triggers", f"must have 1 to {TRIGGERS_MAX} items"))
        for j, trigger in enumerate(step.triggers):
            wrong += check_conditions(trigger.conditions, f"{at}.triggers[{j}].conditions")
        wrong += [error.under(at) for error in check_effects(step.effects)]
        wrong += check_notification(step.notification, f"{at}.notification")
        goal = step.goal
        if (goal.type == "count") != (goal.field is None):
            wrong.append(
                FieldError(f"{at}.goal.field", "is required for sum and distinct goals, and not allowed otherwise")
            )
        if goal.type != "sum" and goal.target != int(goal.target):
            wrong.append(FieldError(f"{at}.goal.target", "must be a whole number"))
        window = goal.window
        if window is not None and [window.period, window.days, window.seconds].count(None) != 2:
            wrong.append(FieldError(f"{at}.goal.window", "must have exactly one of period, days and seconds"))
    return wrong


def _wrong_times(campaign: Campaign) -> list[FieldError]:
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
        triggers += [structs.replace(reference, field=at + reference.field) for reference in named]
        triggers += _template(step.notification, at)
    audience = campaign.segments.references("segments") if campaign.segments is not None else []
    for part, own in parts_of(campaign):
        audience += part.references(own, f"{part.name}.")
    return triggers + _template(campaign.notification) + audience + effect_references(campaign.effects)


def _amounts(campaign: Campaign) -> Sequence[MetricAmount]:
    found = effect_amounts(campaign.effects)
    for number, step in enumerate(campaign.steps):
        found += effect_amounts(step.effects, f"steps[{number}].")
    for part, own in parts_of(campaign):
        found += part.amounts(own, f"{part.name}.")
    return found


def _template(note: Notify | None, at: str = "") -> list[Reference]:
    named = None if note is None else note.template_id
    return [] if named is None else [Reference(f"{at}notification.templateId", "template", named)]


KIND = DocumentKind(
    name="campaign",
    title="Campaign",
    collection="campaigns",
    id_field="campaignId",
    id_prefix="camp_",
    type=CampaignDocument,
    filters=("status", "type", "mode"),
    fixed=tuple(f"{part.name}.{name}" for part in PARTS for name in part.fixed),  # what members have is kept by them
    suppose=_suppose,
    complete=_complete,
    check=_check,
    references=_references,
    amounts=_amounts,
    read=read_campaign,
    write=write_campaign,
)
