"""Rules: the triggers of a campaign in advanced mode. Each is a step of its campaign."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, field

from plaudit.errors import FieldError

from .base import Document, DocumentId, DocumentKind, MetricAmount, Name, Reference
from .campaign import Priority
from .conditions import check_conditions
from .dialects import read_rule, write_rule
from .effect import EffectSpec, check_effects, effect_amounts, effect_references
from .listening import TriggerKey


class Rule(Document, kw_only=True):
    """A trigger with conditions and effects, in a campaign in advanced mode.

    `priority`: higher runs first among the campaign's rules. `stopProcessing`: once this rule has fired, later rules of
    the campaign are skipped for the event.
    """

    name: Name | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    campaign_id: DocumentId
    trigger_type: TriggerKey
    effects: Annotated[list[EffectSpec], Meta(min_length=1)]
    conditions: list[Any] | dict[str, Any] | None = field(default_factory=list[Any])
    priority: Priority = 5
    enabled: bool = True
    stop_processing: bool = False


def _check(rule: Rule) -> list[FieldError]:
    return check_effects(rule.effects) + check_conditions(rule.conditions, "conditions")


def _references(rule: Rule) -> Sequence[Reference]:
    return [
        Reference("campaignId", "campaign", rule.campaign_id),
        Reference("triggerType", "trigger", rule.trigger_type, required=False),
        *effect_references(rule.effects),
    ]


def _amounts(rule: Rule) -> Sequence[MetricAmount]:
    return effect_amounts(rule.effects)


KIND = DocumentKind(
    name="rule",
    title="Rule",
    collection="rules",
    id_field="ruleId",
    id_prefix="rule_",
    type=Rule,
    fixed=("campaignId",),
    check=_check,
    references=_references,
    amounts=_amounts,
    read=read_rule,
    write=write_rule,
)
