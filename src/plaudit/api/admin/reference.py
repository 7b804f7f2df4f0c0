"""Reference data: the effects, operators and triggers, and the properties that conditions can use."""

from typing import Any

import msgspec
from msgspec import UNSET

from plaudit.api.http.operations import Call, Operation, Parameter
from plaudit.api.http.schemas import object_of
from plaudit.api.http.wire import Json
from plaudit.api.views.base import Page
from plaudit.api.views.reference import (
    ConditionOperator,
    EffectType,
    EffectTypeList,
    MemberProperty,
    MemberPropertyList,
    OperatorList,
    TriggerType,
    TriggerTypeList,
)
from plaudit.core.effects.registry import EFFECTS
from plaudit.core.operators import OPERATORS
from plaudit.core.profile_fields import ONLY_SHOWN, PROFILE_FIELDS
from plaudit.core.triggers import ENGINE_TRIGGERS
from plaudit.documents.kinds import KINDS
from plaudit.mechanics.registry import MECHANICS
from plaudit.storage import documents

_COMPARED = ["equals", "not_equals", "in", "not_in", "exists", "not_exists"]
_BY_TYPE = {
    "string": [*_COMPARED, "contains", "not_contains", "starts_with", "ends_with", "matches"],
    "number": [*_COMPARED, ">", ">=", "<", "<=", "between"],
    "boolean": _COMPARED,
    "date": [*_COMPARED, "before", "after"],
    "array": ["contains", "not_contains", "exists", "not_exists"],
}
_TYPE_OF = {"select": "string", "multi-select": "array", "object": "string"}


def _schema_of(settings: Any) -> Json:
    (schema,), components = msgspec.json.schema_components([settings], ref_template="{name}")
    return components.get(schema.get("$ref", ""), schema)


async def list_effects(_: Call) -> Page:
    """Return the effects with the JSON Schemas of their settings."""
    return EffectTypeList.of(
        [
            EffectType(
                type=row.name, aliases=list(row.aliases), description=row.sentence, schema=_schema_of(row.settings)
            )
            for row in EFFECTS.types
        ]
    )


async def list_operators(_: Call) -> Page:
    """Return the operators of conditions."""
    return OperatorList.of(
        [
            ConditionOperator(operator=row.name, aliases=list(row.aliases), description=row.sentence, value=row.value)
            for row in dict.fromkeys(OPERATORS.values())
        ]
    )


async def list_trigger_types(call: Call) -> Page:
    """Return the engine's and the organisation's triggers with the JSON Schemas of their data."""
    programme = await call.programme()
    own = [
        TriggerType(
            type=row.key,
            name=row.key,
            category="engine",
            description=row.sentence,
            schema=object_of({name: {"type": kind} for name, kind in row.fields.items()}),
        )
        for row in ENGINE_TRIGGERS.values()
    ]
    declared = [
        TriggerType(
            type=key,
            name=trigger.name,
            category=trigger.category,
            description=trigger.description,
            schema={
                "type": "object",
                "properties": {field.key: {"description": field.description or ""} for field in trigger.fields},
                "required": [field.key for field in trigger.fields if field.required],
            },
        )
        for key, trigger in programme.triggers.items()
    ]
    return TriggerTypeList.of([*own, *declared])


async def users_schema(call: Call) -> Page:
    """Return the properties of members that segments and conditions can use, with types and operators."""
    programme = await call.programme()
    program = programme.compiled
    fields = [
        _property(field.name, field.type, field.group, "standard" if field.is_standard else "computed")
        for field in PROFILE_FIELDS
        if field.is_standard or field.value is not None
    ]
    known = {field.field for field in fields}
    if programme.profiles.schema is not None:
        fields += [
            _property(field.name, field.type, "profile", "profile schema", options=field.enum or UNSET)
            for field in programme.profiles.schema.fields
            if field.name not in known
        ]
    fields += [_property(f"metrics.{metric}", "number", "loyalty", "metric") for metric in program.metrics]
    for kind, mechanic in MECHANICS.items():
        fields += [
            _property(f"{mechanic.collection}.{document_id}.{part}", type_, mechanic.property_group, kind)
            for document_id in program.mechanics[kind]
            for part, type_ in mechanic.property_parts
        ]
    fields += await _custom_fields(call)
    return MemberPropertyList.of(fields, count=len(fields))


def _property(path: str, kind: str, category: str, source: str, **others: Any) -> MemberProperty:
    operators = [] if path in ONLY_SHOWN else _BY_TYPE[_TYPE_OF.get(kind, kind)]
    return MemberProperty(field=path, type=kind, category=category, source=source, operators=operators, **others)


async def _custom_fields(call: Call) -> list[MemberProperty]:
    """Return the custom fields, including deleted ones if the request asks for them."""
    inactive = call.query.get("includeInactive", "false").lower() == "true"
    async with call.connection() as connection:
        stored = await documents.fetch_page(
            connection, call.org_id, KINDS["custom_field"], after=0, filters={}, size=CUSTOM_MAX
        )
    return [
        _property(
            f"custom.{document.doc['key']}",
            document.doc["type"],
            "custom",
            "custom field",
            name=document.doc["name"],
            status=document.doc["status"],
            options=document.doc["options"] or UNSET,
        )
        for document in stored
        if inactive or document.doc["status"] == "active"
    ]


def _read(name: str, path: str, summary: str, run: Any, response: type, *query: Parameter) -> Operation:
    return Operation(
        name=name, method="GET", path=path, summary=summary, run=run, scope="admin:read", tag="Reference data",
        response=response, errors=(400,), query=query,
    )  # fmt: skip


_INACTIVE = Parameter("includeInactive", "Include deleted custom fields", {"type": "boolean", "default": False})
CUSTOM_MAX = 1_000

OPERATIONS = [
    _read("listEffectTypes", "/v1/effects", "List effect types", list_effects, EffectTypeList),
    _read("listOperators", "/v1/operators", "List condition operators", list_operators, OperatorList),
    _read("listTriggerTypes", "/v1/trigger-types", "List trigger types", list_trigger_types, TriggerTypeList),
    _read(
        "listMemberProperties", "/v1/users/schema", "List the member properties that conditions can use", users_schema, MemberPropertyList, _INACTIVE,
    ),
]  # fmt: skip
