"""Enrolment in the programme: the profile, the welcome bonus, the referral and `user_enrolled`, in one transaction."""

from typing import Annotated, Any, cast

from msgspec import Meta, Struct, field

from plaudit.api.http.operations import Call, Operation, OperationResult
from plaudit.api.http.wire import Json, UserId
from plaudit.api.run_command import run_command
from plaudit.api.shared.profiles import fetch_profile, identity_conflicts
from plaudit.api.views.enrolment import EnrolmentResult, NextStep, PaidBonus
from plaudit.api.views.profiles import Profile
from plaudit.core.event import ENROLMENT
from plaudit.documents.profile import CUSTOM, validate_update
from plaudit.errors import FieldError, IdempotencyConflict, invalid_fields
from plaudit.reads import members

Bonus = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class RequestedWelcomeBonus(Struct, kw_only=True, forbid_unknown_fields=True):
    """The bonus on enrolment, in whole points, coins and xp."""

    points: Bonus = 0
    coins: Bonus = 0
    xp: Bonus = 0


class EnrolmentRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The new member. `name` is by default the part of the address before the @.

    Without a `welcomeBonus`, the organisation's settings decide.
    """

    user_id: UserId
    email: Annotated[str, Meta(min_length=3, max_length=255)]
    name: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    source: Annotated[str, Meta(max_length=64)] = "api"
    channel: Annotated[str, Meta(max_length=64)] = "direct"
    referred_by: UserId | None = None
    welcome_bonus: RequestedWelcomeBonus | None = None
    custom_fields: dict[str, Any] = field(default_factory=dict[str, Any])


async def enroll(call: Call) -> OperationResult:
    """Enrol a member. A member who is already enrolled is not changed and gets no second bonus."""
    body: EnrolmentRequest = call.body
    programme = await call.programme()
    profile = {
        "email": body.email, "name": body.name or body.email.partition("@")[0], "source": body.source,
        "channel": body.channel, CUSTOM: body.custom_fields,
    }  # fmt: skip
    if body.referred_by is not None:
        profile["referredBy"] = body.referred_by
    rules = programme.profiles
    update, wrong = validate_update(rules, profile, new=True)
    wrong += await _wrong_referrer(call, body)
    if wrong:
        raise invalid_fields(wrong)
    welcome_bonus = body.welcome_bonus or programme.settings.welcome_bonus
    bonus = {name: getattr(welcome_bonus, name) for name in ("points", "coins", "xp")}
    metrics = programme.compiled.metrics
    data: Json = {
        "attributes": update.attributes,
        "identities": update.names,
        "bonus": {key: amount * 10 ** metrics[key].decimals for key, amount in bonus.items() if key in metrics},
        "source": body.source,
        "referredBy": body.referred_by,
    }
    event_id, new = "", False
    try:
        with identity_conflicts():
            processed, _, event = await run_command(
                call, kind=ENROLMENT, trigger="registration", user_id=body.user_id, data=data,
                key=f"enrolment:{body.user_id}"[:128], through=[] if body.referred_by is None else [body.referred_by],
            )  # fmt: skip
        event_id, new = f"evt_{event}", processed.state != "duplicate"
    except IdempotencyConflict:  # already enrolled, by a different request
        pass
    profile = await fetch_profile(call, body.user_id)
    view = cast("Any", profile.view)
    result = EnrolmentResult(
        message="User enrolled successfully" if new else "User was enrolled before",
        user_id=body.user_id,
        enrolled=new,
        enrolled_at=view.enrolled_at,
        welcome_bonus=PaidBonus(**(bonus if new else dict.fromkeys(bonus, 0))),
        event_id=event_id,
        profile=cast("Profile", profile),
        next_steps=_next_steps(view, profile.further),
    )
    return OperationResult(data=result, status=201 if new else 200)


async def _wrong_referrer(call: Call, body: EnrolmentRequest) -> list[FieldError]:
    if body.referred_by is None:
        return []
    if body.referred_by == body.user_id:
        return [FieldError("referredBy", "must not be the user who enrols")]
    async with call.connection() as connection:
        referrer = await members.fetch_member(connection, call.org_id, body.referred_by)
    return [] if referrer is not None else [FieldError("referredBy", "must reference an existing user")]


def _next_steps(profile: Profile, further: Json) -> list[NextStep]:
    """Return what a new member could do next: fill in missing profile fields, and take up open challenges."""
    missing = [name for name in ("phone", "country", "timezone", "language") if not further.get(name)]
    steps = [NextStep(type="complete_profile", fields=missing)] if missing else []
    steps += [
        NextStep(type="challenge", campaign_id=campaign_id, steps=progress.steps)
        for campaign_id, progress in profile.campaigns.items()
        if progress.steps
    ][:5]
    return steps


OPERATIONS = [
    Operation(
        name="enrolMember", method="POST", path="/v1/users/enroll",
        summary="Enrol a member and pay the welcome bonus", run=enroll, scope="members:write", tag="Profiles",
        body=EnrolmentRequest, response=EnrolmentResult, status=201, other_statuses=(200,), errors=(400, 409, 413, 503),
    )
]  # fmt: skip
