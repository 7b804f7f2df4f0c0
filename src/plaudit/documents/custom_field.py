"""Custom fields: profile fields beyond the profile schema. Deleting one is soft."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from plaudit.core.patterns import Pattern, PatternError
from plaudit.errors import FieldError

from .base import Document, DocumentKind
from .field_types import Bounds, default_error

OPTIONS_MAX = 1_000


class CustomField(Document, kw_only=True):
    """An extra profile field.

    `options`: the values of a `select` or `multi-select` field. `validation`: bounds for numbers and strings.
    """

    key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,64}$")]
    type: Literal["string", "number", "boolean", "date", "select", "multi-select"]
    required: bool = False
    options: list[Annotated[str, Meta(min_length=1, max_length=200)]] | None = None
    validation: Bounds | None = None
    default_value: Any = None
    status: Literal["active", "deleted"] = "active"


def _check(custom_field: CustomField) -> Sequence[FieldError]:
    wrong: list[FieldError] = []
    if custom_field.type in ("select", "multi-select"):
        if not custom_field.options:
            wrong.append(FieldError("options", f"is required for {custom_field.type}"))
        elif len(custom_field.options) > OPTIONS_MAX or len(set(custom_field.options)) < len(custom_field.options):
            wrong.append(FieldError("options", f"must have at most {OPTIONS_MAX} distinct items"))
    elif custom_field.options is not None:
        wrong.append(FieldError("options", "is only allowed for select and multi-select"))
    if custom_field.validation is not None and custom_field.validation.pattern is not None:
        try:
            Pattern(custom_field.validation.pattern)
        except PatternError as error:
            wrong.append(FieldError("validation.pattern", str(error)))
    if custom_field.default_value is not None and not wrong:
        message = default_error(
            custom_field.key,
            custom_field.type,
            custom_field.default_value,
            custom_field.options,
            custom_field.validation,
        )
        if message is not None:
            wrong.append(FieldError("defaultValue", message))
    return wrong


KIND = DocumentKind(
    name="custom_field",
    title="Custom field",
    collection="custom-fields",
    id_field="fieldId",
    id_prefix="field_",
    type=CustomField,
    filters=("type", "status"),
    fixed=("key", "type"),
    deleted={"status": "deleted"},
    check=_check,
)
