"""The description of the API in OpenAPI 3.1, generated from the table of operations."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from plaudit import __version__
from plaudit.api import webhook_messages
from plaudit.api.dry_runs import DRY_RUN_SCHEMA
from plaudit.api.identity.callers import ANY_SCOPE
from plaudit.errors import ErrorKind
from plaudit.mechanics.registry import MECHANICS

from .components import REF, Components
from .envelopes import Envelope, envelope_of
from .errors import STATUS_OF_KIND
from .operations import Operation, is_of_the_beta, mounted_paths

BETA_TAG = "Admin API, beta"
# Groups and order of the tags in the API reference.
_TAG_GROUPS = {
    "Report what happens": ("Actions", "Events"),
    "Design the programme": (
        "Campaigns", "Rules", "Triggers", "Metrics", "Products", "Rewards",
        "Code pools", "Templates", "Programme",
    ),
    "Manage members": ("Profiles", "Profile schema", "Privacy", "Ledger", "Bulk jobs"),
    "Connect": ("Webhooks", "Tokens", "API keys"),
    "Observe": ("Analytics", "Audit log", "Reference data", "System"),
    "Administer": ("Settings", "Clock"),
    "Build apps": ("Member API", "Audience API", "Member API, first generation"),
    "Compatibility": (BETA_TAG,),
}  # fmt: skip


def tag_groups() -> dict[str, list[str]]:
    """Return the tags of the API reference by group. The tags of mechanics come before Products."""
    groups = {name: [*tags] for name, tags in _TAG_GROUPS.items()}
    designing = groups["Design the programme"]
    index = designing.index("Products")
    designing[index:index] = [mechanic.tag for mechanic in MECHANICS.values()]
    return groups


_DETAILS = {
    "details": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            "required": ["field", "message"],
        },
    },
    "next_available_at": {"type": "string", "format": "date-time"},
    "id": {"type": "string", "description": "The id of what the first request created (code already_done)."},
}
_TEXT = {"type": "string"}

_ERROR = {
    "type": "object",
    "properties": {
        "success": {"const": False},
        "error": {
            "type": "object",
            "properties": {"message": _TEXT, "code": _TEXT, **_DETAILS},
            "required": ["message"],
        },
    },
    "required": ["success", "error"],
}
_LOYALTY_ERROR = {
    "type": "object",
    "properties": {
        "message": _TEXT,
        "error": {"type": "object", "properties": {"code": _TEXT, **_DETAILS}, "required": ["code"]},
    },
    "required": ["message", "error"],
}

# The prefix of the names of error responses, by the schema of the generation's errors.
_ERROR_NAMES = {"Error": "", "LoyaltyError": "Loyalty"}
_MEANINGS = {status: kind.value.replace("_", " ") for kind, status in STATUS_OF_KIND.items()} | {200: "done"}


@cache
def _examples() -> dict[str, dict[str, Any]]:
    """Return example requests and responses by operation name; docs/examples.py writes them from the documented cases."""
    return msgspec.json.decode(files("plaudit").joinpath("api", "examples.json").read_bytes())


def describe(operations: Iterable[Operation], url: str = "") -> dict[str, Any]:
    """Return the OpenAPI document. `url` is the server's public address, if it has one."""
    table = list(operations)
    types = Components(table, (*webhook_messages.TYPES, DRY_RUN_SCHEMA))
    components = types.schemas | {"Error": _ERROR, "LoyaltyError": _LOYALTY_ERROR, "DryRun": types.of(DRY_RUN_SCHEMA)}
    paths: dict[str, Any] = {}
    for operation in table:
        for path, name in mounted_paths(operation).items():
            described = _operation(operation, path, types) | {"operationId": name}
            if name != operation.name:
                described["x-alias-of"] = operation.name
            if is_of_the_beta(path):
                described["tags"] = [BETA_TAG]
            paths.setdefault(path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Plaudit",
            "version": __version__,
            "license": {"name": "Apache-2.0"},
            "description": _ABOUT,
        },
        "servers": [{"url": url.rstrip("/") or "/", "description": "This server"}],
        "tags": [{"name": tag} for tags in tag_groups().values() for tag in tags],
        "x-tagGroups": [{"name": name, "tags": tags} for name, tags in tag_groups().items()],
        "paths": paths,
        "webhooks": webhook_messages.webhooks(types.of),
        "components": {
            "schemas": components,
            "responses": _error_responses(),
            "securitySchemes": {
                "secret": {"type": "http", "scheme": "bearer"},
                "member": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "organisation": {"type": "apiKey", "in": "header", "name": "X-Monterosa-Org-ID"},
            },
        },
    }


_ABOUT = """\
Your systems report what people do; campaigns turn it into points, badges, coupons and more. Servers authenticate with
`Authorization: Bearer <API secret>` and name their organisation in `X-Monterosa-Org-ID`; members with a token of their own.
The guides are at [/manual](manual)."""


def _operation(operation: Operation, path: str, components: Components) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": _responses(operation, path, components),
    }
    security: list[dict[str, Any]] = [{"member": []}] if operation.member else []
    security += [{"secret": [], "organisation": []}] if operation.scope is not None else []
    security += [{"organisation": []}] if operation.anonymous else []
    if security:
        described["security"] = security
    needs = ""
    if operation.scope == ANY_SCOPE:
        needs = "Any API secret may call it."
        security.append({"secret": []})  # the secret identifies the organisation
    elif operation.scope is not None:
        needs = f"Needs the scope `{operation.scope}`" + (" or a member's token." if operation.member else ".")
    if operation.description or needs:
        described["description"] = f"{operation.description}\n\n{needs}".strip()
    if operation.body is not None:
        body = components.of(operation.body)
        media: dict[str, Any] = {"application/json": {"schema": body}}
        if operation.media == "any":
            media["text/csv"] = {"schema": {"type": "string"}}
        if operation.media == "form":
            media["application/x-www-form-urlencoded"] = {"schema": body}
        if operation.streams_request:
            text = {"schema": {"type": "string"}}
            media = {"application/x-ndjson": text, "text/csv": text}
        if operation.media == "yaml":
            media["application/yaml"] = {"schema": body}
        example = _examples().get(operation.name, {}).get("request")
        if example is not None and "application/json" in media:
            media["application/json"]["example"] = example
        described["requestBody"] = {"required": True, "content": media}
    return described


def enveloped_schema(schema: dict[str, Any], envelope: Envelope) -> dict[str, Any]:
    """Return the schema of a response in its envelope. The envelope is generic and has no name of its own."""
    title = {"title": f"Enveloped<{schema['$ref'].rpartition('/')[2]}>"} if "$ref" in schema else {}
    if envelope is Envelope.loyalty:
        properties: dict[str, Any] = {"message": {"const": "OK"}, "data": schema}
        return {**title, "type": "object", "properties": properties, "required": ["message", "data"]}
    properties = {"success": {"const": True}, "data": schema}
    return {**title, "type": "object", "properties": properties, "required": ["success", "data"]}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for name in names
    ]
    query = [
        {"name": parameter.name, "in": "query", "description": parameter.description, "schema": parameter.schema}
        for parameter in operation.parameters
    ]
    return path + query


def _responses(operation: Operation, path: str, components: Components) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    success: dict[str, Any] = {"description": "Done."}
    if operation.response is not None:
        schema = components.of(operation.response)
        if operation.enveloped or is_of_the_beta(path):
            schema = enveloped_schema(schema, envelope_of(path))
        if operation.bare_response is not None and not is_of_the_beta(path):
            schema = {"anyOf": [schema, components.of(operation.bare_response)]}
        success = {"description": "Done.", "content": {"application/json": {"schema": schema}}}
        example = _examples().get(operation.name, {}).get("response")
        if example is not None and path == operation.path:
            success["content"]["application/json"]["example"] = example
        for media in operation.other_media:
            success["content"][media] = {}
    responses[str(operation.status)] = success
    responses |= {str(status): success for status in operation.other_statuses}
    if operation.writes:
        responses["200"] = _dry_run_response(operation, path, success)
    guards = () if operation.is_open else (400, 401, 403, 404, 429)
    if operation.method == "POST" and not operation.is_open:
        guards = (*guards, 409, 422)  # Idempotency-Key in use, or reused for another request
    if operation.body is not None or operation.streams_request:
        guards = (*guards, 408, 415)  # a body that arrives too slowly; an unsupported Content-Encoding
    error = "Error" if envelope_of(path) is Envelope.v1 else "LoyaltyError"
    for status in sorted({*operation.errors, *guards, STATUS_OF_KIND[ErrorKind.unavailable]}):
        responses[str(status)] = (
            {"$ref": f"#/components/responses/{_error_name(status, error)}"}
            if operation.error_schema is None
            else _error_response(status, operation.error_schema)
        )
    return responses


def _error_responses() -> dict[str, Any]:
    """Return the error responses that operations reference."""
    return {
        _error_name(status, error): _error_response(status, {"$ref": REF.format(name=error)})
        for error in _ERROR_NAMES
        for status in STATUS_OF_KIND.values()
    }


def _error_name(status: int, error: str) -> str:
    return _ERROR_NAMES[error] + _MEANINGS[status].title().replace(" ", "")


def _error_response(status: int, schema: Any) -> dict[str, Any]:
    return {
        "description": _MEANINGS[status].capitalize() + ".",
        "content": {"application/json": {"schema": schema}},
    }


def _dry_run_response(operation: Operation, path: str, success: dict[str, Any]) -> dict[str, Any]:
    """Return the 200 response of a write: the dry run's, combined with the usual one if that is also 200."""
    if operation.response is None and operation.status == 200:
        return success  # it has no content except in a dry run
    schema = success.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        schema = (
            enveloped_schema({}, envelope_of(path))
            if operation.enveloped or is_of_the_beta(path)
            else {"type": "object"}
        )
    described = "A dry run; nothing has changed."
    if 200 in (operation.status, *operation.other_statuses):
        described = "Done; or a dry run."
    with_dry_run = {"type": "object", "properties": {"dryRun": {"$ref": REF.format(name="DryRun")}}}
    content = {**success.get("content", {}), "application/json": {"schema": {"allOf": [schema, with_dry_run]}}}
    return {"description": described, "content": content}
