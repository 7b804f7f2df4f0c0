"""Who a call is about: a member may be named by an e-mail address, a phone number or a unique field, wherever by user id.

It is looked up once, before the call runs, which then knows the member by the user id alone. Members' own calls name
nobody, and may not find out who has which address. A call about a member who was merged into another is about the
remaining member, in a server's call as with a token of their own.
"""

from msgspec import Struct, structs

from plaudit.documents.lenient import user_fields
from plaudit.ingest.members import resolve_users, user_who_goes_on

from .http.operations import Call, Operation
from .views.first_generation import campaign_called

PLACE = "userId"  # in a path or a query
CAMPAIGN = "campaignId"


async def name_campaigns(call: Call) -> None:
    """Put campaigns' ids in the place of the ids that they have as challenges, in the path and in the query."""
    for place in ("path", "query"):
        named = getattr(call, place)
        if _is_uuid(named.get(CAMPAIGN)):
            programme = await call.services.programmes.current_unless_stopped(call.org_id)
            if programme is not None:
                setattr(call, place, {**named, CAMPAIGN: campaign_called(programme, named[CAMPAIGN])})


def _is_uuid(name: str | None) -> bool:
    return name is not None and len(name) == 36 and name.count("-") == 4


async def name_people(operation: Operation, call: Call) -> None:
    """Put user ids in the place of other names, in the path, in the query and in the body of a call."""
    if call.caller is None or operation.scope == "actions:write":
        return  # actions are looked up together, a batch at a time, and passed on from members who were merged
    if call.caller.user_id is not None:
        async with call.connection() as connection:
            user_id = await user_who_goes_on(connection, call.org_id, call.caller.user_id)
        if user_id != call.caller.user_id:
            call.caller = structs.replace(call.caller, user_id=user_id)
        return
    body = call.body if isinstance(call.body, Struct) else None
    fields = user_fields(type(body)) if body is not None else ()
    named = [call.path.get(PLACE), call.query.get(PLACE), *(getattr(body, field) for field in fields)]
    names = {name for name in named if name}
    if not names:
        return
    programme = await call.programme()
    async with call.connection() as connection:
        user_ids = await resolve_users(connection, programme, names)
    if not user_ids:
        return
    if call.path.get(PLACE) in user_ids:
        call.path = {**call.path, PLACE: user_ids[call.path[PLACE]]}
    if call.query.get(PLACE) in user_ids:
        call.query = {**call.query, PLACE: user_ids[call.query[PLACE]]}
    for field in fields:
        if getattr(body, field) in user_ids:
            setattr(body, field, user_ids[getattr(body, field)])
