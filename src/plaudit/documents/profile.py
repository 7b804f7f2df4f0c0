"""A member's profile as written: validated by the profile schema and the custom fields."""

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
# Fields that every organisation has, whatever its schema says.
_ALWAYS = frozenset(field.name for field in PROFILE_FIELDS if field.always)
# Where a profile always shows these; language and country may also be custom fields, as the documents have them.
_TOP = _ALWAYS - {"language", "country"}


class ProfileUpdate(Struct, frozen=True):
    """A request's changes of a profile: the attributes, and the names by which the member is found."""

    attributes: dict[str, Any]
    names: dict[str, str | None]


class ProfileValidator(Struct, frozen=True):
    """The rules for profiles. Without the organisation's own `schema`, any field is valid."""

    schema: ProfileSchema | None = None
    custom: Mapping[str, CustomField] = {}  # the active ones, by key

    @property
    def unique(self) -> tuple[str, ...]:
        """Return the fields by which members are found."""
        if self.schema is None:
            return identities.KINDS
        own = [field.name for field in self.schema.fields if field.unique]
        return tuple(dict.fromkeys([*identities.KINDS, *own]))

    @property
    def any_custom(self) -> bool:
        """Return whether custom fields may have any name: none are defined, or the schema has an object for them."""
        return self.schema is None or not self.custom or any(field.name == CUSTOM for field in self.schema.fields)

    def custom_of(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a profile shows as custom fields: those declared, or all that is neither the schema's nor everybody's."""
        if not self.any_custom:
            return {name: attributes[name] for name in self.custom if name in attributes}
        own = {field.name for field in self.schema.fields} if self.schema is not None else set[str]()
        own |= _TOP - self.custom.keys()
        return {name: value for name, value in attributes.items() if name not in own}

    def why_not(self, name: str, value: Any) -> str | None:
        """Return why a field that these rules know cannot be set to a value by an effect; None if it can."""
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
    """Return why no effect can set a field of profiles to a value, whatever the profile schema says."""
    if name in KEPT_BY_ENGINE or name in ("userId", CUSTOM):
        return [FieldError("name", f"is computed and cannot be set (got {name!r})")]
    if name in identities.KINDS:
        return [FieldError("name", f"is an identity field, which no effect can set (got {name!r})")]
    if name == TIME_ZONE and value is not None:
        why = bounds.wrong_zone(value)
        return [] if why is None else [FieldError("value", why)]
    return []


def validator_for(schema: ProfileSchema | None, custom: Iterable[CustomField]) -> ProfileValidator:
    """Return the rules of an organisation."""
    return ProfileValidator(
        schema, {custom_field.key: custom_field for custom_field in custom if custom_field.status == "active"}
    )


def validate_update(
    rules: ProfileValidator, body: Mapping[str, Any], *, new: bool
) -> tuple[ProfileUpdate, list[FieldError]]:
    """Return the profile changes in `body`, and the errors. A `new` profile gets defaults and must be complete."""
    given = {name: value for name, value in body.items() if name not in ("userId", CUSTOM)}
    wrong = _wrong_shape(given)
    custom: dict[str, Any] = {}
    if isinstance(body.get(CUSTOM, {}), dict):
        custom = cast("dict[str, Any]", body.get(CUSTOM, {}))
        wrong += [error.under(CUSTOM) for error in _wrong_shape(custom)]
    else:
        wrong.append(FieldError(CUSTOM, "must be an object"))
    given |= custom
    if new and (rules.schema is not None or rules.custom):
        given = _defaults(rules) | given
        wrong += [FieldError(name, FIELD_MISSING) for name in _required(rules) if given.get(name) is None]
    elif not new:
        wrong += [
            FieldError(name, "cannot be removed: it is required")
            for name in _required(rules)
            if given.get(name, 0) is None
        ]
    wrong += _wrong_values(rules, given, custom)
    names, wrong_names = _names(rules, given)
    attributes = {name: value for name, value in given.items() if name not in names}
    return ProfileUpdate(attributes, names), wrong + wrong_names


def _wrong_shape(given: Mapping[str, Any]) -> list[FieldError]:
    wrong: list[FieldError] = []
    for name, value in given.items():
        if name in KEPT_BY_ENGINE:
            wrong.append(FieldError(name, "is computed and cannot be set"))
        if not 1 <= len(name) <= NAME_MAX:
            wrong.append(FieldError(name[:NAME_MAX], f"must have a name of 1 to {NAME_MAX} characters"))
        if isinstance(value, str) and len(value) > TEXT_MAX:
            wrong.append(FieldError(name, f"must have at most {TEXT_MAX} characters"))
    if len(given) > ATTRIBUTES_MAX:
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


def _wrong_values(rules: ProfileValidator, given: Mapping[str, Any], custom: Mapping[str, Any]) -> list[FieldError]:
    wrong: list[FieldError] = []
    if given.get(TIME_ZONE) is not None:
        message = bounds.wrong_zone(given[TIME_ZONE])
        wrong += [] if message is None else [FieldError(TIME_ZONE, message)]
    if rules.schema is None and not rules.custom:
        return wrong
    own = {field.name: field for field in rules.schema.fields} if rules.schema else {}
    for name, value in given.items():
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


def _names(rules: ProfileValidator, given: Mapping[str, Any]) -> tuple[dict[str, str | None], list[FieldError]]:
    names: dict[str, str | None] = {}
    wrong: list[FieldError] = []
    for kind in rules.unique:
        if kind not in given:
            continue
        value = given[kind]
        normal = None if value is None else identities.normalise(kind, value) if isinstance(value, str) else None
        names[kind] = normal
        if value is not None and normal is None:
            wrong.append(
                FieldError(kind, f"must be {identities.EXPECTED.get(kind, 'a string of 1 to 200 characters')}")
            )
    return names, wrong
