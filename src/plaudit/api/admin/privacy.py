"""Privacy under the GDPR: consents, the export of everything stored about a member, and erasure."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from plaudit import clock
from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import time_text
from plaudit.api.shared.profiles import fetch_profile
from plaudit.api.views.base import Acknowledgement, view_from
from plaudit.api.views.privacy import ConsentRecord, Consents, MemberExport, MergedMember
from plaudit.core.ids import bucket_of, member_id_of
from plaudit.errors import NotFound
from plaudit.reads import member_export
from plaudit.storage.consents import add_consent
from plaudit.storage.erasure import erase, merged_into


class ConsentDecision(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`granted: false` withdraws a consent. `givenAt` is now by default."""

    purpose: Annotated[str, Meta(min_length=1, max_length=64)]
    granted: bool
    source: Annotated[str, Meta(max_length=200)] | None = None
    given_at: Annotated[datetime, Meta(tz=True)] | None = None


async def give_consent(call: Call) -> Consents:
    """Record that a member has given or withdrawn a consent."""
    body: ConsentDecision = call.body
    user_id = call.path["userId"]
    member_id = member_id_of(call.org_id, user_id)
    now = (await call.programme()).now()
    async with call.connection() as connection:
        exists = await add_consent(
            connection, bucket_of(member_id), member_id, body.purpose, body.granted, body.source,
            body.given_at or now, now, call.caller_name,
        )  # fmt: skip
    if not exists:
        raise NotFound("User not found", code="user_not_found")
    return await list_consents(call)


async def list_consents(call: Call) -> Consents:
    """Return a member's current consents and their history."""
    user_id = call.path["userId"]
    await fetch_profile(call, user_id)
    async with call.connection() as connection:
        rows = await member_export.consents(connection, call.org_id, user_id)
    history = [
        ConsentRecord(
            purpose=row["purpose"],
            granted=row["granted"],
            source=row["source"],
            given_at=time_text(row["given_at"]),
            recorded_at=time_text(row["recorded_at"]),
            recorded_by=row["recorded_by"],
        )
        for row in rows
    ]
    return Consents(consents={record.purpose: record.granted for record in history}, history=history)


async def export(call: Call) -> MemberExport:
    """Return everything that is stored about a member."""
    user_id = call.path["userId"]
    profile = await fetch_profile(call, user_id)
    async with call.connection() as connection:
        parts = await member_export.everything(connection, call.org_id, user_id)
        merged = [
            view_from(MergedMember, {"userId": name, **await member_export.everything(connection, call.org_id, name)})
            for name in await merged_into(connection, call.org_id, user_id)
        ]
    consents = await list_consents(call)
    now = (await call.programme()).now()
    own = {"exportedAt": time_text(now), "profile": profile, "consents": consents.history, "merged": merged}
    return view_from(MemberExport, own | parts)


async def delete_profile(call: Call) -> Acknowledgement:
    """Erase a member's personal data. The ledger stays, anonymised."""
    async with call.connection() as connection:
        if not await erase(connection, call.org_id, call.path["userId"], clock.now()):
            raise NotFound("User not found", code="user_not_found")
    call.services.boards.forget(call.org_id)
    await call.services.programmes.refresh(call.org_id)
    return Acknowledgement(message="User erased successfully")


OPERATIONS = [
    Operation(
        name="getConsents", method="GET", path="/v1/profiles/{userId}/consents", summary="Get a member's consents",
        run=list_consents, scope="members:read", tag="Privacy", response=Consents, errors=(400, 404),
    ),
    Operation(
        name="recordConsent", method="POST", path="/v1/profiles/{userId}/consents",
        summary="Record or withdraw a consent", run=give_consent, scope="members:write", tag="Privacy", body=ConsentDecision,
        response=Consents, status=201, errors=(400, 404, 413),
    ),
    Operation(
        name="exportMember", method="GET", path="/v1/profiles/{userId}/export",
        summary="Export everything held about a member", run=export, scope="members:read", tag="Privacy",
        errors=(400, 404),
        response=MemberExport,
    ),
    Operation(
        name="eraseMember", method="DELETE", path="/v1/profiles/{userId}", summary="Erase a member's personal data",
        description="Deletes personal data everywhere. Transactions stay, anonymised. Cannot be undone.",
        run=delete_profile, scope="members:write", tag="Privacy", response=Acknowledgement, errors=(400, 404),
    ),
]  # fmt: skip
