"""Triggers: the event types that an organisation's systems report, with their fields."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from plaudit.errors import FIELD_MISSING, FieldError

from .base import Description, Document, DocumentKind


class TriggerField(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A field of the event's data."""

    key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    type: Literal["string", "number", "boolean", "date", "object", "array"] = "string"
    description: Description | None = None
    required: bool = False


class Trigger(Document, kw_only=True):
    """An event type that clients report. `strict`: reject events whose data does not match `fields`."""

    key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    category: Annotated[str, Meta(max_length=64)] | None = None
    fields: list[TriggerField] = field(default_factory=list[TriggerField])
    strict: bool = False
    open_to_members: bool = False


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "date": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


def check_data(trigger: Trigger, data: dict[str, Any]) -> list[FieldError]:
    """Return the errors in an event's data by the fields of its strict trigger."""
    wrong: list[FieldError] = []
    for trigger_field in trigger.fields:
        value = data.get(trigger_field.key)
        if value is None:
            if trigger_field.required:
                wrong.append(FieldError(f"data.{trigger_field.key}", FIELD_MISSING))
        elif not isinstance(value, _TYPES[trigger_field.type]) or (
            trigger_field.type == "number" and isinstance(value, bool)
        ):
            wrong.append(FieldError(f"data.{trigger_field.key}", f"must be a {trigger_field.type}"))
    return wrong


def _check(trigger: Trigger) -> Sequence[FieldError]:
    counts = Counter(trigger_field.key for trigger_field in trigger.fields)
    return [
        FieldError(f"fields[{i}].key", "must be unique")
        for i, trigger_field in enumerate(trigger.fields)
        if counts[trigger_field.key] > 1
    ]


KIND = DocumentKind(
    name="trigger",
    title="Trigger",
    collection="triggers",
    id_field="triggerId",
    id_prefix="",
    id_from="key",
    type=Trigger,
    filters=("category",),
    fixed=("key",),
    check=_check,
)
