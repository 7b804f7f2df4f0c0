"""Validates changes of profiles by the profile schema and the custom fields."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from msgspec import Struct

from plaudit import bounds
from plaudit.core import identities
from plaudit.core.profile_fields import KEPT_BY_ENGINE, PROFILE_FIELDS, TIME_ZONE
from plaudit.errors import FIELD_MISSING, FieldError

from .custom_field import CustomField
from .field_types import value_error
from .profile_schema import ProfileSchema

ATTRIBUTES_MAX = 200
NAME_MAX = 64
TEXT_MAX = 5_000
CUSTOM = "customFields"
# Fields that profiles of every organisation can have, whatever its schema contains.
_ALWAYS = frozenset(field.name for field in PROFILE_FIELDS if field.always)
# Of these, the fields that a profile never shows as custom fields. The documented API also has language and country as such.
_TOP = _ALWAYS - {"language", "country"}


class ProfileUpdate(Struct, frozen=True):
    """The changes of a profile in a request: its attributes, and its identities, by which the member can be looked up."""

    attributes: dict[str, Any]
    names: dict[str, str | None]


class ProfileValidator(Struct, frozen=True):
    """The rules for profiles. Without the organisation's own `schema`, any field is valid."""

    schema: ProfileSchema | None = None
    custom: Mapping[str, CustomField] = {}  # the active custom fields, by key

    @property
    def unique(self) -> tuple[str, ...]:
        """The identity fields, by which members can be looked up."""
        if self.schema is None:
            return identities.KINDS
        own = [field.name for field in self.schema.fields if field.unique]
        return tuple(dict.fromkeys([*identities.KINDS, *own]))

    @property
    def any_custom(self) -> bool:
        """Whether custom fields can have any name: none are defined, or the schema has an object for them."""
        return self.schema is None or not self.custom or any(field.name == CUSTOM for field in self.schema.fields)

    def custom_of(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields that a profile shows as custom fields: the defined ones, or all that are not other fields."""
        if not self.any_custom:
            return {name: attributes[name] for name in self.custom if name in attributes}
        own = {field.name for field in self.schema.fields} if self.schema is not None else set[str]()
        own |= _TOP - self.custom.keys()
        return {name: value for name, value in attributes.items() if name not in own}

    def effect_error(self, name: str, value: Any) -> str | None:
        """Return why an effect cannot set a field to a value by these rules, or None. Unknown fields are not checked."""
        if name in self.unique:
            return "sets an identity field, which no effect can set"
        if value is None:
            return "cannot be null: the field is required" if name in _required(self) else None
        own = None if self.schema is None else next((field for field in self.schema.fields if field.name == name), None)
        if name in self.custom:
            custom_field = self.custom[name]
            return value_error(custom_field.type, value, custom_field.options, custom_field.validation)
        return None if own is None else value_error(own.type, value, own.enum)

    def may_have(self, name: str) -> bool:
        """Return whether a profile may have a field of this name."""
        if self.schema is None or name in self.custom or name in _ALWAYS:
            return True
        return any(field.name == name for field in self.schema.fields)


def unwritable_by_effects(name: str, value: Any) -> list[FieldError]:
    """Return why no effect can set a profile field to a value, whatever the profile schema contains."""
    if name in KEPT_BY_ENGINE or name in ("userId", CUSTOM):
        return [FieldError("name", f"is computed and cannot be set (got {name!r})")]
    if name in identities.KINDS:
        return [FieldError("name", f"is an identity field, which no effect can set (got {name!r})")]
    if name == TIME_ZONE and value is not None:
        message = bounds.wrong_zone(value)
        return [] if message is None else [FieldError("value", message)]
    return []


def validator_for(schema: ProfileSchema | None, custom: Iterable[CustomField]) -> ProfileValidator:
    """Return the rules for an organisation's profiles."""
    return ProfileValidator(
        schema, {custom_field.key: custom_field for custom_field in custom if custom_field.status == "active"}
    )


def validate_update(
    rules: ProfileValidator, body: Mapping[str, Any], *, new: bool
) -> tuple[ProfileUpdate, list[FieldError]]:
    """Return the profile changes in `body`, and the errors. A `new` profile gets defaults and must be complete."""
    fields = {name: value for name, value in body.items() if name not in ("userId", CUSTOM)}
    wrong = _shape_errors(fields)
    custom: dict[str, Any] = {}
    if isinstance(body.get(CUSTOM, {}), dict):
        custom = cast("dict[str, Any]", body.get(CUSTOM, {}))
        wrong += [error.under(CUSTOM) for error in _shape_errors(custom)]
    else:
        wrong.append(FieldError(CUSTOM, "must be an object"))
    fields |= custom
    if new and (rules.schema is not None or rules.custom):
        fields = _defaults(rules) | fields
        wrong += [FieldError(name, FIELD_MISSING) for name in _required(rules) if fields.get(name) is None]
    elif not new:
        wrong += [
            FieldError(name, "cannot be removed: it is required")
            for name in _required(rules)
            if fields.get(name, 0) is None
        ]
    wrong += _value_errors(rules, fields, custom)
    names, identity_errors = _identities(rules, fields)
    attributes = {name: value for name, value in fields.items() if name not in names}
    return ProfileUpdate(attributes, names), wrong + identity_errors


def _shape_errors(fields: Mapping[str, Any]) -> list[FieldError]:
    wrong: list[FieldError] = []
    for name, value in fields.items():
        if name in KEPT_BY_ENGINE:
            wrong.append(FieldError(name, "is computed and cannot be set"))
        if not 1 <= len(name) <= NAME_MAX:
            wrong.append(FieldError(name[:NAME_MAX], f"must have a name of 1 to {NAME_MAX} characters"))
        if isinstance(value, str) and len(value) > TEXT_MAX:
            wrong.append(FieldError(name, f"must have at most {TEXT_MAX} characters"))
    if len(fields) > ATTRIBUTES_MAX:
        wrong.append(FieldError("", f"may have at most {ATTRIBUTES_MAX} fields"))
    return wrong


def _defaults(rules: ProfileValidator) -> dict[str, Any]:
    fields = [(field.name, field.default) for field in rules.schema.fields] if rules.schema else []
    fields += [(key, custom_field.default_value) for key, custom_field in rules.custom.items()]
    return {name: value for name, value in fields if value is not None and name not in KEPT_BY_ENGINE}


def _required(rules: ProfileValidator) -> list[str]:
    fields = [field.name for field in rules.schema.fields if field.required] if rules.schema else []
    fields += [key for key, custom_field in rules.custom.items() if custom_field.required]
    return [name for name in fields if name not in KEPT_BY_ENGINE and name != CUSTOM]


def _value_errors(rules: ProfileValidator, fields: Mapping[str, Any], custom: Mapping[str, Any]) -> list[FieldError]:
    """Return the errors in the values of a profile's fields; `custom` are those that were sent as custom fields."""
    wrong: list[FieldError] = []
    if fields.get(TIME_ZONE) is not None:
        message = bounds.wrong_zone(fields[TIME_ZONE])
        wrong += [] if message is None else [FieldError(TIME_ZONE, message)]
    if rules.schema is None and not rules.custom:
        return wrong
    own = {field.name: field for field in rules.schema.fields} if rules.schema else {}
    for name, value in fields.items():
        if value is None or name in KEPT_BY_ENGINE:
            continue
        if name in rules.custom:
            custom_field = rules.custom[name]
            message = value_error(custom_field.type, value, custom_field.options, custom_field.validation)
        elif name in own:
            message = value_error(own[name].type, value, own[name].enum)
        elif name in _ALWAYS or (name in custom and rules.any_custom):
            message = None
        elif name in custom:
            message = f"must be one of the custom fields {', '.join(rules.custom)}"
        elif rules.schema is not None:
            message = "is not a field of the profile schema"
        else:
            message = None
        if message is not None:
            wrong.append(FieldError(f"{CUSTOM}.{name}" if name in custom or name in rules.custom else name, message))
    return wrong


def _identities(rules: ProfileValidator, fields: Mapping[str, Any]) -> tuple[dict[str, str | None], list[FieldError]]:
    """Return the normalised identities among a profile's fields (None: removed), and the errors."""
    names: dict[str, str | None] = {}
    wrong: list[FieldError] = []
    for kind in rules.unique:
        if kind not in fields:
            continue
        value = fields[kind]
        normalised = None if value is None else identities.normalise(kind, value) if isinstance(value, str) else None
        names[kind] = normalised
        if value is not None and normalised is None:
            wrong.append(
                FieldError(kind, f"must be {identities.EXPECTED.get(kind, 'a string of 1 to 200 characters')}")
            )
    return names, wrong
