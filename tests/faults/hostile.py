"""Requests with hostile values in them: every call of the description, otherwise as it should be.

What is sent follows from a seed alone. Valid bodies come from `examples` by path, or are drawn from the call's schema.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, openapi

# A stream has no end; the clock would leave the others behind; keys and limits would end the run itself.
LEFT_OUT = ("/stream", "/clock", "/api-keys", "/test-clock")
TEXTS = [
    "", " ", "\0", "a\0b", "\ud800", "x\udfff", "\u202e\u200f", "\u2028", "😀" * 200, "a" * 10_000, "a/b", "%2F", "%00", "..",
    ".", "../..", "a b", "'; --", "{{ user.displayName }}", "{{", "1e999999", "-1e999999", "9" * 20, "9" * 5_000, "NaN", "0x10",
    "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2026-02-30",
    "1970-01-01T00:00:00Z", "Asia/Tokyo ", "https://[::1", "http://a:99999/", "\ufeff", "\x7f", "\x85", "\\u0000", "null",
]  # fmt: skip
NUMBERS = [
    0, -0.0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 55555555555555555555, 10**30, 10**400, 1e15, 1e28, 1e29,
    1e308, -1e308, 5e-324, 0.1, 1e-30, float("nan"), float("inf"),
]  # fmt: skip


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"x": value} if depth % 2 else [value]
    return value


VALUES = [*TEXTS, *NUMBERS, None, True, False, [], {}, [None], {"": ""}, {"\0": 1}, [[]] * 50, _nested(31), _nested(60)]
RAW = [
    b"", b"{", b"[", b"null", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b'{"a":"\xed\xa0\x80"}', b'{"a":1,"a":2}', b"[" * 10_000,
    b'{"x":' * 10_000, gzip.compress(b"0" * 1_000_000), b"\x00", b'{"a": 1e999999}', b'{"a": -Infinity}', b"%s=1&a=%00",
    b"userId,a\n\x00,1\n", b'userId\n"', b"9" * 6_000,
]  # fmt: skip
HEADERS = [
    ("Idempotency-Key", "\x80é"), ("Idempotency-Key", "x" * 129), ("X-Correlation-ID", "é"), ("Last-Event-ID", "9" * 30),
    ("If-None-Match", '"' * 50), ("Prefer", "wait=²"), ("Prefer", "wait=0"), ("Accept", "application/problem+json"),
    ("Accept", "application/yaml"), ("Content-Type", "text/csv"), ("Content-Type", "application/yaml"), ("Content-Type", "é"),
    ("Content-Type", "application/cloudevents-batch+json"), ("Content-Encoding", "gzip"), ("traceparent", "00-" + "é" * 32 + "-1-1"),
    ("Origin", "https://[::1"), ("Content-Type", "application/x-www-form-urlencoded"), ("Range", "bytes=9-1"),
]  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """One request, as it was sent."""

    method: str
    path: str
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)


def hostile(value: Any, draw: Callable[[Any], Any]) -> Any:
    """`value` with one or two of its parts replaced, or with one more."""
    paths = list(_paths_in(value, ()))
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(paths))
        value = _put(value, path, draw(st.sampled_from(VALUES)))
    if isinstance(value, dict) and draw(st.integers(0, 9)) == 0:
        value = {**value, draw(st.sampled_from(TEXTS)): draw(st.sampled_from(VALUES))}
    return value


def _paths_in(value: Any, at: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not parts or at:
        yield at
    for name, part in parts:
        yield from _paths_in(part, (*at, name))


def _put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: _put(value.get(path[0]), path[1:], new)}
    if isinstance(value, list) and isinstance(path[0], int) and path[0] < len(value):
        return [*value[: path[0]], _put(value[path[0]], path[1:], new), *value[path[0] + 1 :]]
    return new


class Requests:
    """Every call of a description, and how requests to it are drawn."""

    def __init__(
        self, description: dict[str, Any], examples: dict[str, list[Any]], names: dict[str, list[str]]
    ) -> None:
        """Know the calls. `examples` are valid bodies by method and path, `names` ids by a parameter's name."""
        self._described = openapi.from_dict(description)
        self._examples = examples
        self._names = names
        self.calls = [
            (method, path, call)
            for path, calls in description["paths"].items()
            for method, call in calls.items()
            if not path.endswith(LEFT_OUT)
            and not any(f"{name}/" in path for name in LEFT_OUT)
            and "/admin/" not in path
        ]

    def draw(self, draw: Callable[[Any], Any]) -> Sent:
        """Draw a request that has something hostile in it, mostly one thing."""
        method, path, call = draw(st.sampled_from(self.calls))
        where = draw(st.sampled_from(["body", "body", "body", "path", "query", "header", "raw", "none"]))
        query: dict[str, str] = {}
        filled = path
        for parameter in call.get("parameters", ()):
            if parameter["in"] == "path":
                good = draw(st.sampled_from(self._names.get(parameter["name"], ["ann"])))
                value = draw(st.sampled_from([*TEXTS, *self._cursors()])) if where == "path" else good
                filled = filled.replace("{" + parameter["name"] + "}", _quoted(value) or "%20")
            elif where == "query" and draw(st.booleans()):
                query[parameter["name"]] = draw(st.sampled_from([*TEXTS, *map(str, NUMBERS), *self._cursors()]))
        if where == "query" and draw(st.booleans()):
            query[draw(st.sampled_from(TEXTS)) or "x"] = draw(st.sampled_from(TEXTS))
        headers = {"Content-Type": "application/json"}
        content = self._body(method, path, call, where, draw)
        if where == "header":
            name, value = draw(st.sampled_from(HEADERS))
            headers[name] = value
        if query:
            filled += "?" + "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in query.items())
        return Sent(method.upper(), filled, content, headers)

    def _body(self, method: str, path: str, call: dict[str, Any], where: str, draw: Callable[[Any], Any]) -> bytes:
        if "requestBody" not in call:
            return b""
        if where == "raw":
            return draw(st.sampled_from(RAW))
        good = self._examples.get(f"{method.upper()} {path}") or self._examples.get(path)
        if good:
            body = draw(st.sampled_from(good))
        else:
            described = self._described[path][method.upper()]
            body = draw(described.as_strategy(generation_mode=GenerationMode.POSITIVE)).body
        if not isinstance(body, dict | list | str | int | float | bool):
            return body if isinstance(body, bytes) else b"{}"
        if where == "body":
            body = hostile(body, draw)
        return json.dumps(body).encode()

    def _cursors(self) -> list[str]:
        return [
            "WzFd",
            "WzllOTld",
            "Wy0xXQ",
            "WzkyMjMzNzIwMzY4NTQ3NzU4MDhd",
            "WyI5OTk5LTEyLTMxVDIzOjU5OjU5WiIsOTk5OTksOTld",
        ]


def _quoted(text: str) -> str:
    return quote(text.encode(errors="surrogatepass"), safe="")


def send_all(
    requests: Requests,
    client: httpx.Client,
    first_seed: int,
    count: int,
    on_response: Callable[[Sent, httpx.Response], None],
) -> None:
    """Send `count` requests that follow from a seed, and tell of each with its response."""

    @seed(first_seed)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=cast("list[HealthCheck]", list(HealthCheck)),
    )
    @given(st.data())
    def send(data: Any) -> None:
        sent = requests.draw(data.draw)
        headers = {name.encode(): value.encode("latin-1") for name, value in sent.headers.items()}
        on_response(sent, client.request(sent.method, sent.path, content=sent.content, headers=headers))

    send()
