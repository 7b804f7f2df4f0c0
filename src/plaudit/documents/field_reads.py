"""Finds the fields of events and members that a document reads in its conditions, criteria, goals, scores and formulas."""

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

Subject = Literal["event", "member", "message", "profile"]

# The kinds whose documents can also be parts of a campaign, under the campaign's id.
OWN_PARTS = tuple(part.name for part in PARTS)

_TEXTS = ("title", "message")  # fields in which `{{ … }}` are formulas


class FieldRead(Struct, frozen=True):
    """A `field` that a document reads at one of its paths.

    `triggers` are the triggers of the events whose data it reads; without any, it can be any event's. `subject` is what
    a field without a scope belongs to: the event or the `member`. A `message` has only the event's data, and a `profile`
    only the fields that are not computed.
    """

    path: str
    field: str
    triggers: tuple[str, ...] = ()
    subject: Subject = "event"


class FieldWrite(Struct, frozen=True):
    """An effect's setting of the profile field `name` to `value`, at a path of a document."""

    path: str
    name: str
    value: str | float | bool | None


def field_writes_of(document: Struct) -> list[FieldWrite]:
    """Return the profile fields that a document's effects set."""
    return list(_writes(document, ""))


def _writes(part: Struct, under: str) -> Iterator[FieldWrite]:
    if isinstance(part, EffectSpec):
        profile_field = profile_field_set_by(part.type)
        if profile_field is not None:
            name, value = profile_field
            yield FieldWrite(f"{under}config.{value}", str(part.config.get(name)), part.config.get(value))
    for field in structs.fields(part):
        for inner, item in _structs_in(getattr(part, field.name), under + field.encode_name):
            yield from _writes(item, inner)


def profile_field_set_by(effect_type: Any) -> tuple[str, str] | None:
    """Return the config fields with the name and the new value of the profile field that an effect sets, or None."""
    row = EFFECTS.get(effect_type) if isinstance(effect_type, str) else None
    if row is None or row.profile_field is None:
        return None
    name, value = row.profile_field
    return row.written_name(name), row.written_name(value)


def field_reads_of(document: Struct) -> list[FieldRead]:
    """Return the fields that a document reads. Invalid conditions are skipped."""
    subject = "message" if isinstance(document, Webhook) else "event"
    return list(_reads(document, "", (), subject, _triggers_of_effects(document)))


def _reads(
    part: Struct, under: str, triggers: tuple[str, ...], subject: Subject, effect_triggers: tuple[str, ...]
) -> Iterator[FieldRead]:
    """Yield the fields that a part of a document reads; `under` is the prefix of the paths in it.

    Effects and texts can run for other events than those of the triggers next to them: for those of `effect_triggers`.
    """
    triggers = _triggers_of(part) or triggers
    if isinstance(part, EffectSpec | Notify | TextsSpec):
        yield from _effect_reads(part, under, effect_triggers)
        return
    for field in structs.fields(part):
        value: Any = getattr(part, field.name)
        path = under + field.encode_name
        if field.name == "conditions":
            yield from _condition_reads(value, path, triggers, subject)
        elif field.name == "field" and isinstance(value, str):
            yield FieldRead(path, value, triggers, "member" if _has_type(field, MemberField) else subject)
        elif value is not None and _has_type(field, ProfileFieldName):
            yield FieldRead(path, value, (), "profile")
        else:
            inner_triggers = () if field.name in OWN_PARTS else effect_triggers
            for inner, item in _structs_in(value, path):
                yield from _reads(item, inner, triggers, subject, inner_triggers)


def _has_type(field: structs.FieldInfo, annotation: Any) -> bool:
    """Return whether a field's type is an annotation, or a union that contains it."""
    return annotation in (field.type, *get_args(field.type))


def _structs_in(value: Any, path: str) -> list[tuple[str, Struct]]:
    """Return the structs in a field's value, with the prefixes of their paths."""
    match value:
        case Struct():
            return [(f"{path}.", value)]
        case list():
            items = enumerate(cast("list[Any]", value))
            return [(f"{path}[{i}].", item) for i, item in items if isinstance(item, Struct)]
        case dict():
            pairs = cast("dict[str, Any]", value).items()
            return [(f"{path}.{key}.", item) for key, item in pairs if isinstance(item, Struct)]
        case _:
            return []


def _triggers_of_effects(document: Struct) -> tuple[str, ...]:
    """Return the triggers of the events for which a document's effects run, or none if they are not all known.

    An event can complete later steps that had already reached their goals, so the effects of a step can run for an event
    of any step.
    """
    match document:
        case Campaign() if not parts_of(document):
            listening = [*document.triggers, *(trigger for step in document.steps for trigger in step.triggers)]
            return tuple(dict.fromkeys(trigger_spec.type for trigger_spec in listening))
        case Rule():
            return (document.trigger_type,)
        case _:
            return ()


def _effect_reads(part: EffectSpec | Notify | TextsSpec, under: str, triggers: tuple[str, ...]) -> Iterator[FieldRead]:
    """Yield the fields that the formulas of an effect or of a notification's texts read."""
    formulas, texts, values = (), _TEXTS, structs.asdict(part)
    if isinstance(part, EffectSpec):
        row = EFFECTS.get(part.type)
        formulas = () if row is None else tuple(map(row.written_name, row.formulas))
        texts = () if row is None else tuple(map(row.written_name, row.texts))
        values = part.config
        under += "config."
    for name in formulas:
        if isinstance(values.get(name), str):
            yield from _formula_reads(values[name], f"{under}{name}", triggers)
    for name in texts:
        if isinstance(values.get(name), str):
            for formula in formulas_in(values[name]):
                yield from _formula_reads(formula, f"{under}{name}", triggers)


def _formula_reads(
    source: str, path: str, triggers: tuple[str, ...], subject: Subject = "event"
) -> Iterator[FieldRead]:
    """Yield the fields that a formula reads. Custom fields and variables are skipped."""
    for field in fields_named(source):
        first, dot, _ = field.partition(".")
        if first in CUSTOM or first.startswith("$"):
            continue
        if dot or first not in SCOPES or first in LISTS:
            yield FieldRead(path, field, triggers, subject)


def _triggers_of(part: Struct) -> tuple[str, ...]:
    """Return the triggers to which a part of a document listens, if it has any."""
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


def _condition_reads(tree: Any, path: str, triggers: tuple[str, ...], subject: Subject) -> Iterator[FieldRead]:
    if isinstance(tree, list):
        for i, part in enumerate(cast("list[Any]", tree)):
            yield from _condition_reads(part, f"{path}[{i}]", triggers, subject)
    elif isinstance(tree, dict):
        node = cast("dict[str, Any]", tree)
        for word in ("and", "or", "not", "all", "any"):
            if word in node:
                yield from _condition_reads(node[word], f"{path}.{word}", triggers, subject)
        if isinstance(node.get("field"), str):
            yield FieldRead(f"{path}.field", node["field"], triggers, subject)
        if isinstance(node.get("expression"), str):
            yield from _formula_reads(node["expression"], f"{path}.expression", triggers, subject)


def references_in(reads: list[FieldRead]) -> list[Reference]:
    """Return the references to documents in the paths of fields. In criteria, a name without a scope may be a metric."""
    references: list[Reference] = []
    for read in reads:
        if read.subject == "member" and has_no_scope(read.field):
            if "." not in read.field:
                references.append(Reference(read.path, "metric", read.field, required=False))
        elif read.subject in ("event", "member"):
            scope, steps = scope_and_steps(read.field)
            if scope in KIND_OF_NAMED and steps[0]:
                references.append(Reference(read.path, KIND_OF_NAMED[scope], steps[0]))
    return list(dict.fromkeys(references))


def has_no_scope(field: str) -> bool:
    """Return whether a criterion's field has no scope."""
    first = field.partition(".")[0].partition("[")[0]
    return first not in SCOPES and not (first in CUSTOM and first != field)
