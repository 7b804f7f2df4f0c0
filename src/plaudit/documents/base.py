"""What all documents have in common, and what a kind of document tells about itself."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from plaudit.errors import FieldError

DocumentId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Instant = Annotated[datetime, Meta(tz=True)]  # an ISO 8601 time that names its zone
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Media = Annotated[str, Meta(max_length=2_000)]  # the address or the name of a picture
Description = Annotated[str, Meta(max_length=5_000)]


class Document(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One piece of configuration, as it is written. Its id, version and times are the store's."""

    name: Name
    description: Description | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


class Reference(Struct, frozen=True):
    """That a document names another: where, and which. One that is not `required` may name what is not there."""

    field: str
    kind: str
    id: str
    required: bool = True


def _no_references(_: Any) -> Sequence[Reference]:
    return ()


def _no_errors(_: Any) -> Sequence[FieldError]:
    return ()


def _as_it_is(raw: dict[str, Any]) -> dict[str, Any]:
    return raw


class DocumentKind(Struct, frozen=True, kw_only=True):
    """A kind of document: everything that CRUD, the store, the API's description and the docs need to know of it.

    `id_field` is the id's name outside, `id_from` the field that gives the id when the client names none;
    `filters` are the fields that a list can be filtered by; `fixed` cannot change once written.
    `deleted` is what a soft delete writes.
    `check` says what is wrong beyond the types, `references` what the document names;
    `read` turns the spellings that clients may use into the one that is kept, `write` turns it back for answers.
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
    check: Callable[[Any], Sequence[FieldError]] = _no_errors
    references: Callable[[Any], Sequence[Reference]] = _no_references
    read: Callable[[dict[str, Any]], dict[str, Any]] = _as_it_is
    write: Callable[[dict[str, Any]], dict[str, Any]] = _as_it_is

    @property
    def list_name(self) -> str:
        """The name that a list of them stands under: the collection's, as one word."""
        first, *rest = self.collection.split("-")
        return first + "".join(word.capitalize() for word in rest)


def differences(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The fields that differ, with what they were and are."""
    was, now = before or {}, after or {}
    return [
        {"field": name, "from": was.get(name), "to": now.get(name)}
        for name in dict.fromkeys([*was, *now])
        if was.get(name) != now.get(name)
    ]
