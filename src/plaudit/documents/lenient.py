"""Accepts other ways of writing the same value: null for an absent field, a number for an id, a date for a time.

Serialisers differ. Those of C#, Java and Go write null for every field that is not set. Shops send their customers' ids
as numbers. And people often write only the date on which something begins. `validation` only calls this module after
msgspec has refused a value, so other values cost nothing.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct
from msgspec.inspect import (
    CustomType,
    DateTimeType,
    DictType,
    Field,
    ListType,
    Metadata,
    NoneType,
    SetType,
    StructType,
    Type,
    UnionType,
    VarTupleType,
)  # fmt: skip

# Above this, a float can no longer represent every integer.
EXACT_MAX = 1 << 53

_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")

# Marks the type of a string that is an id, and so may also be written as a number.
AN_ID: dict[str, Any] = {"id": True}

# A user id in a document. It has no pattern, because the document may be older than the pattern for user ids.
ListedId = Annotated[str, Meta(extra=AN_ID)]


def id_text(value: Any) -> Any:
    """Return an id that was sent as a number as a decimal string (7 and 7.0 are "7"), any other value unchanged."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_MAX:
        value = int(value)
    return str(value) if isinstance(value, int) else value


@cache
def user_fields(struct_type: type[Struct]) -> tuple[str, ...]:
    """Return the attributes of a struct that are user ids (see `UserId`)."""
    described = cast("StructType", _described(struct_type))
    return tuple(field.name for field in described.fields if _is_user_id(field.type))


def _is_user_id(type_: Type) -> bool:
    if isinstance(type_, UnionType):
        return any(_is_user_id(member_type) for member_type in type_.types)
    marks = cast("dict[str, Any]", type_.extra or {}) if isinstance(type_, Metadata) else {}
    return "user" in marks


def normalised(raw: Any, struct_type: type[Struct]) -> Any:
    """Return `raw`, which msgspec does not accept as the struct, in the form that it accepts. Do not change `raw`."""
    return _normalised(raw, _described(struct_type))


@cache
def _described(struct_type: type[Struct]) -> Type:
    return msgspec.inspect.type_info(struct_type)


def _normalised(value: Any, type_: Type) -> Any:
    if isinstance(type_, Metadata):
        marks = cast("dict[str, Any]", type_.extra or {})
        return id_text(value) if marks.get("id") else _normalised(value, type_.type)
    if isinstance(type_, DateTimeType):
        return f"{value}T00:00:00Z" if isinstance(value, str) and _DATE.match(value) else value
    if isinstance(type_, UnionType):
        return _normalised_union(value, type_)
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        if isinstance(type_, StructType):
            fields = {field.encode_name: field for field in type_.fields}
            return {
                name: _normalised_field(item, fields.get(name))
                for name, item in items.items()
                if not _means_absent(item, fields.get(name))
            }
        if isinstance(type_, DictType):
            return {name: _normalised(item, type_.value_type) for name, item in items.items()}
    elif isinstance(value, list) and isinstance(type_, ListType | SetType | VarTupleType):
        return [_normalised(item, type_.item_type) for item in cast("list[Any]", value)]
    return cast("Any", value)


def _normalised_field(value: Any, field: Field | None) -> Any:
    return value if field is None else _normalised(value, field.type)


def _means_absent(value: Any, field: Field | None) -> bool:
    """Return whether a null means that a field is absent: the field is optional, and null is not one of its values."""
    return value is None and field is not None and not field.required and not _accepts_null(field.type)


def _accepts_null(type_: Type) -> bool:
    if isinstance(type_, Metadata):
        return _accepts_null(type_.type)
    if isinstance(type_, UnionType):
        return any(_accepts_null(member_type) for member_type in type_.types)
    return isinstance(type_, NoneType | msgspec.inspect.AnyType | CustomType)


def _normalised_union(value: Any, type_: UnionType) -> Any:
    """Return the value as normalised by the first type that changes it. Of tagged structs, only the tag's type counts."""
    for member_type in type_.types:
        if isinstance(member_type, StructType) and member_type.tag is not None and isinstance(value, dict):
            tag = cast("Mapping[str, Any]", value).get(member_type.tag_field or "type")
            if tag != member_type.tag:
                continue
        changed = _normalised(value, member_type)
        if changed is not value and changed != value:
            return changed
    return cast("Any", value)
