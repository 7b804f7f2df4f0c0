"""Triggers: the types of event that an organisation's systems report, with the fields that they carry."""

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
    """`strict` refuses events whose data does not fit `fields`; otherwise they are there for people."""

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
    """What keeps an event's data from fitting a strict trigger."""
    wrong: list[FieldError] = []
    for one in trigger.fields:
        value = data.get(one.key)
        if value is None:
            if one.required:
                wrong.append(FieldError(f"data.{one.key}", FIELD_MISSING))
        elif not isinstance(value, _TYPES[one.type]) or (one.type == "number" and isinstance(value, bool)):
            wrong.append(FieldError(f"data.{one.key}", f"must be a {one.type}"))
    return wrong


def _check(trigger: Trigger) -> Sequence[FieldError]:
    counts = Counter(one.key for one in trigger.fields)
    return [
        FieldError(f"fields[{i}].key", "must be there once only")
        for i, one in enumerate(trigger.fields)
        if counts[one.key] > 1
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
