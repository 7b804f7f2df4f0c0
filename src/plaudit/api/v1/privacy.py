"""What the GDPR asks for: consents with time and source, everything that is held of a person, and its erasure."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from plaudit import clock
from plaudit.api.operations import Call, Operation
from plaudit.api.outside import Json, time_text
from plaudit.api.schemas import BOOLEAN, OBJECT, OBJECTS, TIME, message_schema, object_of
from plaudit.core.ids import bucket_of, member_id_of
from plaudit.errors import NotFound
from plaudit.reads import privacy
from plaudit.storage.consents import add_consent
from plaudit.storage.erasure import erase

from .profiles import one_profile


class Consent(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`granted` false takes a consent back. `givenAt` is now unless said otherwise."""

    purpose: Annotated[str, Meta(min_length=1, max_length=64)]
    granted: bool
    source: Annotated[str, Meta(max_length=200)] | None = None
    given_at: Annotated[datetime, Meta(tz=True)] | None = None


async def give_consent(call: Call) -> Json:
    """Take down that a member has consented, or has taken it back."""
    body: Consent = call.body
    user_id = call.path["userId"]
    member_id = member_id_of(call.org_id, user_id)
    at = clock.now()
    async with call.services.pool.acquire() as connection:
        there = await add_consent(
            connection, bucket_of(member_id), member_id, body.purpose, body.granted, body.source,
            body.given_at or at, at, call.by,
        )  # fmt: skip
    if not there:
        raise NotFound("User not found", code="user_not_found")
    return await list_consents(call)


async def list_consents(call: Call) -> Json:
    """What a member consents to now, and how that came."""
    user_id = call.path["userId"]
    await one_profile(call, user_id)
    async with call.services.pool.acquire() as connection:
        rows = await privacy.consents(connection, call.org_id, user_id)
    history = [
        {
            "purpose": row["purpose"], "granted": row["granted"], "source": row["source"],
            "givenAt": time_text(row["given_at"]), "recordedAt": time_text(row["recorded_at"]),
            "recordedBy": row["recorded_by"],
        }
        for row in rows
    ]  # fmt: skip
    return {"consents": {one["purpose"]: one["granted"] for one in history}, "history": history}


async def export(call: Call) -> Json:
    """Everything that is held of a member."""
    user_id = call.path["userId"]
    profile = await one_profile(call, user_id)
    async with call.services.pool.acquire() as connection:
        parts: dict[str, Any] = await privacy.everything(connection, call.org_id, user_id)
    consents = await list_consents(call)
    return {"exportedAt": time_text(clock.now()), "profile": profile, "consents": consents["history"], **parts}


async def delete_profile(call: Call) -> Json:
    """Erase the person; the books stay, as nobody's."""
    async with call.services.pool.acquire() as connection:
        if not await erase(connection, call.org_id, call.path["userId"], clock.now()):
            raise NotFound("User not found", code="user_not_found")
    call.services.boards.forget(call.org_id)
    await call.services.programs.refresh(call.org_id)
    return {"message": "User erased successfully"}


_CONSENTS = object_of({"consents": {"type": "object", "additionalProperties": BOOLEAN}, "history": OBJECTS})

OPERATIONS = [
    Operation(
        method="GET", path="/v1/profiles/{userId}/consents", summary="What a member consents to", run=list_consents,
        scope="members:read", tag="Profiles", answer=_CONSENTS, errors=(400, 404),
    ),
    Operation(
        method="POST", path="/v1/profiles/{userId}/consents", summary="Take down a consent, or that it is taken back",
        run=give_consent, scope="members:write", tag="Profiles", body=Consent, answer=_CONSENTS, status=201,
        errors=(400, 404, 413),
    ),
    Operation(
        method="GET", path="/v1/profiles/{userId}/export", summary="Everything that is held of a member", run=export,
        scope="members:read", tag="Profiles", errors=(400, 404),
        answer=object_of({"exportedAt": TIME, "profile": OBJECT, "consents": OBJECTS, "transactions": OBJECTS, "events": OBJECTS}),
    ),
    Operation(
        method="DELETE", path="/v1/profiles/{userId}", summary="Erase a person; the books stay balanced and anonymous",
        run=delete_profile, scope="members:write", tag="Profiles", answer=message_schema(), errors=(400, 404),
    ),
]  # fmt: skip
