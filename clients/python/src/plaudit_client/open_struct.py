"""Response types that may have further fields, such as a profile with the fields of its schema."""

from functools import cache
from typing import Any, cast, get_origin

from msgspec import Struct, field, inspect, structs

Json = dict[str, Any]


class OpenStruct(Struct, frozen=True, kw_only=True):
    """The base of these types. `additional_properties` holds the further fields, by their names in the API."""

    # The API has no field with an empty name, so this one is never decoded from a response.
    additional_properties: Json = field(name="", default_factory=dict[str, Any])


@cache
def is_open(of: Any) -> bool:
    """Return whether values of a type can have further fields, or hold values that can."""
    return any(issubclass(get_origin(struct) or struct, OpenStruct) for struct in _structs_in(of))


def keep_further(value: Any, plain: Any) -> None:
    """Copy the further fields of a `plain` JSON value into the structs of `value`, its decoded form."""
    if isinstance(value, Struct) and isinstance(plain, dict):
        _keep_further_of(value, cast("Json", plain))
    elif isinstance(value, list) and isinstance(plain, list):
        for item, plain_item in zip(cast("list[Any]", value), cast("list[Any]", plain), strict=True):
            keep_further(item, plain_item)
    elif isinstance(value, dict) and isinstance(plain, dict):
        for name, item in cast("Json", value).items():
            keep_further(item, plain[name])


def _keep_further_of(struct: Struct, plain: Json) -> None:
    for name, sent_name in zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True):
        if sent_name in plain:
            keep_further(getattr(struct, name), plain[sent_name])
    if isinstance(struct, OpenStruct):
        further = {name: part for name, part in plain.items() if name not in struct.__struct_encode_fields__}
        structs.force_setattr(struct, "additional_properties", further)


def _structs_in(of: Any) -> set[type[Struct]]:
    """Return the structs in a type, directly or nested."""
    structs_in: set[type[Struct]] = set()
    pending: list[Any] = [inspect.type_info(of)]
    while pending:
        part = pending.pop()
        if isinstance(part, inspect.StructType):
            if part.cls in structs_in:
                continue
            structs_in.add(part.cls)
            pending += [field.type for field in part.fields]
        elif isinstance(part, inspect.UnionType):
            pending += part.types
        elif isinstance(part, inspect.DictType):
            pending.append(part.value_type)
        elif isinstance(part, inspect.ListType):
            pending.append(part.item_type)
    return structs_in
