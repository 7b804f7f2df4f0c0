"""Compiles segments from their documents: the criteria, and the parts of a member that they read."""

from collections import defaultdict
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, cast

import msgspec

from plaudit.core.conditions import ALWAYS, compile_conditions
from plaudit.core.fields import LISTS, SCOPES, getter_of
from plaudit.core.mechanic_rules import MECHANIC_RULES
from plaudit.core.metrics import Metric
from plaudit.core.operators import OPERATORS, is_number
from plaudit.core.profile_fields import FIELDS, USABLE
from plaudit.core.program import MechanicListener
from plaudit.mechanics.base import CompiledDocuments

from . import compiled
from .document import CriterionSpec, Segment
from .state import KIND

CompiledMechanics = Mapping[str, Mapping[str, Any]]  # by kind and id

# Prefixes for custom fields, which are profile fields.
_CUSTOM = ("customFields.", "custom.")


_COUNTS = 1  # a segment's number as a listener to events, which differs from its number when it is re-evaluated


def compile_segments(
    documents: Mapping[str, Segment], metrics: Mapping[str, Metric], mechanics: CompiledMechanics
) -> CompiledDocuments:
    """Compile a programme's segments, and list them by the triggers that they count and the parts that they read."""
    by_id = {
        segment_id: compile_segment(segment_id, segment, metrics, mechanics)
        for segment_id, segment in documents.items()
    }
    listeners: dict[str, list[MechanicListener]] = defaultdict(list)
    parts: dict[str, list[MechanicListener]] = defaultdict(list)
    for segment in by_id.values():
        counting = MechanicListener(mechanic=KIND, target=segment, cause=segment.cause, number=_COUNTS)
        for trigger in triggers_of(segment) if segment.active else ():
            listeners[trigger].append(counting)
        reevaluating = MechanicListener(mechanic=KIND, target=segment, cause=segment.cause)
        for part in (*segment.depends_on, segment.cause.text, "all"):
            parts[part].append(reevaluating)
    return CompiledDocuments(by_id, listeners, parts=parts)


def compile_segment(
    segment_id: str, segment: Segment, metrics: Mapping[str, Metric], mechanics: CompiledMechanics
) -> compiled.Segment:
    """Compile a segment. `mechanics` are the programme's compiled documents, to which criteria may refer."""
    include = tuple(_criterion(spec, metrics, mechanics) for spec in segment.include)
    exclude = tuple(_criterion(spec, metrics, mechanics) for spec in segment.exclude)
    paths = [_path(spec.field, metrics, mechanics) for spec in (*segment.include, *segment.exclude) if spec.field]
    parts = frozenset(part for path in paths for part in _parts(path))
    return compiled.Segment(
        segment_id=segment_id,
        name=segment.name,
        active=segment.status == "active",
        users=frozenset(segment.user_ids) if segment.type == "static" else None,
        include=include,
        exclude=exclude,
        depends_on=parts,
    )


def _parts(path: str) -> tuple[str, ...]:
    """Return the parts of a member that a path reads: the profile, one metric, one document of a mechanic, a list …"""
    scope, _, rest = path.partition(".")
    if scope == "user" and rest in USABLE:
        return FIELDS[rest].parts
    return (_part(scope, rest),)


def _part(scope: str, rest: str) -> str:
    return scope if scope in ("user", *LISTS) or not rest else f"{scope}.{rest.partition('.')[0]}"


def triggers_of(segment: compiled.Segment) -> list[str]:
    """Return the triggers of the events that a segment counts."""
    return sorted({criterion.tally.trigger for criterion in segment.criteria if criterion.tally is not None})


def _criterion(spec: CriterionSpec, metrics: Mapping[str, Metric], mechanics: CompiledMechanics) -> compiled.Criterion:
    compare = OPERATORS[spec.operator].compile(spec.value)
    named_tally = spec.tally()
    if named_tally is None:
        assert spec.field is not None
        path = _path(spec.field, metrics, mechanics)
        condition, _ = compile_conditions([{"field": path, "operator": spec.operator, "value": spec.value}])
        return compiled.Criterion(key="", condition=condition, compare=compare)
    name, tally = named_tally
    # Counts are stored by what is counted, so that criteria share them and keep them when they move or compare differently.
    key = blake2b(name.encode() + msgspec.json.encode(tally, order="sorted"), digest_size=6).hexdigest()
    condition = compile_conditions(tally.conditions)[0] if tally.conditions else ALWAYS
    values = cast("list[Any]", spec.value) if isinstance(spec.value, list) else [spec.value]
    bounds = {int(value) + offset for value in values if is_number(value) for offset in (0, 1)}
    return compiled.Criterion(
        key=key,
        tally=compiled.EventTally(
            type=name,
            trigger=tally.trigger,
            condition=condition,
            get=None if tally.field is None else getter_of(tally.field)[0],
            days=tally.within_days,
        ),
        compare=compare,
        bounds=tuple(sorted(bounds)),
    )


def _path(field: str, metrics: Mapping[str, Metric], mechanics: CompiledMechanics) -> str:
    """Return the path of a criterion's field. Without a scope it is a metric, a mechanic's word, or a profile field."""
    for prefix in _CUSTOM:
        if field.startswith(prefix):
            return "user." + field.removeprefix(prefix)
    if field.partition(".")[0] in SCOPES:
        return field
    if field in metrics:
        return f"metrics.{field}"
    paths = (rules.path_of(field, mechanics.get(kind, {})) for kind, rules in MECHANIC_RULES.items())
    return next((path for path in paths if path is not None), f"user.{field}")
