"""Describe exceptions for logs without the values in their messages, which can be personal data.

A message can contain a user id, an e-mail address or a row of PostgreSQL (`Key (value)=(ann@…) already exists`). Logs
must not contain personal data, so they get the types, the stack frames, and the details below.
"""

import sys
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any

import asyncpg

from plaudit.errors import PlauditError

FRAMES_MAX = 20
CHAIN_MAX = 10

# Messages of these errors name only types, attributes and modules.
_ABOUT_CODE = (AttributeError, NameError, ImportError, ZeroDivisionError, RecursionError, NotImplementedError)


def described(error: BaseException) -> str:
    """Return the tracebacks of an error and of the errors that caused it, oldest first."""
    parts = [_traceback(cause) for cause in _chain(error)]
    return "\n\nDuring its handling, or because of it:\n\n".join(reversed(parts))


def facts_of(error: BaseException) -> str:
    """Return the facts of an error that can be logged: its type, and details without personal data."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    facts: list[Any] = []
    if isinstance(error, PlauditError):
        facts = [error.code]
    elif isinstance(error, asyncpg.PostgresError):
        facts = [getattr(error, name, None) for name in ("sqlstate", "table_name", "column_name", "constraint_name")]
    elif isinstance(error, OSError):
        facts = [error.strerror]
    elif isinstance(error, _ABOUT_CODE):
        facts = [error]
    return ": ".join([kind, *filter(None, [", ".join(str(value) for value in facts if value)])])


def without_values(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace `exc_info` of a log entry by its description. This is a processor for structlog."""
    error: Any = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(error, BaseException):
        event["exception"] = described(error)
    return event


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen and len(seen) < CHAIN_MAX:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _traceback(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    lines = [*traceback.StackSummary.from_list(frames).format(), facts_of(error)]
    if isinstance(error, BaseExceptionGroup):
        parts: tuple[BaseException, ...] = error.exceptions  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        lines += [f"\n  together with: {facts_of(part)}" for part in parts[:CHAIN_MAX]]
    return "".join(lines)
