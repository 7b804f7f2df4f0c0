"""The operations of the API's description as methods: the client's `operations` and `async_operations`."""

import re
from collections import defaultdict
from typing import Any

from msgspec import Struct
from python_types import Schema, docstring, snake, type_of

FOLDERS = ("operations", "async_operations")
_OF_APPS = "Build apps"
_JSON = "application/json"
_LINES = ("application/x-ndjson", "text/csv")
# Parameters that make a response another thing than its type says.
_UNTYPED = {"dryRun", "lastEventId"}


class Side(Struct, frozen=True):
    """Who calls: a server with an API secret, or an app with a member's token."""

    name: str
    scheme: str


SERVER, MEMBER = Side("Server", "secret"), Side("Member", "member")


class Method(Struct, frozen=True):
    """An operation as one side calls it."""

    name: str
    http: str
    path: str
    call: Schema
    side: Side
    components: dict[str, Schema]

    def written(self, *, waits: bool) -> str:
        """The method's source."""
        result, sends = self.result(), self.sender()
        asynchronous = "async " if waits and sends == "send" else ""
        returned = result
        if sends != "send":
            generator = "AsyncGenerator" if waits else "Generator"  # which can be closed before its end
            returned = f"{generator}[{'ServerEvent' if sends == 'stream_events' else 'str'}]"
        parameters = ["self", *self._positional(waits=waits)]
        if self._keywords():
            parameters += ["*", *self._keywords()]
        awaited = "await " if asynchronous else ""
        return (
            f"    {asynchronous}def {self.name}({', '.join(parameters)}) -> {returned}:\n"
            f"{docstring(self._doc(), 8)}\n"
            f"        return {awaited}self.{sends}(Request({', '.join(self._request(result))}))\n"
        )

    def sender(self) -> str:
        """The method of the transport that sends it."""
        media = self._response().get("content", {})
        if self.name.startswith("stream_"):
            return "stream_events"
        return "stream" if self.http == "GET" and (not media or set(media) & set(_LINES)) else "send"

    def result(self) -> str:
        """The type of the data in the response."""
        if self.sender() != "send":
            return "Json"
        content = self._response().get("content", {})
        schema = self._schema()
        if len(content) > 1 and not schema.get("properties") and not schema.get("$ref"):
            return "bytes"
        data = schema["properties"]["data"] if self.is_enveloped() else schema
        if not content:
            return "None"
        return type_of(data, self.components, "models.")

    def is_enveloped(self) -> bool:
        """Whether the response has an envelope."""
        return {"data"} < set(self._schema().get("properties", {})) <= {"success", "message", "data"}

    def _schema(self) -> Schema:
        schema = self._response().get("content", {}).get(_JSON, {}).get("schema", {})
        schema = schema["allOf"][0] if "allOf" in schema else schema
        if "anyOf" in schema:  # one for members, in an envelope, and one for servers
            schema = schema["anyOf"][0 if self.side is MEMBER else -1]
        return schema

    def _response(self) -> Schema:
        responses = {status: response for status, response in self.call["responses"].items() if status < "300"}
        return responses[max(responses)]

    def _doc(self) -> str:
        description = self.call.get("description", "").partition("Needs the scope")[0].strip()
        return f"{self.call['summary']}.\n\n{description}".strip()

    def _positional(self, *, waits: bool) -> list[str]:
        parameters = [f"{snake(word)}: str" for word in re.findall(r"{(\w+)}", self.path)]
        body = self._body()
        if body is None:
            return parameters
        if body.startswith("Sequence["):
            return [*parameters, f"body: {body}"]
        if body == "lines":
            streams = "bytes | Iterable[bytes]" + (" | AsyncIterable[bytes]" if waits else "")
            return [*parameters, f"lines: {streams}"]
        if body.endswith("Json"):
            return [*parameters, f"body: {body.replace('Json', 'Mapping[str, Any]')}"]
        optional = self.http == "POST" and not self._required_of(body)
        default = " | None = None" if optional else ""
        return [*parameters, f"body: {body} | Mapping[str, Any]{default}"]

    def _required_of(self, body: str) -> Any:
        return self.components.get(body.removeprefix("models."), {"required": True}).get("required")

    def _body(self) -> str | None:
        content = self.call.get("requestBody", {}).get("content", {})
        if _JSON in content:
            schema = content[_JSON]["schema"]
            if schema.get("type") == "array":
                return f"Sequence[{type_of(schema.get('items'), self.components, 'models.')} | Mapping[str, Any]]"
            return type_of(schema, self.components, "models.")
        return "lines" if content else None

    def _query(self) -> list[Schema]:
        typed = _JSON in self._response().get("content", {})
        return [
            parameter
            for parameter in self.call["parameters"]
            if parameter["in"] == "query" and parameter["name"] not in _UNTYPED
            if not (self.side is MEMBER and parameter["description"].startswith("For servers"))
            if not (typed and parameter["name"] == "format")
        ]

    def _keywords(self) -> list[str]:
        words = [
            f"{snake(parameter['name'])}: {type_of(parameter['schema'], self.components)} | None = None"
            for parameter in self._query()
        ]
        if self.sender() == "stream_events":
            words.append("last_event_id: str | None = None")
        if self._body() == "lines":
            words.append('media: str = "application/x-ndjson"')
        return [*words, "idempotency_key: str | None = None"] if self._takes_key() else words

    def _takes_key(self) -> bool:
        names = {parameter["name"] for parameter in self.call["parameters"]}
        return self.http == "POST" and "dryRun" in names and self._body() != "lines"

    def _request(self, result: str) -> list[str]:
        path = re.sub(r"{(\w+)}", lambda match: f"{{path_part({snake(match[1])})}}", self.path)
        parts = [f"method={self.http!r}", f"path={'f' if '{' in path else ''}{path!r}", f"result={_run_time(result)}"]
        if result not in ("None", "bytes") and self.sender() == "send" and not self.is_enveloped():
            parts.append("enveloped=False")
        query = [f"{parameter['name']!r}: {snake(parameter['name'])}" for parameter in self._query()]
        if query:
            parts.append(f"query={{{', '.join(query)}}}")
        body = self._body()
        if body == "lines":
            parts += ["content=lines", "media=media"]
        elif body is not None:
            parts.append("body=body" if not self._positional(waits=False)[-1].endswith("= None") else "body=body or {}")
        if self._takes_key():
            parts.append("headers=idempotency(idempotency_key)")
        if self.sender() == "stream_events":
            parts.append("accept='text/event-stream'")
            parts.append("headers={} if last_event_id is None else {'Last-Event-ID': last_event_id}")
        return parts


def _run_time(result: str) -> str:
    return {"None": "type(None)", "Any": "object", "Json": "dict[str, Any]"}.get(result, result).replace(
        "[Json]", "[dict[str, Any]]"
    )


def operations(description: Schema) -> dict[str, str]:
    """The modules by their names: one for each tag, for synchronous and for asynchronous clients."""
    modules: dict[str, dict[Side, list[Method]]] = defaultdict(lambda: defaultdict(list))
    tags: dict[str, str] = {}
    apps = next(group["tags"] for group in description["x-tagGroups"] if group["name"] == _OF_APPS)
    for path, calls in description["paths"].items():
        for http, call in calls.items():
            if "x-alias-of" in call:
                continue
            tag = call["tags"][0]
            for side in _sides(call, of_apps=tag in apps):
                method = Method(
                    snake(call["operationId"]), http.upper(), path, call, side, description["components"]["schemas"]
                )
                name = snake(re.sub(r"\W+", "_", tag))
                tags[name] = tag
                modules[name][side].append(method)
    files: dict[str, str] = {}
    for folder, waits in zip(FOLDERS, (False, True), strict=True):
        for name, sides in modules.items():
            files[f"{folder}/{name}.py"] = _module(name, tags[name], sides, waits=waits)
        files[f"{folder}/__init__.py"] = _package(modules, waits=waits)
    return files


def _sides(call: Schema, *, of_apps: bool) -> list[Side]:
    """Who may call an operation; one that is open to all is for the side that its group is for."""
    schemes = {name for door in call.get("security", ()) for name in door}
    sides = [side for side in (SERVER, MEMBER) if side.scheme in schemes]
    return sides or [MEMBER if of_apps else SERVER]


def _class_name(module: str, side: Side) -> str:
    return "".join(word.title() for word in module.split("_")) + side.name + "Operations"


def _module(name: str, tag: str, sides: dict[Side, list[Method]], *, waits: bool) -> str:
    transport = "AsyncTransport" if waits else "Transport"
    classes = [
        f"class {_class_name(name, side)}({transport}):\n"
        f'    """{tag}: what {"servers" if side is SERVER else "members"} may call."""\n\n'
        + "\n".join(method.written(waits=waits) for method in methods)
        for side, methods in sides.items()
    ]
    body = "\n\n".join(classes)
    return f'"""Generated by clients/generate.py: do not edit."""\n\n{_imports(body, waits=waits)}\n\n{body}'


def _imports(body: str, *, waits: bool) -> str:
    abstract = [
        name for name in ("AsyncGenerator", "AsyncIterable", "Generator", "Iterable", "Mapping", "Sequence")
        if re.search(rf"\b{name}\[", body)
    ]  # fmt: skip
    lines = [f"from collections.abc import {', '.join(abstract)}"] if abstract else []
    if "datetime" in body:
        lines.append("from datetime import datetime")
    typing = [name for name in ("Any", "Literal") if re.search(rf"\b{name}\b", body)]
    lines += [f"from typing import {', '.join(typing)}"] if typing else []
    own = {
        "async_transport" if waits else "transport": ["AsyncTransport" if waits else "Transport"],
        "models": [name for name in ("Json", "Number") if re.search(rf"\b{name}\b", body)],
        "requests": [name for name in ("Request", "idempotency", "path_part") if re.search(rf"\b{name}\(", body)],
        "streams": [name for name in ("ServerEvent",) if name in body],
    }
    lines += ["", *(["from plaudit_client import models"] if "models." in body else [])]
    lines += [
        f"from plaudit_client.{module} import {', '.join(names)}" for module, names in sorted(own.items()) if names
    ]
    return "\n".join(lines) + "\n"


def _package(modules: dict[str, dict[Side, list[Method]]], *, waits: bool) -> str:
    """All operations of a side in one class."""
    prefix = "Async" if waits else ""
    imports = "\n".join(
        f"from .{name} import {', '.join(sorted(_class_name(name, side) for side in sides))}"
        for name, sides in sorted(modules.items())
    )
    classes = "".join(
        f"\n\nclass {prefix}{side.name}Operations("
        + ", ".join(_class_name(name, side) for name, sides in sorted(modules.items()) if side in sides)
        + f'):\n    """All operations that {"servers" if side is SERVER else "members"} may call."""\n'
        for side in (SERVER, MEMBER)
    )
    return f'"""Generated by clients/generate.py: do not edit."""\n\n{imports}\n{classes}'
