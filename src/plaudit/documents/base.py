"""The form of all documents, and what a kind of document defines."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, cast

from msgspec import Meta, Struct, field

from plaudit.bounds import DOCUMENT_ID
from plaudit.errors import FieldError

DocumentId = Annotated[str, Meta(pattern=DOCUMENT_ID)]
Instant = Annotated[datetime, Meta(tz=True)]  # an ISO 8601 time that names its zone
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Media = Annotated[str, Meta(max_length=2_000)]  # the address or the name of a picture
Description = Annotated[str, Meta(max_length=5_000)]
PROFILE_FIELD_MARK: dict[str, Any] = {"profile_field": True}
ProfileFieldName = Annotated[str, Meta(min_length=1, max_length=64, extra=PROFILE_FIELD_MARK)]

MEMBER_FIELD_MARK: dict[str, Any] = {"member_field": True}
MemberField = Annotated[
    str, Meta(min_length=1, max_length=256, extra=MEMBER_FIELD_MARK)
]  # a path to something of a member


class Document(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Fields that every document has. The server adds id, version and times."""

    name: Name
    description: Description | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


class Reference(Struct, frozen=True):
    """A reference to another document: the field and the id. The other may be missing unless it is `required`."""

    field: str
    kind: str
    id: str
    required: bool = True


class MetricAmount(Struct, frozen=True):
    """An amount of a metric in a document: the field, the metric, and the amount as written."""

    field: str
    metric: str
    amount: int | float


def _no_amounts(_: Any) -> Sequence[MetricAmount]:
    return ()


def _no_references(_: Any) -> Sequence[Reference]:
    return ()


def _no_errors(_: Any) -> Sequence[FieldError]:
    return ()


def _no_scopes(_before: dict[str, Any] | None, _after: dict[str, Any]) -> frozenset[str]:
    return frozenset()


def _never(_before: dict[str, Any] | None, _after: dict[str, Any]) -> bool:
    return False


def _as_it_is(raw: dict[str, Any]) -> dict[str, Any]:
    return raw


def _whole(document: Any) -> Any:
    return document


class DocumentKind(Struct, frozen=True, kw_only=True):
    """A kind of document: everything that CRUD, the store, the API's description and the docs need to know of it.

    `id_field` is the id's name outside, `id_from` the field that gives the id when the client names none;
    `filters` are the fields that a list can be filtered by; `fixed` cannot change once written
    (`part.field`: while there is the part).
    `deleted` is what a soft delete writes. `personal` fields name members: only who may read members sees them.
    `refills` says of the document before (None for a new one) and after whether members are to be placed anew by it.
    `scopes` are what the author of a change must be allowed besides, since the change would give them as much: it
    compares the document before (None for a new one) and after.
    `suppose` adds to a document as it is written what must be meant where a field is left out, and is not its default.
    `complete` adds to a document what its kind makes of what was left out; a stored one that lacks it keeps lacking it.
    `check` says what is wrong beyond the types, `references` what the document names, `amounts` its amounts of metrics;
    `read` turns the spellings that clients may use into the one that is kept, `write` turns it back for responses.
    """

    name: str
    title: str
    collection: str
    id_field: str
    id_prefix: str
    type: type[Document]
    id_from: str | None = None
    filters: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    deleted: dict[str, Any] | None = None
    personal: frozenset[str] = frozenset()
    suppose: Callable[[dict[str, Any]], dict[str, Any]] = _as_it_is
    complete: Callable[[Any], Any] = _whole
    check: Callable[[Any], Sequence[FieldError]] = _no_errors
    references: Callable[[Any], Sequence[Reference]] = _no_references
    amounts: Callable[[Any], Sequence[MetricAmount]] = _no_amounts
    refills: Callable[[dict[str, Any] | None, dict[str, Any]], bool] = _never
    scopes: Callable[[dict[str, Any] | None, dict[str, Any]], frozenset[str]] = _no_scopes
    read: Callable[[dict[str, Any]], dict[str, Any]] = _as_it_is
    write: Callable[[dict[str, Any]], dict[str, Any]] = _as_it_is

    @property
    def list_name(self) -> str:
        """Return the name of a list of these documents: the collection's, as one word."""
        first, *rest = self.collection.split("-")
        return first + "".join(word.capitalize() for word in rest)


def fixed_fields_changed(kind: DocumentKind, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the fixed fields that differ; of a part, only while it was there and still is."""
    changed: list[str] = []
    for name in kind.fixed:
        part, _, inner = name.rpartition(".")
        was, now = (before, after) if not part else (before.get(part), after.get(part))
        if was is not None and now is not None and was.get(inner) != now.get(inner):
            changed.append(name)
    return changed


def differences(
    before: dict[str, Any] | None, after: dict[str, Any] | None, hidden: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """Return the fields that differ, with what they were and are. `hidden` fields are left out.

    A document that is new or gone differs by whole fields; else inside objects and lists too (`effects[0].config.amount`).
    """
    was, now = before or {}, after or {}
    inside = before is not None and after is not None
    return [
        {"field": place, "from": old, "to": new}
        for name in dict.fromkeys([*was, *now])
        if was.get(name) != now.get(name) and name not in hidden
        for place, old, new in (
            _differing(name, was.get(name), now.get(name)) if inside else [(name, was.get(name), now.get(name))]
        )
    ]


def _differing(at: str, was: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the places where two values differ. What was put into a list, or taken out, differs from nothing."""
    if was == now and type(was) is type(now):
        return
    if isinstance(was, dict) and isinstance(now, dict):
        old, new = cast("dict[str, Any]", was), cast("dict[str, Any]", now)
        for name in dict.fromkeys([*old, *new]):
            yield from _differing(f"{at}.{name}", old.get(name), new.get(name))
    elif isinstance(was, list) and isinstance(now, list):
        yield from _differing_items(at, cast("list[Any]", was), cast("list[Any]", now))
    else:
        yield at, was, now


def _differing_items(at: str, was: list[Any], now: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    shorter = min(len(was), len(now))
    first = next((i for i in range(shorter) if was[i] != now[i]), shorter)
    last = next(
        (i for i in range(shorter - first) if was[-1 - i] != now[-1 - i]), shorter - first
    )  # counted from the end
    old, new = was[first : len(was) - last], now[first : len(now) - last]
    if not any(isinstance(value, dict | list) for value in [*was, *now]):  # of mere values, all are seen at once
        yield at, was, now
        return
    for i in range(max(len(old), len(new))):
        place = f"{at}[{first + i}]"
        if i < len(old) and i < len(new):
            yield from _differing(place, old[i], new[i])
        else:
            yield place, old[i] if i < len(old) else None, new[i] if i < len(new) else None
