"""The member who makes a call, and what the member may see. The first call creates an empty profile."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit import clock
from plaudit.api.http.operations import Call
from plaudit.api.run_command import run_command
from plaudit.core.event import PROFILE
from plaudit.core.ids import member_id_of
from plaudit.core.member import GROUPINGS, Progress, state_decoder
from plaudit.documents.campaign import Campaign
from plaudit.documents.compile_effects import audience_of
from plaudit.documents.effect import AudienceSpec
from plaudit.reads import members
from plaudit.reads.members import MemberView
from plaudit.storage.programmes import Programme

_PROGRESS = msgspec.json.Decoder(Progress)
# What all operations of the member API have in common.
OWN: dict[str, Any] = {"scope": None, "member": True, "tag": "Member API"}
EMPTY_PROFILE: dict[str, Any] = {"attributes": {}, "identities": {}}


def member_id(call: Call) -> UUID:
    """Return the id of the member who makes the call."""
    return member_id_of(call.org_id, call.user_id)


async def load_current_member(call: Call) -> tuple[Programme, MemberView]:
    """Return the member who makes the call. The first call creates an empty profile, as documented."""
    programme = await call.programme()
    view = await _fetch(call)
    if view is None:
        # Two concurrent first calls are harmless: the second changes nothing and enrols nobody.
        key = f"first-call:{clock.new_uuid7()}"
        await run_command(call, kind=PROFILE, trigger="profile.set", user_id=call.user_id, data=EMPTY_PROFILE, key=key)
        view = await _fetch(call)
        assert view is not None
    return programme, view


async def _fetch(call: Call) -> MemberView | None:
    async with call.connection() as connection:
        return await members.fetch_member(connection, call.org_id, call.user_id)


def groups_of(view: MemberView) -> frozenset[str]:
    """Return the ids of the groups, such as segments, that a member belongs to. Audiences refer to these."""
    groups: frozenset[str] = frozenset()
    for kind, groups_in in GROUPINGS.items():
        rows = [row for row in view.parts["progress"] if row["kind"] == kind]
        groups |= groups_in({row["key"]: state_decoder(kind).decode(row["state"]) for row in rows})
    return groups


def progress_of(view: MemberView) -> dict[str, Progress]:
    """Return a member's progress in campaigns."""
    rows = view.parts["progress"]
    return {row["key"]: _PROGRESS.decode(row["state"]) for row in rows if row["kind"] == "campaign"}


def is_visible_to(audience: AudienceSpec | None, groups: frozenset[str]) -> bool:
    """Return whether a member of these groups is in an audience. None is everyone."""
    compiled = audience_of(audience)
    return compiled is None or compiled.includes(groups)


def visible_campaigns(programme: Programme, groups: frozenset[str], now: datetime) -> Iterator[tuple[str, Campaign]]:
    """Yield the campaigns that a member of these groups may see: active ones that have not ended."""
    for campaign_id, campaign in programme.campaigns.items():
        has_ended = campaign.end_date is not None and campaign.end_date <= now
        if campaign.status == "active" and not has_ended and is_visible_to(campaign.segments, groups):
            yield campaign_id, campaign
