"""What senders write in another way and mean the same: null for a field that is absent, a number for an id, a date.

Serializers differ. Those of C#, Java and Go write null for whatever is not set; shops send their customers' ids as they
keep them, as numbers; and a day without a time of day is the usual way of writing when something begins. Whoever reads a
value into a struct (see `reading`) comes through here once msgspec has refused it, so what needs no help costs nothing.
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

# Beyond it, a number with a fraction no longer says which integer it is.
EXACT_MAX = 1 << 53

_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")

# Marks a text that may also be written as a number: an id.
AN_ID: dict[str, Any] = {"id": True}

# In documents, which may be older than any further rule.
ListedId = Annotated[str, Meta(extra=AN_ID)]


def id_text(value: Any) -> Any:
    """An id that came as a number, as its decimal text (7.0 is 7); anything else as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_MAX:
        value = int(value)
    return str(value) if isinstance(value, int) else value


@cache
def user_fields(into: type[Struct]) -> tuple[str, ...]:
    """The attributes of a struct that name a person (see `UserId`)."""
    described = cast("StructType", _described(into))
    return tuple(field.name for field in described.fields if _names_a_user(field.type))


def _names_a_user(of: Type) -> bool:
    if isinstance(of, UnionType):
        return any(_names_a_user(item) for item in of.types)
    marks = cast("dict[str, Any]", of.extra or {}) if isinstance(of, Metadata) else {}
    return "user" in marks


def as_meant(raw: Any, into: type[Struct]) -> Any:
    """`raw`, which msgspec does not take as the struct, in the way of writing that it takes. `raw` is not changed."""
    return _meant(raw, _described(into))


@cache
def _described(into: type[Struct]) -> Type:
    return msgspec.inspect.type_info(into)


def _meant(value: Any, of: Type) -> Any:
    if isinstance(of, Metadata):
        return id_text(value) if of.extra is not None and of.extra.get("id") else _meant(value, of.type)
    if isinstance(of, DateTimeType):
        return f"{value}T00:00:00Z" if isinstance(value, str) and _DATE.match(value) else value
    if isinstance(of, UnionType):
        return _meant_of_union(value, of)
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        if isinstance(of, StructType):
            fields = {field.encode_name: field for field in of.fields}
            return {
                name: _of_field(item, fields.get(name))
                for name, item in given.items()
                if _is_said(item, fields.get(name))
            }
        if isinstance(of, DictType):
            return {name: _meant(item, of.value_type) for name, item in given.items()}
    elif isinstance(value, list) and isinstance(of, ListType | SetType | VarTupleType):
        return [_meant(item, of.item_type) for item in cast("list[Any]", value)]
    return cast("Any", value)


def _of_field(value: Any, field: Field | None) -> Any:
    return value if field is None else _meant(value, field.type)


def _is_said(value: Any, field: Field | None) -> bool:
    """Whether a field says something: null says nothing where the field may be absent and has no null of its own."""
    return value is not None or field is None or field.required or _has_null(field.type)


def _has_null(of: Type) -> bool:
    if isinstance(of, Metadata):
        return _has_null(of.type)
    if isinstance(of, UnionType):
        return any(_has_null(item) for item in of.types)
    return isinstance(of, NoneType | msgspec.inspect.AnyType | CustomType)


def _meant_of_union(value: Any, of: UnionType) -> Any:
    """The first of the types that reads the value in another way; among structs, the one that its tag names."""
    for item in of.types:
        if isinstance(item, StructType) and item.tag is not None and isinstance(value, dict):
            tag = cast("Mapping[str, Any]", value).get(item.tag_field or "type")
            if tag != item.tag:
                continue
        found = _meant(value, item)
        if found is not value and found != value:
            return found
    return cast("Any", value)
