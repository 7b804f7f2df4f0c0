"""The profile schema: the fields of profiles. It is one document, and each change of it is a version `vX.Y.Z`."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from plaudit.errors import FieldError

from .base import Description, Document, DocumentKind
from .field_types import FIELD_TYPES, default_error

PROFILE_SCHEMA_ID = "profile"
FIELDS_MAX = 200

FieldType = Literal["string", "number", "boolean", "date", "object", "array"]


class ProfileField(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A field of a profile. `unique`: members can be found by this field."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
    type: FieldType = "string"
    required: bool = False
    unique: bool = False
    enum: list[str | int | float] | None = None
    default: Any = None
    description: Description | None = None


class ProfileSchema(Document, kw_only=True):
    """The fields of profiles. Each change makes a version `vX.Y.Z`, which the server sets as `label` and keeps."""

    fields: list[ProfileField] = field(default_factory=list[ProfileField])
    label: Annotated[str, Meta(pattern=r"^v\d{1,9}\.\d{1,9}\.\d{1,9}$")] = "v1.0.0"


def next_label(before: ProfileSchema, after: ProfileSchema) -> str:
    """Return the version of a changed schema.

    If valid profiles can become invalid, it is a major step; if fields were added, a minor one; otherwise a patch.
    """
    major, minor, patch = (int(part) for part in before.label.removeprefix("v").split("."))
    old, new = ({profile_field.name: profile_field for profile_field in schema.fields} for schema in (before, after))
    if any(_breaks(profile_field, new.get(name)) for name, profile_field in old.items()) or any(
        profile_field.required for name, profile_field in new.items() if name not in old
    ):
        return f"v{major + 1}.0.0"
    if new.keys() - old.keys():
        return f"v{major}.{minor + 1}.0"
    return f"v{major}.{minor}.{patch + 1}"


def _breaks(before: ProfileField, after: ProfileField | None) -> bool:
    if after is None or after.type != before.type:
        return True
    if (after.required and not before.required) or (after.unique and not before.unique):
        return True
    return after.enum is not None and (before.enum is None or not set(before.enum) <= set(after.enum))


def _check(schema: ProfileSchema) -> Sequence[FieldError]:
    wrong = [
        FieldError(f"fields[{i}].name", "must be unique")
        for i, profile_field in enumerate(schema.fields)
        if Counter(item.name for item in schema.fields)[profile_field.name] > 1
    ]
    if len(schema.fields) > FIELDS_MAX:
        wrong.append(FieldError("fields", f"may have at most {FIELDS_MAX} items"))
    for i, profile_field in enumerate(schema.fields):
        if profile_field.unique and profile_field.type != "string":
            wrong.append(FieldError(f"fields[{i}].unique", "is only allowed for strings"))
        if profile_field.default is not None:
            message = default_error(profile_field.name, profile_field.type, profile_field.default, profile_field.enum)
            if message is not None:
                wrong.append(FieldError(f"fields[{i}].default", message))
    return wrong


KIND = DocumentKind(
    name="profile_schema",
    title="Profile schema",
    collection="",  # only one exists, and it has operations of its own
    id_field="schemaId",
    id_prefix="",
    type=ProfileSchema,
    check=_check,
)

assert set(FIELD_TYPES) >= {"string", "number", "boolean", "date", "object", "array"}
