"""The members whom a call names: by user id, or by e-mail address, phone number or unique field instead.

Other names are replaced by user ids before the operation runs, so operations only see user ids. Member tokens cannot
use other names, because a member must not find out who has which address. A call about a member who was merged into
another is about the remaining member, whether a server or the member's own token makes it.
"""

from msgspec import Struct, structs

from plaudit.documents.lenient import user_fields
from plaudit.ingest.members import remaining_user, resolve_users

from .http.operations import Call, Operation
from .views.first_generation import campaign_id_of

USER = "userId"  # in a path or a query
CAMPAIGN = "campaignId"


async def name_campaigns(call: Call) -> None:
    """Replace challenge ids in the path and the query by the ids of their campaigns."""
    for source in ("path", "query"):
        parameters = getattr(call, source)
        if _is_uuid(parameters.get(CAMPAIGN)):
            programme = await call.services.programmes.current_unless_stopped(call.org_id)
            if programme is not None:
                setattr(call, source, {**parameters, CAMPAIGN: campaign_id_of(programme, parameters[CAMPAIGN])})


def _is_uuid(name: str | None) -> bool:
    return name is not None and len(name) == 36 and name.count("-") == 4


async def name_members(operation: Operation, call: Call) -> None:
    """Replace other names of members by user ids, in the path, the query and the body of a call."""
    if call.caller is None or operation.scope == "actions:write":
        return  # ingest resolves the users of actions itself, one batch at a time
    if call.caller.user_id is not None:
        async with call.connection() as connection:
            user_id = await remaining_user(connection, call.org_id, call.caller.user_id)
        if user_id != call.caller.user_id:
            call.caller = structs.replace(call.caller, user_id=user_id)
        return
    body = call.body if isinstance(call.body, Struct) else None
    fields = user_fields(type(body)) if body is not None else ()
    named = [call.path.get(USER), call.query.get(USER), *(getattr(body, field) for field in fields)]
    names = {name for name in named if name}
    if not names:
        return
    programme = await call.programme()
    async with call.connection() as connection:
        user_ids = await resolve_users(connection, programme, names)
    if not user_ids:
        return
    if call.path.get(USER) in user_ids:
        call.path = {**call.path, USER: user_ids[call.path[USER]]}
    if call.query.get(USER) in user_ids:
        call.query = {**call.query, USER: user_ids[call.query[USER]]}
    for field in fields:
        if getattr(body, field) in user_ids:
            setattr(body, field, user_ids[getattr(body, field)])
