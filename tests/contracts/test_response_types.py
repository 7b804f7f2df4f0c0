"""Every response is described by a named type, down to its last field."""

import re

import msgspec
import pytest

from plaudit.api.app import OPERATIONS
from plaudit.api.http.components import REF
from plaudit.api.http.openapi import describe
from plaudit.core.profile_fields import PROFILE_FIELDS, Keeper

# Fields whose content is the programme's or its members' own, so that no type can be given.
FREE = {
    "actual",
    "attributes",
    "changes",
    "conditions",
    "config",
    "criteria",
    "customFields",
    "data",
    "defaultValue",
    "document",
    "from",
    "metadata",
    "options",
    "outcome",
    "params",
    "programme",
    "schema",
    "to",
    "value",
    "EffectResult.amount",
}
# Fields of profiles that an organisation's profile schema may give any type.
WRITTEN = tuple(
    f"{view}.{field.name}"
    for view in ("Profile", "MemberProfile", "MemberOverview", "AudienceProfile", "UserLookup")
    for field in PROFILE_FIELDS
    if field.kept_by == Keeper.user
)
# Rows as they are stored.
STORED = ("MemberExport.", "MergedMember.")

DESCRIPTION = msgspec.json.decode(msgspec.json.encode(describe(OPERATIONS)))
COMPONENTS = DESCRIPTION["components"]["schemas"]
PREFIX = REF.removesuffix("{name}")
CALLS = {call["operationId"]: call for calls in DESCRIPTION["paths"].values() for call in calls.values()}


def _payloads(schema):
    """Yield what a response contains: its data if it has an envelope, each of several."""
    if "allOf" in schema:  # a dry run adds to the response
        schema = schema["allOf"][0]
    if "anyOf" in schema:
        for part in schema["anyOf"]:
            yield from _payloads(part)
    elif schema.get("properties", {}).keys() in ({"success", "data"}, {"message", "data"}):
        yield from _payloads(schema["properties"]["data"])
    else:
        yield schema


def _successes(call):
    for status, response in call["responses"].items():
        if status < "300":
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            if schema is not None:
                yield from _payloads(schema)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_response_is_of_a_named_type(operation):
    payloads = [payload.get("items", payload) for payload in _successes(CALLS[operation.name])]
    assert [payload for payload in payloads if payload and "$ref" not in payload] == []


def test_no_object_is_without_fields_unless_its_content_is_free():
    free = {place for name in COMPONENTS for place in _free_places(COMPONENTS[name], name)}
    assert free == set()


def _free_places(schema, at):
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" or not schema.keys() - {"title", "description"}:
        is_free = not schema.get("properties") and not schema.get("additionalProperties")
        if is_free and not _may_be_free(at.rstrip("[]")):
            yield at
    for name, part in schema.get("properties", {}).items():
        yield from _free_places(part, f"{at}.{name}")
    for part in schema.get("anyOf", []):
        yield from _free_places(part, at)
    if "items" in schema:
        yield from _free_places(schema["items"], f"{at}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _free_places(schema["additionalProperties"], f"{at}[]")


def _may_be_free(place):
    return place.rpartition(".")[2] in FREE or place in (*FREE, *WRITTEN) or place.startswith(STORED)


def test_types_have_the_names_that_people_would_give_them():
    """A noun in CamelCase, one type each: msgspec tells types that share a name apart by their modules."""
    assert [name for name in COMPONENTS if not re.fullmatch(r"([A-Z][a-z0-9]+)+", name)] == []
    assert [name for name in COMPONENTS if name.endswith(("Response", "View", "Answer"))] == []


def test_no_type_is_named_like_a_field_of_another():
    """Generated clients name the type of a field `CampaignStatus` after its owner and itself."""
    fields = {
        name + field[:1].upper() + field[1:]: f"{name}.{field}"
        for name, schema in COMPONENTS.items()
        for field, part in schema.get("properties", {}).items()
        if "$ref" not in part
    }
    assert {name: fields[name] for name in COMPONENTS if name in fields} == {}
