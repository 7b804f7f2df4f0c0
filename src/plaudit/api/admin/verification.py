"""Check every invariant of an organisation's ledger on request, in a subprocess."""

import asyncio

from plaudit.api.children import run_child
from plaudit.api.http.operations import Call, Operation
from plaudit.api.views.base import view_from
from plaudit.api.views.verification import InvariantCheck, Verification
from plaudit.errors import Unavailable

_running = asyncio.Lock()


async def verify(call: Call) -> Verification:
    """Check every invariant of the organisation's ledger, and replay its log. Changes nothing."""
    if _running.locked():
        raise Unavailable("A check is already running; retry when it has finished")
    async with _running:
        checks = await run_child(
            call, ["verify"], b"", too_long="The check takes too long for a request: run plaudit verify on the server"
        )
    if "members:read" not in call.scopes:  # examples contain members and their transactions
        checks = [check | {"examples": []} for check in checks]
    views = [view_from(InvariantCheck, check) for check in checks]
    return Verification(holds=not any(check["violations"] for check in checks), checks=views)


OPERATIONS = [
    Operation(
        name="verifyLedger", method="POST", path="/v1/verify", summary="Check every invariant of the ledger",
        description="Also decides the log again and compares the results.",
        run=verify, changes_nothing=True, scope="admin:read", tag="System", errors=(503,),
        response=Verification,
    ),
]  # fmt: skip
