"""Response types of the operations on reference data."""

from typing import Any

from msgspec import UNSET, UnsetType

from .base import Json, View, page_of


class EffectType(View):
    """A type of effect; `schema` is the JSON Schema of its settings."""

    type: str
    aliases: list[str]
    description: str
    schema: Json


class ConditionOperator(View):
    """An operator of conditions; `value` says what it is compared with."""

    operator: str
    aliases: list[str]
    description: str
    value: str


class TriggerType(View):
    """A type of event; `schema` is the JSON Schema of its data."""

    type: str
    name: str
    category: str | None
    description: str | None
    schema: Json


class MemberProperty(View):
    """A property of members that conditions can use, with the operators that fit its type."""

    field: str
    type: str
    category: str
    source: str
    operators: list[str]
    name: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    options: list[Any] | UnsetType = UNSET


EffectTypeList = page_of(EffectType, "effects", paged=False)
OperatorList = page_of(ConditionOperator, "operators", name="OperatorList", paged=False)
TriggerTypeList = page_of(TriggerType, "trigger_types", paged=False)
MemberPropertyList = page_of(MemberProperty, "properties", [("count", int)], name="MemberPropertyList", paged=False)
