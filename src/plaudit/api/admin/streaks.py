"""Changes of members' streaks: check-ins, freezes, repairs and absences."""

from datetime import date
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import EventKey
from plaudit.api.run_command import run_command
from plaudit.api.shared.profiles import fetch_state
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.mechanics.streaks.commands import STREAK
from plaudit.mechanics.streaks.state import KIND
from plaudit.mechanics.streaks.view import MemberStreak


class CheckInRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A check-in to a streak."""

    streak_id: str
    event_id: EventKey | None = None


class StreakCommand(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`buy_freeze`, `grant_freeze` (`quantity`), `use_freeze` (for `day`), `repair`, `absence` (`day` to `until`)."""

    action: Literal["buy_freeze", "grant_freeze", "use_freeze", "repair", "absence"]
    quantity: Annotated[int, Meta(ge=1, le=1_000)] = 1
    day: date | None = None
    until: date | None = None
    event_id: EventKey | None = None


async def check_in(call: Call) -> MemberStreak:
    """Check in to a streak."""
    body: CheckInRequest = call.body
    await _check_exists(call, body.streak_id, "streakId")
    data = {"streakId": body.streak_id, "action": "check_in"}
    await run_command(call, kind=STREAK, trigger="check_in", user_id=call.path["userId"], data=data, key=body.event_id)
    return MemberStreak(streak_id=body.streak_id, streak=await fetch_state(call, KIND, body.streak_id))


async def change_streak(call: Call) -> MemberStreak:
    """Buy, grant or use a freeze, repair a streak, or plan an absence."""
    body: StreakCommand = call.body
    streak_id = call.path["streakId"]
    program = (await call.programme()).compiled
    if program.compiled(KIND, streak_id) is None:
        raise NotFound("Streak not found")
    if body.action in ("use_freeze", "absence") and body.day is None:
        raise invalid_fields([FieldError("day", "is missing")])
    until = body.until or body.day
    if body.day is not None and until is not None and not 0 <= (until - body.day).days <= 366:
        raise invalid_fields([FieldError("until", "must be on or after day, and at most a year after it")])
    data: dict[str, Any] = {"streakId": streak_id, "action": body.action, "quantity": body.quantity}
    if body.day is not None and until is not None:
        data |= {"day": body.day.isoformat(), "until": until.isoformat()}
    await run_command(
        call, kind=STREAK, trigger=f"streak.{body.action}", user_id=call.path["userId"], data=data, key=body.event_id
    )
    return MemberStreak(streak_id=streak_id, streak=await fetch_state(call, KIND, streak_id))


async def _check_exists(call: Call, streak_id: str, field: str) -> None:
    program = (await call.programme()).compiled
    if program.compiled(KIND, streak_id) is None:
        raise invalid_fields([FieldError(field, f"must reference an existing streak (got {streak_id!r})")])


OPERATIONS = [
    Operation(
        name="checkIn", method="POST", path="/v1/profiles/{userId}/check-in", summary="Check a member in to a streak",
        run=check_in, scope="members:write", tag="Streaks", body=CheckInRequest, errors=(400, 404, 409, 413, 422),
        response=MemberStreak,
    ),
    Operation(
        name="manageStreak", method="POST", path="/v1/profiles/{userId}/streaks/{streakId}", run=change_streak,
        scope="members:write", summary="Manage a member's freezes, repairs and absences", tag="Streaks",
        body=StreakCommand, response=MemberStreak, errors=(400, 404, 409, 413, 422),
    ),
]  # fmt: skip
