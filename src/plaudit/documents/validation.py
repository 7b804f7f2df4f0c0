"""Converts JSON values to structs, and reports all errors together."""

import re
from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Struct

from plaudit import bounds
from plaudit.errors import FIELD_MISSING, FieldError, invalid_fields

from .lenient import normalised

T = TypeVar("T", bound=Struct)

ITEMS_MAX = 1_000  # the items of a list that are checked one by one

_AT = re.compile(r" - at `(?:key in )?\$(.*?)`$")
# msgspec's messages, which are replaced by ours.
_EXPECTED = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_PATTERN = re.compile(r"Expected `str` matching regex (.*)$", re.DOTALL)
_WANTED = {repr(pattern): wanted for pattern, wanted in bounds.WANTED.items()}
_LENGTH = re.compile(r"Expected `(str|array)` of length ([<>=]=) (\d+)$")
_BOUND = re.compile(r"Expected `(?:int|float)` ([<>]=?) (-?[\d.e+]+)$")
_NO_TIME = "Invalid RFC3339 encoded datetime"
_COMPARED = {"<=": "at most", ">=": "at least", "==": "exactly", "<": "less than", ">": "greater than"}
_COUNTED = {"str": "characters", "array": "items"}
_WORDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
    "datetime": "an ISO 8601 time",
}


def convert(raw: Any, target: type[T]) -> T:
    """Return `raw` as a struct, and accept other ways of writing the same (see `lenient`).

    Raise Invalid naming every invalid field.
    """
    result = struct_of(raw, target)
    bounds.check(result)
    return result


def struct_of(raw: Any, target: type[T]) -> T:
    """Return `raw` as a struct without checking the bounds. Raise Invalid naming every field of the wrong type."""
    try:
        return msgspec.convert(raw, target)
    except msgspec.ValidationError:
        value = normalised(raw, target)
        try:
            return msgspec.convert(value, target)
        except msgspec.ValidationError:
            raise invalid_fields(_wrong_fields(value, target)) from None


def _wrong_fields(raw: Any, into: type[Struct], under: str = "") -> list[FieldError]:
    """Return the errors of a value that is not a valid struct, field by field, in the struct's order."""
    if not isinstance(raw, dict):
        return [FieldError(under, f"must be an object (got {_word_of(raw)})")]
    values = cast("dict[str, Any]", raw)
    errors: list[FieldError] = []
    known = msgspec.structs.fields(into)
    before = f"{under}." if under else ""
    for field in known:
        name = field.encode_name
        if name in values:
            errors += faults_of(values[name], field.type, before + name)
        elif field.required:
            errors.append(FieldError(before + name, FIELD_MISSING))
    if not into.__struct_config__.forbid_unknown_fields:
        return errors
    unknown = values.keys() - {field.encode_name for field in known}
    errors += [FieldError(before + name, "is not a known field") for name in sorted(unknown)]
    return errors


def faults_of(value: Any, of: Any, at: str) -> list[FieldError]:
    """Return the errors of a value that is not of a type, including those inside a list, an object or a struct."""
    try:
        msgspec.convert(value, of)
    except msgspec.ValidationError as problem:
        error = _field_error(at, str(problem), value, _choices(of))
    else:
        return []
    inner: list[FieldError] = []
    for alternative in _alternatives(of):
        args = get_args(alternative)
        if isinstance(value, list) and get_origin(alternative) is list:
            items = cast("list[Any]", value)[:ITEMS_MAX]
            inner = [fault for i, item in enumerate(items) for fault in faults_of(item, args[0], f"{at}[{i}]")]
        elif isinstance(value, dict) and get_origin(alternative) is dict:
            values = cast("dict[Any, Any]", value)
            inner = [fault for key, item in values.items() for fault in faults_of(item, args[1], f"{at}.{key}")]
        elif isinstance(value, dict) and isinstance(alternative, type) and issubclass(alternative, Struct):
            inner = _wrong_fields(value, alternative, at)
    return [error] if not inner else inner if error.field != at else [error, *inner]


def _alternatives(of: Any) -> list[Any]:
    """Return the types that a value may have: one, or those of a union, without their annotations."""
    if get_origin(of) is Annotated:
        return _alternatives(get_args(of)[0])
    if get_origin(of) in (Union, UnionType):
        return [inner for get_arg in get_args(of) for inner in _alternatives(get_arg)]
    return [of]


def _choices(of: Any) -> list[str]:
    """Return the values that a type of choices allows."""
    literals = [alternative for alternative in _alternatives(of) if get_origin(alternative) is Literal]
    return [str(choice) for literal in literals for choice in get_args(literal)]


def _field_error(name: str, message: str, value: Any, choices: Sequence[str]) -> FieldError:
    location = _AT.search(message)
    path = name + (location.group(1) if location else "")
    sentence = _AT.sub("", message)
    expected = _EXPECTED.match(sentence)
    if expected:
        words = [word.strip() for word in expected[1].split("|")]
        if "float" in words and "int" in words:
            words.remove("int")
        wanted = " or ".join(_WORDS.get(word, word) for word in words)
        got = _WORDS.get(expected[2], expected[2])
        rest = sentence[expected.end() :]
        return FieldError(path, f"must be {wanted}{rest} (got {got})")
    if sentence.startswith("Object missing required field"):
        return FieldError(f"{path}.{sentence.split('`')[1]}", FIELD_MISSING)
    if sentence.startswith("Object contains unknown field"):
        return FieldError(f"{path}.{sentence.split('`')[1]}", "is not a known field")
    pattern = _PATTERN.match(sentence)
    if pattern and pattern[1] in _WANTED:
        return FieldError(path, f"must be {_WANTED[pattern[1]]}")
    length = _LENGTH.match(sentence)
    if length:
        number, counted = int(length[3]), _COUNTED[length[1]]
        compared = f"{_COMPARED[length[2]]} {number:,} {counted if number != 1 else counted[:-1]}"
        return FieldError(path, f"must be {_WORDS[length[1]]} of {compared}")
    got = _got(value) if path == name else ""
    if sentence.startswith("Invalid enum value") and choices:
        return FieldError(path, f"must be one of {', '.join(choices)}{got}")
    bound = _BOUND.match(sentence)
    if bound:
        return FieldError(path, f"must be {_COMPARED[bound[1]]} {_number(bound[2])}{got}")
    if sentence == _NO_TIME:
        return FieldError(path, f"must be an ISO 8601 time, such as {bounds.TIME_EXAMPLE}{got}")
    if sentence.startswith("Expected "):
        return FieldError(path, "must be " + sentence.removeprefix("Expected ").replace("`", ""))
    return FieldError(path, "is invalid: " + sentence.replace("`", ""))


def _got(value: Any) -> str:
    """Return a value as an error shows it, or nothing for containers and for numbers that are too long to be readable."""
    short = isinstance(value, str) or (isinstance(value, int | float) and abs(value) <= bounds.NUMBER_MAX)
    return f" (got {bounds.error_value(value)})" if short else ""


def _number(text: str) -> str:
    """Return a bound in readable form: 1,000 instead of 1000, and 0 instead of 0.0."""
    whole = text.removesuffix(".0")
    return f"{int(whole):,}" if whole.lstrip("-").isdigit() else text


def _word_of(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    return "null" if value is None else _WORDS.get(type(value).__name__, "something else")
