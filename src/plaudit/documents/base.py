"""The form of all documents, and what a kind of document defines."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, cast

from msgspec import Meta, Struct, field

from plaudit.bounds import DOCUMENT_ID
from plaudit.errors import FieldError

DocumentId = Annotated[str, Meta(pattern=DOCUMENT_ID)]
Instant = Annotated[datetime, Meta(tz=True)]  # an ISO 8601 time with a UTC offset
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Media = Annotated[str, Meta(max_length=2_000)]  # the URL or the name of a picture
Description = Annotated[str, Meta(max_length=5_000)]
PROFILE_FIELD_MARK: dict[str, Any] = {"profile_field": True}
ProfileFieldName = Annotated[str, Meta(min_length=1, max_length=64, extra=PROFILE_FIELD_MARK)]

MEMBER_FIELD_MARK: dict[str, Any] = {"member_field": True}
# A path to a value of a member.
MemberField = Annotated[str, Meta(min_length=1, max_length=256, extra=MEMBER_FIELD_MARK)]


class Document(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The fields that every document has. The server adds its id, its version and its times."""

    name: Name
    description: Description | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


class Reference(Struct, frozen=True):
    """A reference to another document: the field that contains it, the kind, and the id.

    If the reference is `required`, the other document must exist.
    """

    field: str
    kind: str
    id: str
    required: bool = True


class MetricAmount(Struct, frozen=True):
    """An amount of a metric in a document: the field that contains it, the metric, and the amount as written."""

    field: str
    metric: str
    amount: int | float


def _no_amounts(_: Any) -> Sequence[MetricAmount]:
    return ()


def _no_references(_: Any) -> Sequence[Reference]:
    return ()


def _no_errors(_: Any) -> Sequence[FieldError]:
    return ()


def _no_scopes(_old: dict[str, Any] | None, _new: dict[str, Any]) -> frozenset[str]:
    return frozenset()


def _never(_old: dict[str, Any] | None, _new: dict[str, Any]) -> bool:
    return False


def _unchanged(raw: dict[str, Any]) -> dict[str, Any]:
    return raw


def _complete_already(document: Any) -> Any:
    return document


class DocumentKind(Struct, frozen=True, kw_only=True):
    """A kind of document: everything that operations, storage, the API's description and the docs need to know of it.

    `id_field` is the id's name in the API. `id_from` is the field that becomes the id if the client sends none.
    `filters` are the fields by which a list can be filtered. `fixed` fields cannot change after creation; a
    `part.field` cannot change as long as the part exists. `deleted` are the fields that a soft delete sets. `personal`
    fields contain user ids, so callers need permission to read members to see them.

    Functions of the stored form before (None for a new document) and after a change: `refills` returns whether members
    must be evaluated again for the document. `scopes` returns the further permissions that the author must have,
    because the change would grant the same power.

    `read` translates the spellings that clients may use to the stored one, and `write` translates it back for
    responses. `infer` then adds fields that were left out and whose value follows from other fields. `complete` does the
    same on the struct; it does not apply to a document that was stored without these values. `check` returns the errors
    that types cannot express, `references` the documents that are referred to, and `amounts` the amounts of metrics.
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
    infer: Callable[[dict[str, Any]], dict[str, Any]] = _unchanged
    complete: Callable[[Any], Any] = _complete_already
    check: Callable[[Any], Sequence[FieldError]] = _no_errors
    references: Callable[[Any], Sequence[Reference]] = _no_references
    amounts: Callable[[Any], Sequence[MetricAmount]] = _no_amounts
    refills: Callable[[dict[str, Any] | None, dict[str, Any]], bool] = _never
    scopes: Callable[[dict[str, Any] | None, dict[str, Any]], frozenset[str]] = _no_scopes
    read: Callable[[dict[str, Any]], dict[str, Any]] = _unchanged
    write: Callable[[dict[str, Any]], dict[str, Any]] = _unchanged

    @property
    def list_name(self) -> str:
        """The name of a list of these documents: the collection's name in camel case."""
        first, *rest = self.collection.split("-")
        return first + "".join(word.capitalize() for word in rest)


def fixed_fields_changed(kind: DocumentKind, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the fixed fields that differ. Fields of a part only count if the part existed before and still exists."""
    changed: list[str] = []
    for name in kind.fixed:
        part, _, inner = name.rpartition(".")
        old, new = (before, after) if not part else (before.get(part), after.get(part))
        if old is not None and new is not None and old.get(inner) != new.get(inner):
            changed.append(name)
    return changed


def differences(
    before: dict[str, Any] | None, after: dict[str, Any] | None, hidden: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """Return the fields that differ, with their old and new values, except `hidden` fields.

    Both versions are compared inside objects and lists too (`effects[0].config.amount`). If a document is new or
    deleted, whole fields are returned.
    """
    old, new = before or {}, after or {}
    compare_inside = before is not None and after is not None
    return [
        {"field": path, "from": old_value, "to": new_value}
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name) and name not in hidden
        for path, old_value, new_value in (
            _value_differences(name, old.get(name), new.get(name))
            if compare_inside
            else [(name, old.get(name), new.get(name))]
        )
    ]


def _value_differences(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the paths at which two values differ. An added or removed item of a list is paired with None."""
    if old == new and type(old) is type(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        old_object, new_object = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        for name in dict.fromkeys([*old_object, *new_object]):
            yield from _value_differences(f"{path}.{name}", old_object.get(name), new_object.get(name))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _item_differences(path, cast("list[Any]", old), cast("list[Any]", new))
    else:
        yield path, old, new


def _item_differences(path: str, old: list[Any], new: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    if not any(isinstance(value, dict | list) for value in [*old, *new]):  # lists of plain values are shown as a whole
        yield path, old, new
        return
    shorter = min(len(old), len(new))
    first = next((i for i in range(shorter) if old[i] != new[i]), shorter)
    same_at_end = next((i for i in range(shorter - first) if old[-1 - i] != new[-1 - i]), shorter - first)
    old, new = old[first : len(old) - same_at_end], new[first : len(new) - same_at_end]
    for i in range(max(len(old), len(new))):
        item_path = f"{path}[{first + i}]"
        if i < len(old) and i < len(new):
            yield from _value_differences(item_path, old[i], new[i])
        else:
            yield item_path, old[i] if i < len(old) else None, new[i] if i < len(new) else None
