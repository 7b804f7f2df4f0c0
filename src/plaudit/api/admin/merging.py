"""Merge two members who are the same person."""

from msgspec import Struct, field

from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import EventKey
from plaudit.api.run_command import run_command
from plaudit.api.views.transactions import MergeResult, transaction_view
from plaudit.bounds import AnyName
from plaudit.core.event import MERGE
from plaudit.core.ids import takeover_id
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.reads import transactions
from plaudit.reads.identities import existing_members, users_called


class MergeRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`from`: the user to merge into the member, by any of their names."""

    former: AnyName = field(name="from")
    event_id: EventKey | None = None


async def merge(call: Call) -> MergeResult:
    """Merge a member into another. Both change, or neither."""
    body: MergeRequest = call.body
    user_id = call.path["userId"]
    programme = await call.programme()
    async with call.connection() as connection:
        called = await users_called(connection, call.org_id, [body.former], programme.profiles.unique)
        former = called.get(body.former, body.former)
        existing = await existing_members(connection, call.org_id, [user_id, former])
    if former == user_id:
        raise invalid_fields([FieldError("from", "must differ from userId")])
    if user_id not in existing:
        raise NotFound("User not found", code="user_not_found")
    if former not in existing:
        raise NotFound(f"The user to be merged was not found (got {body.former!r})", code="user_not_found")
    processed, _, event_id = await run_command(
        call, kind=MERGE, trigger=MERGE, user_id=former, data={"into": user_id}, key=body.event_id, through=[user_id]
    )
    async with call.connection() as connection:
        rows = await transactions.of_merge(connection, call.org_id, takeover_id(event_id))
    return MergeResult(
        user_id=user_id,
        former=former,
        transactions=[transaction_view(programme, row) for row in rows],
        duplicate=processed.state == "duplicate",
    )


OPERATIONS = [
    Operation(
        name="mergeMembers", method="POST", path="/v1/profiles/{userId}/merge", run=merge, scope="admin:write",
        tag="Profiles", summary="Merge another member into this one", body=MergeRequest, response=MergeResult,
        errors=(400, 404, 409, 413, 422),
    ),
]  # fmt: skip
