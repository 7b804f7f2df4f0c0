"""Converts structs to objects with named fields and back, for members' states in exports.

The database stores states as lists to save space. In exports every field has a name, and fields with default values are
left out, so states of earlier versions can be read. A field that is added to a struct needs no change here.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import NODEFAULT, Struct, inspect

from plaudit.errors import FIELD_MISSING, FieldError, invalid_fields

T = TypeVar("T")


def to_named(value: Any) -> Any:
    """Return a value with its structs as objects. Values that are neither structs nor containers stay unchanged."""
    if isinstance(value, Struct):
        fields: dict[str, Any] = {}
        for name, export_name, default in _fields_of(type(value)):
            field = getattr(value, name)
            if field != default:
                fields[export_name] = to_named(field)
        return fields
    if isinstance(value, Mapping):
        return {str(key): to_named(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [to_named(item) for item in cast("list[Any]", value)]
    return value


def from_named(value: Any, target: type[T], path: str) -> T:
    """Return the value that `to_named` converted. Raise Invalid naming every invalid field, by paths under `path`."""
    encoded = _encoded(value, _type_of(target), path)
    try:
        return msgspec.convert(encoded, target, str_keys=True)
    except msgspec.ValidationError as error:
        raise invalid_fields([FieldError(path, f"is invalid: {error}".replace("`", ""))]) from None


@cache
def _fields_of(struct_type: type[Struct]) -> list[tuple[str, str, Any]]:
    """Return the fields of a struct: their names in Python, their names in exports, and their defaults."""
    fields: list[tuple[str, str, Any]] = []
    for field in msgspec.structs.fields(struct_type):
        default: Any = field.default
        if field.default_factory is not NODEFAULT:
            default = field.default_factory()
        fields.append((field.name, _export_name(field.name), default))
    return fields


def _export_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


@cache
def _type_of(target: type) -> inspect.Type:
    return inspect.type_info(target)


def _encoded(value: Any, type_: inspect.Type, path: str) -> Any:
    """Return a value in the form that msgspec decodes, with its structs as lists or objects."""
    if value is None:
        return None
    match type_:
        case inspect.UnionType():
            (other,) = [item for item in type_.types if not isinstance(item, inspect.NoneType)]
            return _encoded(value, other, path)
        case inspect.StructType():
            return _encoded_struct(value, type_, path)
        case inspect.DictType():
            items = _object(value, path).items()
            return {name: _encoded(item, type_.value_type, f"{path}.{name}") for name, item in items}
        case inspect.VarTupleType() | inspect.ListType():
            return [_encoded(item, type_.item_type, f"{path}[{i}]") for i, item in enumerate(_list(value, path))]
        case inspect.TupleType():
            items = _list(value, path)
            if len(items) != len(type_.item_types):
                raise invalid_fields([FieldError(path, f"must have {len(type_.item_types)} items (got {len(items)})")])
            pairs = zip(items, type_.item_types, strict=True)
            return [_encoded(item, item_type, f"{path}[{i}]") for i, (item, item_type) in enumerate(pairs)]
        case _:
            return value


def _encoded_struct(value: Any, type_: inspect.StructType, path: str) -> Any:
    named = _object(value, path)
    fields = {_export_name(field.name): field for field in type_.fields}
    wrong = [FieldError(f"{path}.{name}", "is not a known field") for name in named if name not in fields]
    wrong += [
        FieldError(f"{path}.{name}", FIELD_MISSING)
        for name, field in fields.items()
        if field.required and name not in named
    ]
    if wrong:
        raise invalid_fields(wrong)
    encoded: dict[str, Any] = {}
    for name, export_name, default in _fields_of(type_.cls):
        if export_name in named:
            encoded[name] = _encoded(named[export_name], fields[export_name].type, f"{path}.{export_name}")
        elif type_.array_like:
            encoded[name] = msgspec.to_builtins(default)
    if type_.array_like:
        return list(encoded.values())
    return {field.encode_name: encoded[field.name] for field in type_.fields if field.name in encoded}


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid_fields([FieldError(path, "must be an object")])
    return cast("dict[str, Any]", value)


def _list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise invalid_fields([FieldError(path, "must be an array")])
    return cast("list[Any]", value)
