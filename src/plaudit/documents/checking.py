"""Checks a document when it is saved, as a new one or over a stored one.

Checks become stricter over time. A stored document that fails them now can still be changed in its other fields: pausing a
campaign must stay possible.
"""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, cast

import msgspec
from msgspec import Struct

from plaudit import bounds
from plaudit.core.triggers import NEVER_FIRED
from plaudit.errors import FieldError, Invalid, PlauditError, invalid_fields

from .base import Document, DocumentKind
from .validation import struct_of

_TOP = re.compile(r"[^.\[]*")
_ITEM = re.compile(r"([^.\[]+)\[(\d+)\]")


def checked_document(kind: DocumentKind, raw: dict[str, Any], stored: Mapping[str, Any] | None = None) -> Document:
    """Return a request's body as a document. Raise Invalid naming every invalid field.

    Ignore errors that the `stored` document also has, in fields that do not change.
    """
    document = _completed(kind, struct_of(kind.infer(kind.read(raw)), kind.type), stored)
    for errors_of in _CHECKS:
        wrong = errors_of(kind, document)
        if wrong and stored is not None:
            wrong = _new_errors(kind, document, wrong, stored)
        if wrong:
            raise invalid_fields(wrong)
    return document


def _completed(kind: DocumentKind, document: Document, stored: Mapping[str, Any] | None) -> Document:
    """Return the completed document, unless the stored one of the same type was stored without being completed."""
    completed = kind.complete(document)
    if stored is None or completed == document:
        return completed
    try:
        before = msgspec.convert(stored, kind.type)
    except msgspec.ValidationError:
        return completed
    was_incomplete = kind.complete(before) != before
    same_type = getattr(before, "type", None) == getattr(document, "type", None)
    return document if was_incomplete and same_type else completed


class Rest(Struct, frozen=True):
    """A document without its invalid fields and items, and the original indexes of the items of its shortened lists."""

    document: Document
    items: Mapping[str, Sequence[int]]
    tops: AbstractSet[str]  # the top-level fields that were invalid

    def with_errors(self, errors: Sequence[FieldError]) -> list[FieldError]:
        """Return errors in the rest by their paths in the whole document, without those that the omissions cause."""
        return [whole_error for error in errors if (whole_error := self._in_whole(error)) is not None]

    def _in_whole(self, error: FieldError) -> FieldError | None:
        top = _top(error)
        if top not in self.tops:
            return error if top else None
        item = _ITEM.match(error.field)
        if item is None or top not in self.items:
            return None
        path = f"{top}[{self.items[top][int(item[2])]}]"
        return FieldError(path + error.field[item.end() :], error.message)


def rest_of(kind: DocumentKind, raw: Any, wrong: Sequence[FieldError]) -> Rest | None:
    """Return a document without its invalid fields and items, so that the rest can be checked.

    Return None if the rest is not a valid document.
    """
    if not isinstance(raw, dict):
        return None
    try:
        body = {"name": "x", **kind.infer(kind.read(cast("dict[str, Any]", raw)))}
    except Invalid:
        return None
    tops = {_top(error) for error in wrong}
    items = {top: valid for top in tops if (valid := _valid_items(body.get(top), top, wrong))}
    fields = {name: value for name, value in body.items() if name not in tops}
    shortened = {top: [body[top][i] for i in valid] for top, valid in items.items()}
    for lists, indexes in ((shortened, items), (dict[str, Any](), dict[str, Sequence[int]]())):
        try:
            return Rest(struct_of({"name": "x"} | fields | lists, kind.type), indexes, tops)
        except Invalid:
            continue
    return None


def _valid_items(value: Any, top: str, wrong: Sequence[FieldError]) -> list[int]:
    """Return the indexes of the items of a list that have no errors, or none if the list itself is invalid."""
    items = [_ITEM.match(error.field) for error in wrong if _top(error) == top]
    if not isinstance(value, list) or None in items:
        return []
    invalid = {int(item[2]) for item in items if item is not None}
    return [i for i in range(len(cast("list[Any]", value))) if i not in invalid]


def further_errors(kind: DocumentKind, rest: Rest) -> list[FieldError]:
    """Return the errors in the rest of a document."""
    for errors_of in _CHECKS:
        wrong = errors_of(kind, rest.document)
        if wrong:
            return rest.with_errors(wrong)
    return []


def _bounds_errors(_: DocumentKind, document: Document) -> Sequence[FieldError]:
    try:
        bounds.check(document)
    except Invalid as error:
        if not error.fields:  # nested too deeply
            raise
        return error.fields
    return ()


def _kind_errors(kind: DocumentKind, document: Document) -> Sequence[FieldError]:
    return kind.check(document)


def _trigger_errors(kind: DocumentKind, document: Document) -> Sequence[FieldError]:
    """Return the fields that refer to the reserved trigger, which never fires."""
    return [
        FieldError(
            reference.field,
            "must be a trigger that fires: no trigger fires on a schedule. Let your own scheduler send an action at these "
            f"times, or make the campaign recurring (got {reference.id!r})",
        )
        for reference in kind.references(document)
        if reference.kind == "trigger" and reference.id == NEVER_FIRED
    ]


# In this order, so that each check can rely on the ones before it.
_CHECKS = (_bounds_errors, _kind_errors, _trigger_errors)


def _new_errors(
    kind: DocumentKind, document: Document, wrong: Sequence[FieldError], stored: Mapping[str, Any]
) -> list[FieldError]:
    try:
        before = msgspec.convert(stored, kind.type)
    except msgspec.ValidationError:
        return list(wrong)
    old_errors = {*_bounds_errors(kind, before), *_kind_errors(kind, before)}
    with suppress(PlauditError, KeyError):  # the references of an invalid document may not be readable
        old_errors |= {*_trigger_errors(kind, before)}
    old, new = _fields(before), _fields(document)
    return [error for error in wrong if error not in old_errors or old.get(_top(error)) != new.get(_top(error))]


def _top(error: FieldError) -> str:
    """Return the top-level field that an error is in."""
    match = _TOP.match(error.field)
    return match.group() if match else ""


def _fields(document: Document) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(document))
