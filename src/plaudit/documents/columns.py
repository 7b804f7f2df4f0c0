"""The columns of CSV files: which columns a kind of file can have, and how their cells are read.

A cell's type comes from its column's field, never from the cell's content: a loyalty number `0070` stays a string, and
`seven` in a column of numbers is refused.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from plaudit.core import identities
from plaudit.core.profile_fields import KEPT_BY_ENGINE
from plaudit.errors import FieldError, Invalid, invalid_fields
from plaudit.mechanics.registry import MECHANICS

from .profile import CUSTOM, ProfileValidator
from .trigger import Trigger

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
NUMBER_LENGTH_MAX = 40
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")

Reader = Callable[[str], Any]  # reads a cell, or raises ValueError with the message of a field error ("must be …")


def _text(cell: str) -> str:
    return cell


def _trimmed(cell: str) -> str:
    return cell.strip()


def _number(cell: str) -> int | float:
    cell = cell.strip()
    match = _NUMBER.fullmatch(cell)
    if match is None or len(cell) > NUMBER_LENGTH_MAX:
        raise ValueError(f"must be a number such as 1234.5 (got {cell[:64]!r})")
    return float(cell) if match.group(1) or match.group(2) else int(cell)


def _boolean(cell: str) -> bool:
    word = cell.strip().lower()
    if word not in _TRUE + _FALSE:
        raise ValueError(f"must be true or false (got {cell[:64]!r})")
    return word in _TRUE


def _json(cell: str) -> Any:
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError(f"must be JSON (got {cell[:64]!r})") from None


def _several(cell: str) -> Any:
    """Return a list, from JSON or from items separated by bars."""
    return _json(cell) if cell.lstrip().startswith("[") else [part.strip() for part in cell.split("|")]


_BY_TYPE: Mapping[str, Reader] = {
    "string": _text, "number": _number, "boolean": _boolean, "date": _trimmed, "object": _json, "array": _several,
    "select": _trimmed, "multi-select": _several,
}  # fmt: skip
_OF_EVERY_PROFILE: Mapping[str, Reader] = {
    **dict.fromkeys(identities.KINDS, _trimmed), "timezone": _trimmed, "language": _trimmed, "country": _trimmed,
    "displayName": _text, "referredBy": _trimmed, "tags": _several, "preferences": _json, "optedOut": _boolean,
}  # fmt: skip


class Column(Struct, frozen=True):
    """A column of a file: the path of the record's field that its cells set, and how they are read."""

    name: str
    path: tuple[str, ...]
    read: Reader

    @property
    def field(self) -> str:
        """The field that the column sets: `team`, `custom.team` and `customFields.team` are the same field."""
        return ".".join(self.path[1:] if self.path[0] == CUSTOM and len(self.path) > 1 else self.path)


class Columns:
    """The columns that a kind of file can have. `of` reads a header, `record` a row."""

    def __init__(
        self,
        named: Mapping[str, Reader],
        scopes: Mapping[str, Callable[[str], Reader]],
        *,
        required: Sequence[str],
        other: Reader | None = None,
    ) -> None:
        """Accept the `named` columns, those with a scope before a dot (`metrics.points`), and all others with `other`."""
        self._named = named
        self._scopes = scopes
        self._required = required
        self._other = other

    def is_known(self, name: str) -> bool:
        """Return whether a name is a column of this kind of file."""
        scope, _, rest = name.partition(".")
        return name in self._named or (rest != "" and scope in self._scopes)

    def of(self, header: Sequence[str]) -> list[Column]:
        """Return the columns of a file. Raise Invalid if the header has unknown, missing or ambiguous columns."""
        names = [cell.strip() for cell in header]
        while names and not names[-1]:
            names.pop()
        wrong = [f"'{name}' twice" for name in dict.fromkeys(names) if name and names.count(name) > 1]
        if wrong:
            raise _bad_header(f"The header must have each column once (got {', '.join(wrong)})", names)
        if "" in names:
            raise _bad_header(f"Column {names.index('') + 1} of the header must have a name", names)
        missing = [name for name in self._required if name not in names]
        if missing:
            raise _bad_header(f"The header must have a column {missing[0]} (got {_listed(names)})", names)
        columns = [self._column(name, names) for name in names]
        self._check_each_field_once(columns, names)
        return columns

    def _check_each_field_once(self, columns: Sequence[Column], names: Sequence[str]) -> None:
        """Raise Invalid if two columns set the same field, by different names or because one contains the other."""
        wholes = {column.name: column for column in columns if len(column.path) == 1}
        seen: dict[str, Column] = {}
        for column in columns:
            other = seen.setdefault(column.field, column)
            if other is column and len(column.path) > 1:
                other = wholes.get(column.path[0], column)
            if other is not column:
                sentence = f"The header must have each field once (got both {other.name} and {column.name})"
                raise _bad_header(sentence, names)

    def record(self, columns: Sequence[Column], cells: Sequence[str]) -> dict[str, Any]:
        """Return a row as a record, without its empty cells. Raise Invalid naming the columns with invalid cells."""
        if len(cells) < len(columns) or any(cells[len(columns) :]):
            raise Invalid(
                f"The line has {len(cells)} cells, but the header has {len(columns)}; quote cells that contain separators",
                code="bad_csv",
            )
        record: dict[str, Any] = {}
        wrong: list[FieldError] = []
        for column, cell in zip(columns, cells, strict=False):
            if cell == "":
                continue
            try:
                value = column.read(cell)
            except ValueError as error:
                wrong.append(FieldError(column.name, str(error)))
                continue
            target = record
            for step in column.path[:-1]:
                target = target.setdefault(step, {})
            target[column.path[-1]] = value
        if wrong:
            raise invalid_fields(wrong)
        return record

    def _column(self, name: str, names: Sequence[str]) -> Column:
        scope, _, rest = name.partition(".")
        if name in self._named:
            return Column(name, (name,), self._named[name])
        if rest and scope in self._scopes:
            path = (CUSTOM, rest) if scope in ("custom", CUSTOM) else (scope, rest)
            return Column(name, path, self._scopes[scope](rest))
        similar = [key for key in self._named if key.lower() == name.lower()]
        if similar:
            raise _bad_header(f"The header must have {similar[0]} instead of {name}", names)
        if self._other is None or name in KEPT_BY_ENGINE or name in self._scopes:
            known = [*self._named, *(f"{key}.…" for key in self._scopes)]
            raise _bad_header(f"The header has an unknown column {name!r}; known are {_listed(known)}", names)
        return Column(name, (name,), self._other)


def _bad_header(sentence: str, names: Sequence[str]) -> Invalid:
    return Invalid(sentence, code="bad_header", fields=[FieldError("header", f"has the columns {_listed(names)}")])


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(name[:64] for name in names[:40])
    return listed + (f" and {len(names) - 40} more" if len(names) > 40 else "") if names else "none"


def profile_columns(rules: ProfileValidator) -> Columns:
    """Return the columns of files of profiles. Without a profile schema, columns with other names contain strings."""
    return Columns(
        {"userId": _trimmed, **_profile_fields(rules)},
        _custom_scopes(rules),
        required=("userId",),
        other=_text if rules.schema is None else None,
    )


def member_columns(rules: ProfileValidator) -> Columns:
    """Return the columns of files of members: profiles, balances, products and states of mechanics."""
    numbers: Callable[[str], Reader] = lambda _: _number  # noqa: E731
    trimmed: Callable[[str], Reader] = lambda _: _trimmed  # noqa: E731
    states = {mechanic.collection: trimmed for mechanic in MECHANICS.values() if mechanic.import_name is not None}
    return Columns(
        {"userId": _trimmed, "enrolledAt": _trimmed, **_profile_fields(rules)},
        {"metrics": numbers, "products": numbers, **states, **_custom_scopes(rules)},
        required=("userId",),
        other=_text if rules.schema is None else None,
    )


def _profile_fields(rules: ProfileValidator) -> dict[str, Reader]:
    own = rules.schema.fields if rules.schema is not None else []
    fields = {**_OF_EVERY_PROFILE, **{profile_field.name: _BY_TYPE[profile_field.type] for profile_field in own}}
    return {**fields, **{key: _BY_TYPE[custom_field.type] for key, custom_field in rules.custom.items()}}


def _custom_scopes(rules: ProfileValidator) -> dict[str, Callable[[str], Reader]]:
    def reader(key: str) -> Reader:
        custom_field = rules.custom.get(key)
        return _text if custom_field is None else _BY_TYPE[custom_field.type]

    return {"custom": reader, CUSTOM: reader}


CODE_COLUMNS = Columns({"poolId": _trimmed, "code": _trimmed}, {}, required=("poolId", "code"))


class EventColumns(Columns):
    """The columns of files of actions. `data.amount` has the type that the action's trigger declares for `amount`.

    A field that is not declared has no type. Its cell is read as a number or as true or false if it looks like one.
    """

    def __init__(self, triggers: Mapping[str, Trigger]) -> None:
        own = ("action", "userId", "email", "phone", "eventId", "timestamp")
        texts: Callable[[str], Reader] = lambda _: _text  # noqa: E731
        super().__init__(dict.fromkeys(own, _trimmed), {"data": texts, "metadata": texts}, required=("action",))
        self._triggers = triggers

    def record(self, columns: Sequence[Column], cells: Sequence[str]) -> dict[str, Any]:
        """Return a row as an action whose data has the types that its trigger declares."""
        record = super().record(columns, cells)
        trigger = self._triggers.get(record.get("action", ""))
        types = {field.key: field.type for field in trigger.fields} if trigger is not None else {}
        data: dict[str, Any] = {}
        wrong: list[FieldError] = []
        for key, cell in record.get("data", {}).items():
            try:
                _put(data, key, _BY_TYPE[types[key]](cell) if key in types else _undeclared(cell))
            except ValueError as error:
                wrong.append(FieldError(f"data.{key}", str(error)))
        if wrong:
            raise invalid_fields(wrong)
        return {**record, "data": data} if data else record


def _undeclared(cell: str) -> Any:
    word = cell.strip()
    if word in ("true", "false"):
        return word == "true"
    return _number(word) if _NUMBER.fullmatch(word) and len(word) <= 15 else cell


def _put(data: dict[str, Any], key: str, value: Any) -> None:
    """Store a value at a dotted path, in the form in which conditions read it."""
    *steps, last = key.split(".")
    for step in steps:
        data = data.setdefault(step, {})
        if not isinstance(data, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError("must not be a value and an object at the same time")  # noqa: TRY004
    data[last] = value
