"""The fields that a document reads, of events and members: in its conditions, criteria, goals, scores and formulas."""

from collections.abc import Iterator
from typing import Any, Literal, cast, get_args

from msgspec import Struct, structs

from plaudit.core.effects.notify import Notify
from plaudit.core.effects.registry import EFFECTS
from plaudit.core.expressions import formulas_in
from plaudit.core.fields import CUSTOM, KIND_OF_NAMED, LISTS, SCOPES, scope_and_steps
from plaudit.core.formulas.names import fields_named

from .base import MemberField, ProfileFieldName, Reference
from .campaign import PARTS, Campaign, StepSpec, parts_of
from .effect import EffectSpec
from .listening import TriggerSpec
from .rule import Rule
from .template import TextsSpec
from .webhook import Webhook

Of = Literal["event", "member", "message", "profile"]

# The parts of a campaign that are what documents of these kinds are, under the campaign's id.
OWN_PARTS = tuple(part.name for part in PARTS)

_TEXTS = ("title", "message")  # in which `{{ … }}` are formulas


class Look(Struct, frozen=True):
    """That a document looks at a `field`, `at` a place of it.

    `triggers` are the events whose data it may look at (none: those of any event). A field without a scope is the
    event's, or, where members are looked at, the `member`'s; of a `message` there is nothing else, and a `profile`
    has what is written there, nothing that is computed.
    """

    at: str
    field: str
    triggers: tuple[str, ...] = ()
    of: Of = "event"


class Write(Struct, frozen=True):
    """An effect at the place `at` of a document sets the profile field `name` to `value`."""

    at: str
    name: str
    value: str | float | bool | None


def writes_of(document: Struct) -> list[Write]:
    """Return the fields of profiles that the effects of a document set."""
    return list(_writes(document, ""))


def _writes(part: Struct, at: str) -> Iterator[Write]:
    if isinstance(part, EffectSpec):
        profile_field = profile_field_set_by(part.type)
        if profile_field is not None:
            name, value = profile_field
            yield Write(f"{at}config.{value}", str(part.config.get(name)), part.config.get(value))
    for field in structs.fields(part):
        for inner, item in _structs_in(getattr(part, field.name), at + field.encode_name):
            yield from _writes(item, inner)


def profile_field_set_by(effect_type: Any) -> tuple[str, str] | None:
    """Return where an effect's config has the name and the new value of a field of the profile, if it sets any."""
    row = EFFECTS.get(effect_type) if isinstance(effect_type, str) else None
    if row is None or row.profile_field is None:
        return None
    name, value = row.profile_field
    return row.written_name(name), row.written_name(value)


def looks_of(document: Struct) -> list[Look]:
    """Return the fields that a document looks at. What is not a condition in itself is passed over."""
    of = "message" if isinstance(document, Webhook) else "event"
    return list(_looks(document, "", (), of, _triggers_of_effects(document)))


def _looks(part: Struct, at: str, triggers: tuple[str, ...], of: Of, effects: tuple[str, ...]) -> Iterator[Look]:
    """Yield the looks of a part of a document, which stands `at` a place in it, or before a dot.

    What follows (effects, texts) may see the data of other events than what is beside it: those of `effects`.
    """
    triggers = _triggers_of(part) or triggers
    if isinstance(part, EffectSpec | Notify | TextsSpec):
        yield from _in_what_follows(part, at, effects)
        return
    for field in structs.fields(part):
        value: Any = getattr(part, field.name)
        place = at + field.encode_name
        if field.name == "conditions":
            yield from _in_conditions(value, place, triggers, of)
        elif field.name == "field" and isinstance(value, str):
            yield Look(place, value, triggers, "member" if _is_of(field, MemberField) else of)
        elif value is not None and _is_of(field, ProfileFieldName):
            yield Look(place, value, (), "profile")
        else:
            for inner, item in _structs_in(value, place):
                yield from _looks(item, inner, triggers, of, () if field.name in OWN_PARTS else effects)


def _is_of(field: structs.FieldInfo, annotation: Any) -> bool:
    """Return whether a field has a type, or may be null and has it."""
    return annotation in (field.type, *get_args(field.type))


def _structs_in(value: Any, place: str) -> list[tuple[str, Struct]]:
    """Return the structs that a field's value consists of, with their places."""
    match value:
        case Struct():
            return [(f"{place}.", value)]
        case list():
            items = enumerate(cast("list[Any]", value))
            return [(f"{place}[{i}].", item) for i, item in items if isinstance(item, Struct)]
        case dict():
            pairs = cast("dict[str, Any]", value).items()
            return [(f"{place}.{key}.", item) for key, item in pairs if isinstance(item, Struct)]
        case _:
            return []


def _triggers_of_effects(document: Struct) -> tuple[str, ...]:
    """Return the events that lead to the effects of a document, if all are known.

    A step may be done by what came before it was open, so an event of any step may lead to the effects of another.
    """
    match document:
        case Campaign() if not parts_of(document):
            listening = [*document.triggers, *(trigger for step in document.steps for trigger in step.triggers)]
            return tuple(dict.fromkeys(trigger_spec.type for trigger_spec in listening))
        case Rule():
            return (document.trigger_type,)
        case _:
            return ()


def _in_what_follows(part: EffectSpec | Notify | TextsSpec, at: str, triggers: tuple[str, ...]) -> Iterator[Look]:
    """Yield what the formulas of an effect look at, and those of a notification's texts."""
    formulas, texts, values = (), _TEXTS, structs.asdict(part)
    if isinstance(part, EffectSpec):
        row = EFFECTS.get(part.type)
        formulas = () if row is None else tuple(map(row.written_name, row.formulas))
        texts = () if row is None else tuple(map(row.written_name, row.texts))
        values = part.config
        at += "config."
    for name in formulas:
        if isinstance(values.get(name), str):
            yield from _in_formula(values[name], f"{at}{name}", triggers)
    for name in texts:
        if isinstance(values.get(name), str):
            for formula in formulas_in(values[name]):
                yield from _in_formula(formula, f"{at}{name}", triggers)


def _in_formula(source: str, at: str, triggers: tuple[str, ...], of: Of = "event") -> Iterator[Look]:
    """Yield what a formula looks at. A name without a scope is of the event's data, also one of custom fields."""
    for field in fields_named(source):
        first, dot, _ = field.partition(".")
        if first in CUSTOM or first.startswith("$"):
            continue
        if dot or first not in SCOPES or first in LISTS:
            yield Look(at, field, triggers, of)


def _triggers_of(part: Struct) -> tuple[str, ...]:
    """Return the events that a part is about, if it says so."""
    match part:
        case TriggerSpec():
            return (part.type,)
        case Rule():
            return (part.trigger_type,)
        case StepSpec():
            return tuple(trigger.type for trigger in part.triggers)
        case _:
            trigger = getattr(part, "trigger", None)
            return (trigger,) if isinstance(trigger, str) else ()


def _in_conditions(tree: Any, at: str, triggers: tuple[str, ...], of: Of) -> Iterator[Look]:
    if isinstance(tree, list):
        for i, part in enumerate(cast("list[Any]", tree)):
            yield from _in_conditions(part, f"{at}[{i}]", triggers, of)
    elif isinstance(tree, dict):
        node = cast("dict[str, Any]", tree)
        for word in ("and", "or", "not", "all", "any"):
            if word in node:
                yield from _in_conditions(node[word], f"{at}.{word}", triggers, of)
        if isinstance(node.get("field"), str):
            yield Look(f"{at}.field", node["field"], triggers, of)
        if isinstance(node.get("expression"), str):
            yield from _in_formula(node["expression"], f"{at}.expression", triggers, of)


def references_in(looks: list[Look]) -> list[Reference]:
    """Return the documents that fields name. A criterion may mean a metric by its bare name, or something of the profile."""
    found: list[Reference] = []
    for look in looks:
        if look.of == "member" and is_bare(look.field):
            if "." not in look.field:
                found.append(Reference(look.at, "metric", look.field, required=False))
        elif look.of in ("event", "member"):
            scope, steps = scope_and_steps(look.field)
            if scope in KIND_OF_NAMED and steps[0]:
                found.append(Reference(look.at, KIND_OF_NAMED[scope], steps[0]))
    return list(dict.fromkeys(found))


def is_bare(field: str) -> bool:
    """Return whether a criterion's field names no scope."""
    first = field.partition(".")[0].partition("[")[0]
    return first not in SCOPES and not (first in CUSTOM and first != field)
