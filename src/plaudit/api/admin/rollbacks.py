"""Undo the results of a campaign in a period, of a campaign for one event, a coupon, or a product."""

import asyncio
import math
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field

from plaudit.api.http.operations import Call, Operation, Parameter
from plaudit.api.http.wire import Json, UserId, event_ids_named, time_text
from plaudit.api.run_command import run_command
from plaudit.api.views.base import view_from
from plaudit.api.views.code_pools import CouponRevoked
from plaudit.api.views.jobs import Job, UndoResult, job_view
from plaudit.api.views.products import ProductRemoval
from plaudit.chores import rollbacks
from plaudit.chores.rollback_sums import Sums, sums_view
from plaudit.chores.rollbacks import Rollbacks, RollbackScope
from plaudit.core.doings import Doings
from plaudit.core.event import ROLLBACK
from plaudit.core.ids import bucket_of, derived_id, member_id_of
from plaudit.documents.kinds import KINDS
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.ingest.members import remaining_user, resolve_users
from plaudit.reads import events, members
from plaudit.reads.identities import existing_members
from plaudit.storage import documents, jobs
from plaudit.storage.postgres import Connection

WAIT_SECONDS = 5.0
POLL_SECONDS = 0.1
USERS_MAX = 10_000
Reason = Annotated[str, Meta(max_length=500)]
Instant = Annotated[datetime, Meta(tz=True)]


class RollbackRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The period to roll back, by the events' times, for some users or all. `dryRun` changes nothing."""

    since: Instant = field(name="from")
    until: Instant
    user_ids: Annotated[tuple[UserId, ...], Meta(min_length=1, max_length=USERS_MAX)] | None = None
    dry_run: bool = False


class UndoRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The campaign whose results for the event are undone."""

    campaign_id: Annotated[str, Meta(min_length=1, max_length=128)]


class CouponRevocation(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The reason, for display only."""

    reason: Reason | None = None


async def roll_back(call: Call) -> Job:
    """Undo what a campaign led to within a period. Workers process it member by member; the job shows the progress."""
    body: RollbackRequest = call.body
    campaign_id = call.path["campaignId"]
    if body.since >= body.until:
        raise invalid_fields([FieldError("until", f"must be later than from (got {time_text(body.until)})")])
    async with call.connection() as connection:
        await documents.fetch(connection, call.org_id, KINDS["campaign"], campaign_id)
        user_ids = None if body.user_ids is None else await _users(call, connection, body.user_ids)
        request = RollbackScope(campaign_id, body.since, body.until, user_ids, body.dry_run)
        job_id = await rollbacks.start(connection, call.org_id, request, call.caller_name)
    programme = await call.programme()
    row: Json | None = None
    for _ in range(math.ceil(WAIT_SECONDS / POLL_SECONDS)):
        async with call.connection() as connection:
            row = await jobs.job_row(connection, call.org_id, job_id)
        if row is None or row["state"] != "running":
            break
        await asyncio.sleep(POLL_SECONDS)
    assert row is not None
    return job_view(programme, row)


async def _users(call: Call, connection: Connection, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the user ids that these names mean. Raise Invalid for names of unknown members."""
    meant = await resolve_users(connection, await call.programme(), names)
    user_ids = [meant.get(name, name) for name in names]
    existing = await existing_members(connection, call.org_id, user_ids)
    missing = [index for index, user_id in enumerate(user_ids) if user_id not in existing]
    if missing:
        raise invalid_fields(
            [
                FieldError(f"userIds[{index}]", f"must be a user that exists (got {names[index]!r})")
                for index in missing[:20]
            ]
        )
    return tuple(dict.fromkeys(user_ids))


async def undo_event(call: Call) -> UndoResult:
    """Undo what one event led to in a campaign: a completion or a step, and everything that followed."""
    body: UndoRequest = call.body
    async with call.connection() as connection:
        row = await events.fetch_event(connection, call.org_id, event_ids_named(call.org_id, call.path["eventId"]))
        if row is None or "event_id" not in row:
            raise NotFound("Event not found", code="event_not_found")
        user_id = await remaining_user(connection, call.org_id, row["user_id"])
    programme = await call.services.programmes.cached(call.org_id)
    member_id = row["member_id"] if user_id == row["user_id"] else member_id_of(call.org_id, user_id)
    key = (bucket_of(member_id), member_id, user_id)
    event_id = derived_id(row["event_id"], f"undo:{body.campaign_id}")
    doings = Doings(body.campaign_id, of_event=row["event_id"])
    chore = Rollbacks(call.services.engine_pool, call.services.programmes)
    undone = await chore.undo(programme, doings, key, event_id, dry_run=False)
    sums = Sums()
    if undone is not None:
        sums.add(undone)
    names = {"eventId": call.path["eventId"], "campaignId": body.campaign_id, "userId": user_id}
    return view_from(UndoResult, names | {"changed": undone is not None} | sums_view(programme, sums))


async def revoke_coupon(call: Call) -> CouponRevoked:
    """Revoke a coupon that has not been redeemed. Its code is not issued again."""
    body: CouponRevocation = call.body
    coupon_id = call.path["couponId"]
    async with call.connection() as connection:
        issued = await rollbacks.find_coupon(connection, call.org_id, coupon_id)
    if issued is None:
        raise NotFound("Coupon not found", code="coupon_not_found")
    user_id, coupon = issued
    coupon_data = {"couponId": coupon_id, "originId": coupon.origin_id, "poolId": coupon.pool_id, "code": coupon.code}
    await run_command(
        call, kind=ROLLBACK, trigger="coupon.revoke", user_id=user_id,
        data={"coupons": [coupon_data], "whole": True, "reason": body.reason},
    )  # fmt: skip
    return CouponRevoked(coupon_id=coupon_id, user_id=user_id, code=coupon.code, status="revoked")


async def remove_product(call: Call) -> ProductRemoval:
    """Remove a product from a member: `quantity` of it, or all."""
    product_id, user_id = call.path["productId"], call.path["userId"]
    async with call.connection() as connection:
        view = await members.fetch_member(connection, call.org_id, user_id)
    if view is None:
        raise NotFound("User not found", code="user_not_found")
    owned = next((row["quantity"] for row in view.parts["holdings"] if row["product_id"] == product_id), 0)
    if not owned:
        raise NotFound("The user does not have the product", code="product_not_held")
    quantity = _quantity(call, owned)
    await run_command(
        call, kind=ROLLBACK, trigger="product.remove", user_id=view.user_id,
        data={"products": {product_id: quantity}, "whole": True},
    )  # fmt: skip
    return ProductRemoval(user_id=view.user_id, product_id=product_id, removed=quantity, quantity=owned - quantity)


def _quantity(call: Call, owned: int) -> int:
    text = call.query.get("quantity")
    if text is None:
        return owned
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= number <= owned:
        raise invalid_fields([FieldError("quantity", f"must be a whole number from 1 to {owned} (got {text})")])
    return number


_QUANTITY = Parameter("quantity", "How many to remove (default: all).", {"type": "integer", "minimum": 1})

OPERATIONS = [
    Operation(
        name="rollBackCampaign", method="POST", path="/v1/campaigns/{campaignId}/rollback", run=roll_back,
        scope="admin:write", tag="Campaigns", summary="Undo what a campaign led to within a period",
        description="Starts a job; `GET /v1/bulk/jobs/{jobId}` shows its progress and what could not be recovered. "
        "`dryRun`, as a parameter or in the body, makes it a job that changes nothing else and shows what would happen.",
        tries_by_job=True,
        body=RollbackRequest, status=202, response=Job, errors=(400, 404, 413),
    ),
    Operation(
        name="undoEvent", method="POST", path="/v1/events/{eventId}/undo", run=undo_event, scope="admin:write",
        tag="Events", summary="Undo what an event led to in a campaign", body=UndoRequest, errors=(400, 404, 409, 413),
        response=UndoResult,
    ),
    Operation(
        name="revokeCoupon", method="POST", path="/v1/coupons/{couponId}/revoke", run=revoke_coupon,
        scope="admin:write", tag="Code pools", summary="Revoke a coupon that has not been redeemed", body=CouponRevocation,
        errors=(400, 404, 409, 413),
        response=CouponRevoked,
    ),
    Operation(
        name="removeProduct", method="DELETE", path="/v1/profiles/{userId}/products/{productId}", run=remove_product,
        scope="admin:write", summary="Remove a product from a member", tag="Profiles", query=(_QUANTITY,),
        errors=(400, 404, 409),
        response=ProductRemoval,
    ),
]  # fmt: skip
