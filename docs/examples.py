"""The examples of the API's description: from the documented cases, and the requests of the guides and recipes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plaudit.api.app import OPERATIONS

ROOT = Path(__file__).parents[1]
_REQUEST = re.compile(r"```http\n(\w+) (\S+)\n(\{.*?)```", re.DOTALL)
_STANDS_FOR = {
    "<uuid>": "3f1c2c1e-8a63-4d0e-9d3e-0c5a7e1b2f60", "<org>": "8d2f0f3a-52a4-4a0b-8f5e-6f1f2a9c7b11",
    "<time>": "2026-01-02T03:04:05.678Z", "<userId>": "user_123",
}  # fmt: skip
_PATHS = [
    (
        one,
        re.compile("/" + "/".join("[^/]+" if word[0] == "{" else re.escape(word) for word in one.path[1:].split("/"))),
    )
    for one in OPERATIONS
]


def examples() -> dict[str, dict[str, Any]]:
    """Return the examples by operation name: the first request of each, and its documented response."""
    found: dict[str, dict[str, Any]] = {}
    for method, target, body, response in [*_of_cases(), *_of_guides()]:
        path = target.partition("?")[0].removeprefix("/loyalty")
        operation = next((one for one, like in _PATHS if one.method == method and like.fullmatch(path)), None)
        if operation is None:
            continue
        own = found.setdefault(operation.name, {})
        if body is not None and operation.body is not None:
            own.setdefault("request", body)
        if response is not None:
            own.setdefault("response", response)
    return {name: one for name, one in sorted(found.items()) if one}


def _of_cases() -> Iterator[tuple[str, str, Any, Any]]:
    cases = (ROOT / "tests" / "api" / "cases").glob("*_documented*.json")
    for path in sorted(cases, key=lambda one: ("created" not in one.stem, one.stem)):
        for step in json.loads(path.read_text(encoding="utf-8")):
            request = step["request"]
            if step["status"] < 300:
                response = _filled(step["response"]) if "response" in step else None
                yield request["method"], request["path"], request.get("body"), response


def _of_guides() -> Iterator[tuple[str, str, Any, Any]]:
    for folder in ("guides", "recipes"):
        for path in sorted((ROOT / "docs" / folder).glob("*.md")):
            for method, target, body in _REQUEST.findall(path.read_text(encoding="utf-8")):
                try:
                    yield method, target, json.loads(body), None
                except json.JSONDecodeError:  # lines
                    continue


def _filled(value: Any) -> Any:
    """Return a case's response, with placeholders for what differs from run to run."""
    if isinstance(value, dict):
        return {name: _filled(one) for name, one in value.items() if one != "<any>" and name != "<exact>"}
    if isinstance(value, list):
        return [_filled(one) for one in value]
    if isinstance(value, str):
        for name, one in _STANDS_FOR.items():
            value = value.replace(name, one)
    return value
