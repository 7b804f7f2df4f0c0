"""Campaigns: what members do, and what follows. In simple mode a campaign carries its triggers and effects itself."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from plaudit.core.conditions import ConditionError, compile_conditions
from plaudit.core.periods import Period
from plaudit.errors import FieldError

from .base import Document, DocumentKind, Instant, Reference
from .dialects import read_campaign, write_campaign
from .effect import EffectSpec, check_effects, effect_references

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


class Campaign(Document, kw_only=True):
    """`priority`: the higher goes first. `cooldown` is in seconds. `endDate` itself is no longer inside."""

    type: Literal["Challenge", "Reward", "Badge", "Streak", "Competition"] = "Reward"
    mode: Literal["always-on", "time-bound"] = "always-on"
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


def check_conditions(conditions: Any, at: str) -> list[FieldError]:
    """What is wrong with a tree of conditions."""
    try:
        compile_conditions(conditions, at)
    except ConditionError as error:
        return [FieldError(error.field, str(error))]
    return []


def _check(campaign: Campaign) -> list[FieldError]:
    wrong = check_effects(campaign.effects)
    if len(campaign.triggers) > TRIGGERS_MAX:
        wrong.append(FieldError("triggers", f"may have at most {TRIGGERS_MAX} items"))
    for i, trigger in enumerate(campaign.triggers):
        wrong += check_conditions(trigger.conditions, f"triggers[{i}].conditions")
    if campaign.simplified_mode and campaign.status == "active":
        if not campaign.triggers:
            wrong.append(FieldError("triggers", "must have at least one item in an active campaign"))
        if not campaign.effects:
            wrong.append(FieldError("effects", "must have at least one item in an active campaign"))
    if not campaign.simplified_mode and (campaign.triggers or campaign.effects):
        wrong.append(FieldError("simplifiedMode", "must be true for a campaign with triggers and effects"))
    wrong += _wrong_times(campaign)
    return wrong


def _wrong_times(campaign: Campaign) -> list[FieldError]:
    wrong: list[FieldError] = []
    if campaign.mode == "time-bound" and campaign.end_date is None:
        wrong.append(FieldError("endDate", "is needed in a time-bound campaign"))
    if campaign.start_date and campaign.end_date and campaign.end_date <= campaign.start_date:
        wrong.append(FieldError("endDate", "must be after startDate"))
    return wrong


def _references(campaign: Campaign) -> Sequence[Reference]:
    triggers = [
        Reference(f"triggers[{i}].type", "trigger", trigger.type, required=False)
        for i, trigger in enumerate(campaign.triggers)
    ]
    return triggers + effect_references(campaign.effects)


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
