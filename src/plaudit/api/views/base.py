"""The bases of response types. A response type is a struct that encodes a response and describes it in OpenAPI.

Its name becomes the name of the schema and of the class in generated clients. Its docstring becomes the description.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Self, cast, get_args, get_origin

import msgspec
from msgspec import Raw, defstruct, structs

from plaudit.view import Time, View

Json = dict[str, Any]

__all__ = [
    "ENCODER",
    "Acknowledgement",
    "Json",
    "OpenObject",
    "OpenView",
    "Page",
    "Time",
    "View",
    "page_of",
    "to_builtins",
    "view_from",
]


class Acknowledgement(View):
    """The command succeeded."""

    message: str


class Page(View):
    """The base of the types that `page_of` returns."""

    collection: ClassVar[str]

    @classmethod
    def of(cls, items: Sequence[Any], **others: Any) -> Self:
        """Return a page of these items, with its other fields, such as `cursor`."""
        return cls(**{cls.collection: items}, **others)


def page_of(
    item: type[View],
    collection: str,
    others: Sequence[tuple[str, Any] | tuple[str, Any, Any]] = (),
    *,
    name: str = "",
    paged: bool = True,
) -> type[Page]:
    """Return the type of a page of items: `{<collection>: […], <others>, cursor}`, without `cursor` if not `paged`.

    `collection` and the names of `others` are in snake_case. An entry of `others` may have a default.
    """
    fields: list[Any] = [(collection, list[item]), *others]  # pyright: ignore[reportInvalidTypeForm]
    if paged:
        fields.append(("cursor", str | None))
    doc = (
        "A page of a list. The `cursor` leads to the next page, and is null on the last." if paged else "A whole list."
    )
    page = defstruct(
        name or f"{item.__name__}List", fields, bases=(Page,), module=item.__module__, kw_only=True,
        rename="camel", namespace={"collection": collection, "__doc__": doc},
    )  # fmt: skip
    return cast("type[Page]", page)


class OpenView(View):
    """The base of response types that may have further fields (as an `OpenObject`). OpenAPI describes them so."""


class OpenObject:
    """A view that is sent with further fields next to its own, such as a profile with the member's attributes.

    The view's own fields take precedence over further ones with the same name. The view has at least one field. Types
    that clients use often are an `OpenView`, so that OpenAPI mentions the further fields.
    """

    __slots__ = ("further", "view")

    def __init__(self, view: View, further: Json) -> None:
        self.view = view
        self.further = further


def view_from(of: type[View], values: Mapping[str, Any]) -> Any:
    """Return a view, with the views inside it, from plain values by their names in the response.

    If there are values that the type has no field for, the result is an `OpenObject`.
    """
    parts, further = _parts_of(of), dict[str, Any]()
    fields: dict[str, Any] = {}
    for name, value in values.items():
        if name in parts:
            field, convert = parts[name]
            fields[field] = value if convert is None else convert(value)
        else:
            further[name] = value
    view = of(**fields)
    return OpenObject(view, further) if further else view


@cache
def _parts_of(of: type[View]) -> Mapping[str, tuple[str, Callable[[Any], Any] | None]]:
    return {field.encode_name: (field.name, _conversion(field.type)) for field in structs.fields(of)}


def _conversion(of: Any) -> Callable[[Any], Any] | None:
    """Return the function that turns a field's plain value into views; None if its type contains no views."""
    if isinstance(of, type) and issubclass(of, View):
        return lambda value: view_from(of, value) if isinstance(value, Mapping) else value  # pyright: ignore[reportUnknownArgumentType]
    inner = next((convert for part in get_args(of) if (convert := _conversion(part)) is not None), None)
    if inner is None:
        return None
    if get_origin(of) is list:
        return lambda values: [inner(value) for value in values]
    if get_origin(of) is dict:
        return lambda values: {name: inner(value) for name, value in values.items()}
    return lambda value: value if value is None else inner(value)


def to_builtins(value: Any) -> Any:
    """Return a response's data as plain JSON values."""
    return msgspec.to_builtins(value, enc_hook=_plain)


def _plain(value: Any) -> Json:
    if isinstance(value, OpenObject):
        return value.further | to_builtins(value.view)
    raise NotImplementedError(f"cannot encode {value!r}")


def _encoded(value: Any) -> Any:
    """Return an open object as one JSON object, joined from the encodings of its two parts."""
    if not isinstance(value, OpenObject):
        raise NotImplementedError(f"cannot encode {value!r}")
    if not value.further:
        return value.view
    if not value.further.keys().isdisjoint(value.view.__struct_encode_fields__):
        return _plain(value)
    return Raw(ENCODER.encode(value.further)[:-1] + b"," + ENCODER.encode(value.view)[1:])


ENCODER = msgspec.json.Encoder(enc_hook=_encoded)
