"""From JSON values to a struct, with everything that is wrong said at once."""

import re
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct

from plaudit.errors import MISSING_FIELD, FieldError, invalid_fields

T = TypeVar("T", bound=Struct)

_AT = re.compile(r" - at `(?:key in )?\$(.*?)`$")
# The library's words for types, in ours.
_EXPECTED = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_WORDS = {
    "str": "a text",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
    "datetime": "an ISO 8601 time",
}


def read(raw: Any, into: type[T]) -> T:
    """`raw` as the struct. Raises Invalid naming every field that is wrong."""
    try:
        return msgspec.convert(raw, into)
    except msgspec.ValidationError:
        raise invalid_fields(wrong_fields(raw, into)) from None


def wrong_fields(raw: Any, into: type[Struct]) -> list[FieldError]:
    """What keeps `raw` from being that struct, field by field, in the order of the struct."""
    if not isinstance(raw, dict):
        return [FieldError("", f"must be an object (got {_word_of(raw)})")]
    given = cast("dict[str, Any]", raw)
    errors: list[FieldError] = []
    known = msgspec.structs.fields(into)
    for field in known:
        name = field.encode_name
        if name not in given:
            if field.required:
                errors.append(FieldError(name, MISSING_FIELD))
            continue
        try:
            msgspec.convert(given[name], field.type)
        except msgspec.ValidationError as error:
            errors.append(_field_error(name, str(error)))
    unknown = given.keys() - {field.encode_name for field in known}
    errors += [FieldError(name, "is not a known field") for name in sorted(unknown)]
    return errors


def _field_error(name: str, message: str) -> FieldError:
    found = _AT.search(message)
    path = name + (found.group(1) if found else "")
    sentence = _AT.sub("", message)
    expected = _EXPECTED.match(sentence)
    if expected:
        wanted = " or ".join(_WORDS.get(word.strip(), word.strip()) for word in expected[1].split("|"))
        got = _WORDS.get(expected[2], expected[2])
        rest = sentence[expected.end() :]
        return FieldError(path, f"must be {wanted}{rest} (got {got})")
    if sentence.startswith("Object missing required field"):
        return FieldError(f"{path}.{sentence.split('`')[1]}", MISSING_FIELD)
    if sentence.startswith("Object contains unknown field"):
        return FieldError(f"{path}.{sentence.split('`')[1]}", "is not a known field")
    if sentence.startswith("Expected "):
        return FieldError(path, "must be " + sentence.removeprefix("Expected ").replace("`", ""))
    return FieldError(path, "is not valid: " + sentence.replace("`", ""))


def _word_of(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return "null" if value is None else _WORDS.get(type(value).__name__, "something else")
