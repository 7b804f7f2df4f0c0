"""JSON Schema as types of Python."""

import keyword
import re
import textwrap
from typing import Any

Schema = dict[str, Any]

REF = "#/components/schemas/"
_OBJECTS = ("dict[", "Json")
_TEXTS = ("str", "datetime", "Literal[")


def snake(name: str) -> str:
    """A name of the API as Python writes it: `showInUI` is `show_in_ui`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower().replace("-", "_")
    return words + "_" if keyword.iskeyword(words) else words


def camel(name: str) -> str:
    """What msgspec encodes a field's name as, with `rename="camel"`."""
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


def type_of(schema: Any, components: dict[str, Schema], prefix: str = "") -> str:
    """A schema as an annotation. `prefix` stands before the names of components."""
    if not isinstance(schema, dict) or not schema:
        return "Any"
    if "$ref" in schema:
        return prefix + schema["$ref"].removeprefix(REF)
    if "enum" in schema:
        return f"Literal[{', '.join(repr(value) for value in schema['enum'])}]"
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    for words in ("anyOf", "oneOf"):
        if words in schema:
            return _union([type_of(part, components, prefix) for part in schema[words]], components, prefix)
    if isinstance(schema.get("type"), list):
        parts = [type_of(schema | {"type": kind}, components, prefix) for kind in schema["type"]]
        return _union(parts, components, prefix)
    match schema.get("type"):
        case "string":
            return "datetime" if schema.get("format") == "date-time" else "str"
        case "integer":
            return "int"
        case "number":
            return "Number"
        case "boolean":
            return "bool"
        case "null":
            return "None"
        case "array":
            return f"list[{type_of(schema.get('items'), components, prefix)}]"
        case "object":
            values = schema.get("additionalProperties")
            if isinstance(values, dict) and values and "properties" not in schema:
                return f"dict[str, {type_of(values, components, prefix)}]"
            return "Json"
    return "Any"


def _union(parts: list[str], components: dict[str, Schema], prefix: str) -> str:
    """A union, or Any where msgspec could not tell its parts apart."""
    flat = list(dict.fromkeys(word for part in parts for word in _members(part)))
    if "Any" in flat:
        return "Any"
    if "Number" in flat:
        flat = [word for word in flat if word not in ("int", "Number")] + ["Number"]
    if "None" in flat:
        flat = [word for word in flat if word != "None"] + ["None"]
    objects = [word for word in flat if word.startswith(_OBJECTS) or _is_struct(word, components, prefix)]
    lists = [word for word in flat if word.startswith("list[")]
    texts = [word for word in flat if word.startswith(_TEXTS)]
    return "Any" if max(len(objects), len(lists), len(texts)) > 1 else " | ".join(flat)


def _members(part: str) -> list[str]:
    return [part] if "[" in part else part.split(" | ")


def _is_struct(word: str, components: dict[str, Schema], prefix: str) -> bool:
    return is_struct(components.get(word.removeprefix(prefix), {}))


def is_struct(schema: Schema) -> bool:
    """Whether a component is an object with fields."""
    return bool(schema.get("properties"))


def docstring(text: str, indent: int = 4) -> str:
    """A text as a docstring, wrapped."""
    width = 116 - indent
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip())]
    lines = [line for part in paragraphs for line in (*textwrap.wrap(part, width - 6, break_long_words=False), "")][:-1]
    body = "\n".join(" " * indent + line if line else "" for line in lines).strip()
    raw = "r" if "\\" in body else ""
    end = f"\n{' ' * indent}" if len(lines) > 1 else ""
    return f'{" " * indent}{raw}"""{body}{end}"""'
