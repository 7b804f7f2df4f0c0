"""Long operations: each runs as a command in a subprocess, so that no other request waits."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from plaudit.errors import Conflict, ErrorKind, FieldError, Forbidden, Invalid, NotFound, PlauditError, Unavailable
from plaudit.runtime import child_environment

from .http.operations import Call

SECONDS_MAX = 300.0

log = structlog.get_logger(__name__)

_OF_KIND = {ErrorKind.not_found: NotFound, ErrorKind.conflict: Conflict, ErrorKind.forbidden: Forbidden}


async def asked_of_child(call: Call, words: Sequence[str], given: bytes, *, too_long: str) -> Any:
    """Run `plaudit <words>` on the call's organisation, with something on its input. Return the JSON that it prints.

    Raises the error that it tells, or Unavailable with the sentence `too_long` after five minutes.
    """
    command = [sys.executable, "-m", "plaudit", *words, "--json", "--org", str(call.org_id), "--child"]
    pipe = asyncio.subprocess.PIPE
    # The URL may have a password, and everybody on the machine can see the arguments of a process.
    environment = child_environment() | {"PLAUDIT_DATABASE_URL": call.services.url}
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    try:
        output, problems = await asyncio.wait_for(process.communicate(given), SECONDS_MAX)
    except TimeoutError:
        raise Unavailable(too_long, code="too_long") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        told: Any = msgspec.json.decode(output)
    except msgspec.DecodeError:
        log.error("child_failed", words=list(words[:1]), output=problems.decode(errors="replace")[-500:])  # noqa: TRY400
        raise PlauditError("Internal error: nothing was changed", code="internal_error") from None
    if isinstance(told, dict) and "error" in told:
        raise _error(told["error"])  # pyright: ignore[reportUnknownArgumentType]
    return told  # pyright: ignore[reportUnknownVariableType]


def _error(told: dict[str, Any]) -> PlauditError:
    fields = [FieldError(**field) for field in told["fields"]]
    return _OF_KIND.get(ErrorKind(told["kind"]), Invalid)(told["message"], code=told["code"], fields=fields)
