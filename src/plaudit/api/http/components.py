"""The schemas of all types in the table of operations, which become `components.schemas` in the OpenAPI document."""

from collections.abc import Iterable, Iterator
from inspect import cleandoc
from types import UnionType
from typing import Any, cast

import msgspec

from plaudit.api.views.base import OpenView

from .operations import Operation

REF = "#/components/schemas/{name}"


class Components:
    """The schemas of the types in the table, generated together to detect two types with the same name."""

    def __init__(self, operations: Iterable[Operation], others: Iterable[Any] = ()) -> None:
        types = dict.fromkeys(type_ for part in (*operations, *others) for type_ in _types_in(part))
        refs, components = msgspec.json.schema_components(types, ref_template=REF)
        self._by_type = dict(zip(types, (_complete(ref) for ref in refs), strict=True))
        self.schemas = {name: _complete(schema) for name, schema in components.items()}
        for view in _open_views(OpenView):
            if view.__name__ in self.schemas:
                self.schemas[view.__name__]["additionalProperties"] = True

    def of(self, schema: Any) -> Any:
        """Return a schema with each type in it (`{"$of": type}`, or the type itself) replaced by that type's schema."""
        if isinstance(schema, list):
            return [self.of(part) for part in schema]  # pyright: ignore[reportUnknownVariableType]
        if isinstance(schema, dict):
            if "$of" in schema:
                return self._by_type[schema["$of"]]
            return {name: self.of(part) for name, part in schema.items()}  # pyright: ignore[reportUnknownVariableType]
        if isinstance(schema, UnionType):  # msgspec only describes unions of tagged structs
            return {"anyOf": [self.of(part) for part in schema.__args__]}
        return self._by_type[schema] if _is_type(schema) else schema


def _open_views(base: type[OpenView]) -> Iterator[type[OpenView]]:
    for view in base.__subclasses__():
        yield view
        yield from _open_views(view)


def _is_type(schema: Any) -> bool:
    return not isinstance(schema, str | int | float | bool | list | dict | None)


def _types_in(schema: Any) -> Iterator[Any]:
    if isinstance(schema, Operation):
        for part in (schema.body, schema.response, schema.bare_response, schema.error_schema):
            yield from _types_in(part)
    elif isinstance(schema, list):
        for part in cast("list[Any]", schema):
            yield from _types_in(part)
    elif isinstance(schema, dict):
        for part in cast("dict[str, Any]", schema).values():
            yield from _types_in(part)
    elif isinstance(schema, UnionType):
        yield from schema.__args__
    elif _is_type(schema):
        yield schema


def _complete(schema: Any) -> Any:
    """Return a schema in which every array has `items` and no description is indented."""
    if isinstance(schema, list):
        return [_complete(part) for part in schema]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(schema, dict):
        return schema
    completed: dict[str, Any] = {name: _complete(part) for name, part in cast("dict[str, Any]", schema).items()}
    if completed.get("type") == "array":
        completed.setdefault("items", {})
    if isinstance(completed.get("description"), str):
        completed["description"] = cleandoc(completed["description"])
    return completed
