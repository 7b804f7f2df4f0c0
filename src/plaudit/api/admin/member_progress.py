"""Changes of members' streaks, ladders and campaigns by hand."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import EventKey, UserId
from plaudit.api.run_command import run_command
from plaudit.api.views.member_progress import (
    CampaignEnrolmentResult,
    MemberLadder,
    MemberStreak,
    mechanics_fields,
    profile_source,
)
from plaudit.core.event import CAMPAIGN_ENROLMENT
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.mechanics.ladders.commands import LADDER
from plaudit.mechanics.ladders.compiled import ladders_in
from plaudit.mechanics.streaks.commands import STREAK
from plaudit.mechanics.streaks.state import KIND
from plaudit.reads import members


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


class RungOverride(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A rung set manually, until an instant or for good; null removes the override."""

    rung: str | None
    until: Annotated[datetime, Meta(tz=True)] | None = None


class CampaignEnrolmentRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The user to enrol."""

    user_id: UserId


async def check_in(call: Call) -> MemberStreak:
    """Check in to a streak."""
    body: CheckInRequest = call.body
    await _existing(call, body.streak_id, "streakId")
    data = {"streakId": body.streak_id, "action": "check_in"}
    await run_command(call, kind=STREAK, trigger="check_in", user_id=call.path["userId"], data=data, key=body.event_id)
    return MemberStreak(streak_id=body.streak_id, streak=await _progress_of(call, "streaks", body.streak_id))


async def change_streak(call: Call) -> MemberStreak:
    """A freeze, a repair, an absence."""
    body: StreakCommand = call.body
    streak_id = call.path["streakId"]
    program = (await call.programme()).compiled
    if program.compiled(KIND, streak_id) is None:
        raise NotFound("Streak not found")
    if body.action in ("use_freeze", "absence") and body.day is None:
        raise invalid_fields([FieldError("day", "is missing")])
    until = body.until or body.day
    if body.day is not None and until is not None and not 0 <= (until - body.day).days <= 366:
        raise invalid_fields([FieldError("until", "must not be before day, or more than a year after it")])
    data: dict[str, Any] = {"streakId": streak_id, "action": body.action, "quantity": body.quantity}
    if body.day is not None and until is not None:
        data |= {"day": body.day.isoformat(), "until": until.isoformat()}
    await run_command(
        call, kind=STREAK, trigger=f"streak.{body.action}", user_id=call.path["userId"], data=data, key=body.event_id
    )
    return MemberStreak(streak_id=streak_id, streak=await _progress_of(call, "streaks", streak_id))


async def put_rung(call: Call) -> MemberLadder:
    """Put a member on a rung by hand."""
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
    return MemberLadder(ladder_id=ladder_id, ladder=await _progress_of(call, "ladders", ladder_id))


async def enrol(call: Call) -> CampaignEnrolmentResult:
    """Let a member join a campaign that asks to be joined."""
    body: CampaignEnrolmentRequest = call.body
    campaign_id = call.path["campaignId"]
    programme = await call.programme()
    if campaign_id not in programme.campaigns:
        raise NotFound("Campaign not found")
    data = {"campaignId": campaign_id}
    await run_command(call, kind=CAMPAIGN_ENROLMENT, trigger="campaign.enrol", user_id=body.user_id, data=data)
    return CampaignEnrolmentResult(campaign_id=campaign_id, user_id=body.user_id)


async def _existing(call: Call, streak_id: str, field: str) -> None:
    program = (await call.programme()).compiled
    if program.compiled(KIND, streak_id) is None:
        raise invalid_fields([FieldError(field, f"must be the id of one that there is (got {streak_id!r})")])


async def _progress_of(call: Call, part: str, document_id: str) -> Any:
    programme = await call.programme()
    async with call.connection() as connection:
        view = await members.fetch_member(connection, call.org_id, call.path["userId"])
    if view is None:
        raise NotFound("User not found", code="user_not_found")
    return mechanics_fields(profile_source(programme.compiled, view), programme.now())[part][document_id]


OPERATIONS = [
    Operation(
        name="checkIn", method="POST", path="/v1/profiles/{userId}/check-in", summary="Check a member in to a streak",
        run=check_in, scope="members:write", tag="Streaks", body=CheckInRequest, errors=(400, 404, 409, 413, 422),
        answer=MemberStreak,
    ),
    Operation(
        name="manageStreak", method="POST", path="/v1/profiles/{userId}/streaks/{streakId}", run=change_streak,
        scope="members:write", summary="Manage a member's freezes, repairs and absences", tag="Streaks",
        body=StreakCommand, answer=MemberStreak, errors=(400, 404, 409, 413, 422),
    ),
    Operation(
        name="setRung", method="PUT", path="/v1/profiles/{userId}/ladders/{ladderId}", run=put_rung,
        scope="members:write", summary="Set a member's rung by hand",
        description="Until a date or permanently; `null` removes the override.", tag="Ladders", body=RungOverride,
        answer=MemberLadder, errors=(400, 404, 409, 413),
    ),
    Operation(
        name="enrolInCampaign", method="POST", path="/v1/campaigns/{campaignId}/enrol",
        summary="Enrol a member in a campaign", run=enrol, scope="members:write", tag="Campaigns", body=CampaignEnrolmentRequest,
        errors=(400, 404, 409, 413), answer=CampaignEnrolmentResult,
    ),
]  # fmt: skip
