"""Long operations: each runs as a `plaudit` command in a subprocess, so that other requests need not wait."""

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


async def run_child(call: Call, arguments: Sequence[str], stdin: bytes, *, too_long: str) -> Any:
    """Run `plaudit <arguments>` on the call's organisation with `stdin` as its input. Return the JSON that it prints.

    Raise the error that it prints, or Unavailable with the sentence `too_long` after five minutes.
    """
    command = [sys.executable, "-m", "plaudit", *arguments, "--json", "--org", str(call.org_id), "--child"]
    pipe = asyncio.subprocess.PIPE
    # The URL may contain a password, and every user of the machine can see the arguments of a process.
    environment = child_environment() | {"PLAUDIT_DATABASE_URL": call.services.url}
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    try:
        output, errors = await asyncio.wait_for(process.communicate(stdin), SECONDS_MAX)
    except TimeoutError:
        raise Unavailable(too_long, code="too_long") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        result: Any = msgspec.json.decode(output)
    except msgspec.DecodeError:
        log.error("child_failed", words=list(arguments[:1]), output=errors.decode(errors="replace")[-500:])  # noqa: TRY400
        raise PlauditError("Internal error: nothing was changed", code="internal_error") from None
    if isinstance(result, dict) and "error" in result:
        raise _error(result["error"])  # pyright: ignore[reportUnknownArgumentType]
    return result  # pyright: ignore[reportUnknownVariableType]


def _error(body: dict[str, Any]) -> PlauditError:
    fields = [FieldError(**field) for field in body["fields"]]
    return _OF_KIND.get(ErrorKind(body["kind"]), Invalid)(body["message"], code=body["code"], fields=fields)
