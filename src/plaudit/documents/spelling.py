"""Structs as objects whose fields have names, and back: how a member's state is written where others read it.

The database keeps such states as lists, to save space. Here every field has its name, and a field with its default is
left out, so a state of an earlier version can be read. A field that is added to a struct is written and read without
a change here.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import NODEFAULT, Struct, inspect

from plaudit.errors import FIELD_MISSING, FieldError, invalid_fields

T = TypeVar("T")


def spelled(value: Any) -> Any:
    """Return a value with its structs as objects; other values that JSON has no word for stay as they are."""
    if isinstance(value, Struct):
        found: dict[str, Any] = {}
        for name, outside, default in _named(type(value)):
            field = getattr(value, name)
            if field != default:
                found[outside] = spelled(field)
        return found
    if isinstance(value, Mapping):
        return {str(key): spelled(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [spelled(item) for item in cast("list[Any]", value)]
    return value


def meant(value: Any, into: type[T], at: str) -> T:
    """Return the struct that `spelled` wrote so. Raises Invalid naming the field below `at` that is wrong."""
    listed = _listed(value, _type_of(into), at)
    try:
        return msgspec.convert(listed, into, str_keys=True)
    except msgspec.ValidationError as error:
        raise invalid_fields([FieldError(at, f"is invalid: {error}".replace("`", ""))]) from None


@cache
def _named(of: type[Struct]) -> list[tuple[str, str, Any]]:
    """The fields of a struct: their names inside and outside, and what they are without being said."""
    found: list[tuple[str, str, Any]] = []
    for field in msgspec.structs.fields(of):
        default: Any = field.default
        if field.default_factory is not NODEFAULT:
            default = field.default_factory()
        found.append((field.name, _outside(field.name), default))
    return found


def _outside(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(key.capitalize() for key in others)


@cache
def _type_of(of: type) -> inspect.Type:
    return inspect.type_info(of)


def _listed(value: Any, of: inspect.Type, at: str) -> Any:
    """A value as the decoder takes it: structs as the lists or objects that they are inside."""
    if value is None:
        return None
    match of:
        case inspect.UnionType():
            (other,) = [item for item in of.types if not isinstance(item, inspect.NoneType)]
            return _listed(value, other, at)
        case inspect.StructType():
            return _struct(value, of, at)
        case inspect.DictType():
            return {name: _listed(item, of.value_type, f"{at}.{name}") for name, item in _object(value, at).items()}
        case inspect.VarTupleType() | inspect.ListType():
            return [_listed(item, of.item_type, f"{at}[{place}]") for place, item in enumerate(_list(value, at))]
        case inspect.TupleType():
            items = _list(value, at)
            if len(items) != len(of.item_types):
                raise invalid_fields([FieldError(at, f"must have {len(of.item_types)} items (got {len(items)})")])
            pairs = zip(items, of.item_types, strict=True)
            return [_listed(item, kind, f"{at}[{place}]") for place, (item, kind) in enumerate(pairs)]
        case _:
            return value


def _struct(value: Any, of: inspect.StructType, at: str) -> Any:
    given = _object(value, at)
    fields = {_outside(field.name): field for field in of.fields}
    wrong = [FieldError(f"{at}.{name}", "is not a known field") for name in given if name not in fields]
    wrong += [
        FieldError(f"{at}.{name}", FIELD_MISSING)
        for name, field in fields.items()
        if field.required and name not in given
    ]
    if wrong:
        raise invalid_fields(wrong)
    found: dict[str, Any] = {}
    for name, default in [(name, default) for name, _, default in _named(of.cls)]:
        outside = _outside(name)
        if outside in given:
            found[name] = _listed(given[outside], fields[outside].type, f"{at}.{outside}")
        elif of.array_like:
            found[name] = msgspec.to_builtins(default)
    if of.array_like:
        return list(found.values())
    return {field.encode_name: found[field.name] for field in of.fields if field.name in found}


def _object(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid_fields([FieldError(at, "must be an object")])
    return cast("dict[str, Any]", value)


def _list(value: Any, at: str) -> list[Any]:
    if not isinstance(value, list):
        raise invalid_fields([FieldError(at, "must be an array")])
    return cast("list[Any]", value)
