"""Reference data: the effects, operators and triggers that there are, and what conditions can look at."""

from typing import Any

import msgspec

from plaudit.api.operations import Call, Operation, Parameter
from plaudit.api.outside import Json
from plaudit.api.schemas import OBJECTS, object_of
from plaudit.core.effects import EFFECT_TYPES
from plaudit.core.operators import OPERATORS
from plaudit.core.triggers import ENGINE_TRIGGERS

_COMPARED = ["equals", "not_equals", "in", "not_in", "exists", "not_exists"]
_BY_TYPE = {
    "string": [*_COMPARED, "contains", "not_contains", "starts_with", "ends_with", "matches"],
    "number": [*_COMPARED, ">", ">=", "<", "<=", "between"],
    "boolean": _COMPARED,
    "date": [*_COMPARED, "before", "after"],
    "array": ["contains", "not_contains", "exists", "not_exists"],
}
# The documents' standard properties of a user (identity, loyalty, engagement, time, metadata), with their types.
_STANDARD = (
    ("userId", "string", "identity"), ("email", "string", "identity"), ("phone", "string", "identity"),
    ("firstName", "string", "identity"), ("lastName", "string", "identity"), ("country", "string", "identity"),
    ("timezone", "string", "identity"), ("tier", "string", "loyalty"), ("points", "number", "loyalty"),
    ("xp", "number", "loyalty"), ("coins", "number", "loyalty"), ("badges", "array", "loyalty"),
    ("segments", "array", "metadata"),
)  # fmt: skip


def _schema_of(settings: Any) -> Json:
    (schema,), components = msgspec.json.schema_components([settings], ref_template="{name}")
    return components.get(schema.get("$ref", ""), schema)


async def list_effects(_: Call) -> Json:
    """The effects, with the JSON Schemas of their settings."""
    return {
        "effects": [
            {
                "type": row.name,
                "aliases": list(row.aliases),
                "description": row.sentence,
                "schema": _schema_of(row.settings),
            }
            for row in EFFECT_TYPES
        ]
    }


async def list_operators(_: Call) -> Json:
    """The operators of conditions."""
    return {
        "operators": [
            {"operator": row.name, "aliases": list(row.aliases), "description": row.sentence, "value": row.value}
            for row in dict.fromkeys(OPERATORS.values())
        ]
    }


async def list_trigger_types(call: Call) -> Json:
    """The engine's own triggers, and the organisation's, with the JSON Schemas of their data."""
    live = await call.services.programs.live(call.org_id)
    own = [
        {
            "type": row.key,
            "name": row.key,
            "category": "engine",
            "description": row.sentence,
            "schema": object_of({name: {"type": kind} for name, kind in row.fields.items()}),
        }
        for row in ENGINE_TRIGGERS.values()
    ]
    declared = [
        {
            "type": key,
            "name": trigger.name,
            "category": trigger.category,
            "description": trigger.description,
            "schema": {
                "type": "object",
                "properties": {one.key: {"description": one.description or ""} for one in trigger.fields},
                "required": [one.key for one in trigger.fields if one.required],
            },
        }
        for key, trigger in live.triggers.items()
    ]
    return {"triggerTypes": own + declared}


async def users_schema(call: Call) -> Json:
    """What segments and conditions can look at of a member, with types and operators."""
    program = (await call.services.programs.live(call.org_id)).program
    fields = [(path, kind, category) for path, kind, category in _STANDARD]
    fields += [(f"metrics.{one}", "number", "loyalty") for one in program.metrics]
    fields += [(f"ladders.{one}.rung", "string", "loyalty") for one in program.ladders]
    for one in program.streaks:
        fields += [
            (f"streaks.{one}.current", "number", "engagement"),
            (f"streaks.{one}.longest", "number", "engagement"),
        ]
    return {
        "properties": [
            {"field": path, "type": kind, "category": category, "operators": _BY_TYPE[kind]}
            for path, kind, category in fields
        ]
    }


def _read(path: str, summary: str, run: Any, name: str, *query: Parameter) -> Operation:
    return Operation(
        method="GET", path=path, summary=summary, run=run, scope="admin:read", tag="Reference data",
        answer=object_of({name: OBJECTS}), errors=(400,), query=query,
    )  # fmt: skip


OPERATIONS = [
    _read("/v1/effects", "The effects, with their settings", list_effects, "effects"),
    _read("/v1/operators", "The operators of conditions", list_operators, "operators"),
    _read("/v1/trigger-types", "The triggers, with their data", list_trigger_types, "triggerTypes"),
    _read("/v1/users/schema", "What conditions can look at of a member", users_schema, "properties"),
]
