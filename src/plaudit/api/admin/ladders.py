"""Manual changes of members' rungs."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from plaudit.api.http.operations import Call, Operation
from plaudit.api.run_command import run_command
from plaudit.api.shared.profiles import fetch_state
from plaudit.errors import NotFound
from plaudit.mechanics.ladders.commands import LADDER
from plaudit.mechanics.ladders.compiled import ladders_in
from plaudit.mechanics.ladders.state import KIND
from plaudit.mechanics.ladders.view import MemberLadder


class RungOverride(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A manual override of the rung, permanent unless `until` is given. A null rung removes the override."""

    rung: str | None
    until: Annotated[datetime, Meta(tz=True)] | None = None


async def put_rung(call: Call) -> MemberLadder:
    """Set a member's rung manually, or remove the override."""
    body: RungOverride = call.body
    ladder_id = call.path["ladderId"]
    program = (await call.programme()).compiled
    if ladder_id not in ladders_in(program):
        raise NotFound("Ladder not found")
    data = {
        "ladderId": ladder_id,
        "rung": body.rung,
        "until": None if body.until is None else body.until.isoformat(),
    }
    await run_command(call, kind=LADDER, trigger="ladder.set", user_id=call.path["userId"], data=data)
    return MemberLadder(ladder_id=ladder_id, ladder=await fetch_state(call, KIND, ladder_id))


OPERATIONS = [
    Operation(
        name="setRung", method="PUT", path="/v1/profiles/{userId}/ladders/{ladderId}", run=put_rung,
        scope="members:write", summary="Set a member's rung by hand",
        description="Until a date or permanently; `null` removes the override.", tag="Ladders", body=RungOverride,
        response=MemberLadder, errors=(400, 404, 409, 413),
    ),
]  # fmt: skip
