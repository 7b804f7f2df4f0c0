"""The checks of a document on saving beyond its types, new or over a stored one.

Checks become stricter over time. A stored document that fails them is reported as out of force, but its other fields
can still be changed: pausing a campaign must stay possible.
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
    """Return a document. Raises Invalid naming every field that is wrong.

    Errors that the `stored` document has too, in fields that do not change, are ignored.
    """
    document = _completed(kind, struct_of(kind.suppose(kind.read(raw)), kind.type), stored)
    for find in _FINDERS:
        wrong = find(kind, document)
        if wrong and stored is not None:
            wrong = _new_faults(kind, document, wrong, stored)
        if wrong:
            raise invalid_fields(wrong)
    return document


def _completed(kind: DocumentKind, document: Document, stored: Mapping[str, Any] | None) -> Document:
    """Return the document with what its kind adds, unless the stored one was written without: then it stays as it was."""
    completed = kind.complete(document)
    if stored is None or completed == document:
        return completed
    try:
        before = msgspec.convert(stored, kind.type)
    except msgspec.ValidationError:
        return completed
    was_bare = kind.complete(before) != before
    return document if was_bare and getattr(before, "type", None) == getattr(document, "type", None) else completed


class Rest(Struct, frozen=True):
    """What is left of a document without what is wrong in it, and which items are left of the lists in it."""

    document: Document
    items: Mapping[str, Sequence[int]]
    tops: AbstractSet[str]  # the fields in which something is wrong

    def with_errors(self, errors: Sequence[FieldError]) -> list[FieldError]:
        """Return what is wrong with the rest, in its places in the whole, but for what follows from what was left out."""
        return [at for error in errors if (at := self._in_whole(error)) is not None]

    def _in_whole(self, error: FieldError) -> FieldError | None:
        top = _top(error)
        if top not in self.tops:
            return error if top else None
        item = _ITEM.match(error.field)
        if item is None or top not in self.items:
            return None
        place = f"{top}[{self.items[top][int(item[2])]}]"
        return FieldError(place + error.field[item.end() :], error.message)


def rest_of(kind: DocumentKind, raw: Any, wrong: Sequence[FieldError]) -> Rest | None:
    """Return a document without the fields and items in which something is wrong, so that the others can be checked.

    None if what is left is no document.
    """
    if not isinstance(raw, dict):
        return None
    try:
        given = {"name": "x", **kind.suppose(kind.read(cast("dict[str, Any]", raw)))}
    except Invalid:
        return None
    tops = {_top(error) for error in wrong}
    items = {top: left for top in tops if (left := _items_left(given.get(top), top, wrong))}
    kept = {name: value for name, value in given.items() if name not in tops}
    shorter = {top: [given[top][i] for i in left] for top, left in items.items()}
    for also, left in ((shorter, items), (dict[str, Any](), dict[str, Sequence[int]]())):
        try:
            return Rest(struct_of({"name": "x"} | kept | also, kind.type), left, tops)
        except Invalid:
            continue
    return None


def _items_left(value: Any, top: str, wrong: Sequence[FieldError]) -> list[int]:
    """Return the numbers of the items of a list in which nothing is wrong; none if it is wrong as a whole."""
    found = [(error.field, _ITEM.match(error.field)) for error in wrong if _top(error) == top]
    if not isinstance(value, list) or any(item is None for _, item in found):
        return []
    bad = {int(item[2]) for _, item in found if item is not None}
    return [i for i in range(len(cast("list[Any]", value))) if i not in bad]


def more_wrong(kind: DocumentKind, rest: Rest) -> list[FieldError]:
    """Return what is wrong with the rest of a document."""
    for find in _FINDERS:
        wrong = find(kind, rest.document)
        if wrong:
            return rest.with_errors(wrong)
    return []


def _beyond_bounds(_: DocumentKind, document: Document) -> Sequence[FieldError]:
    try:
        bounds.check(document)
    except Invalid as beyond:
        if not beyond.fields:  # nested too deeply
            raise
        return beyond.fields
    return ()


def _wrong_by_kind(kind: DocumentKind, document: Document) -> Sequence[FieldError]:
    return kind.check(document)


def _never_fired(kind: DocumentKind, document: Document) -> Sequence[FieldError]:
    """Return where a document listens to a trigger that is reserved and that nothing fires."""
    return [
        FieldError(
            reference.field,
            "must be a trigger that fires: no trigger fires on a schedule. Let your own scheduler send an action at these "
            f"times, or make the campaign recurring (got {reference.id!r})",
        )
        for reference in kind.references(document)
        if reference.kind == "trigger" and reference.id == NEVER_FIRED
    ]


# In this order: the kind need not be ready for what is beyond the bounds, nor its references for what it finds wrong.
_FINDERS = (_beyond_bounds, _wrong_by_kind, _never_fired)


def _new_faults(
    kind: DocumentKind, document: Document, wrong: Sequence[FieldError], stored: Mapping[str, Any]
) -> list[FieldError]:
    try:
        before = msgspec.convert(stored, kind.type)
    except msgspec.ValidationError:
        return list(wrong)
    old = {*_beyond_bounds(kind, before), *_wrong_by_kind(kind, before)}
    with suppress(PlauditError, KeyError):  # of settings that are wrong in themselves
        old |= {*_never_fired(kind, before)}
    was, now = _fields(before), _fields(document)
    return [error for error in wrong if error not in old or was.get(_top(error)) != now.get(_top(error))]


def _top(wrong: FieldError) -> str:
    found = _TOP.match(wrong.field)
    return found.group() if found else ""


def _fields(document: Document) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(document))
