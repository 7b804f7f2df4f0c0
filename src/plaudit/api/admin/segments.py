"""The operations of segments in addition to CRUD: members, previews and manual membership."""

from typing import Any, cast
from uuid import UUID

from msgspec import Struct

from plaudit.api.http.operations import PAGING, Call, Operation
from plaudit.api.http.wire import UserId, optional_time, time_text
from plaudit.api.run_command import run_command
from plaudit.api.views.base import Page, page_of
from plaudit.api.views.documents import TYPES
from plaudit.core.ids import BUCKET_COUNT
from plaudit.documents.kinds import KINDS
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.mechanics.segments.commands import SEGMENT
from plaudit.mechanics.segments.compiled import segment_in
from plaudit.mechanics.segments.compiling import compile_segment
from plaudit.mechanics.segments.document import Segment
from plaudit.mechanics.segments.view import SegmentFilling, SegmentMember, SegmentMembership, SegmentPreview
from plaudit.reads import segments
from plaudit.storage.documents import validate

SegmentMemberList = page_of(SegmentMember, "members", [("count", int), ("filling", SegmentFilling)])


class SegmentMembershipRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Add a member (true) or remove them (false) manually; with null the criteria decide again."""

    user_id: UserId
    member: bool | None


async def list_members(call: Call) -> Page:
    """Return the members of a segment, and the progress of its evaluation."""
    segment_id = await _existing(call)
    page = call.page(tuple[UUID], (UUID(int=0),))
    async with call.connection() as connection:
        rows = await segments.members(connection, call.org_id, segment_id, *page.start, page.limit)
        count = await segments.count_members(connection, call.org_id, segment_id)
        fill = await segments.fill(connection, call.org_id, segment_id)
    rows, cursor = page.cut(rows, lambda row: (row["member_id"],))
    views = [SegmentMember(user_id=row["user_id"], since=time_text(row["since"])) for row in rows]
    return SegmentMemberList.of(views, count=count, filling=_filling(fill), cursor=cursor)


def _filling(fill: Any) -> SegmentFilling:
    if fill is None:
        return SegmentFilling(percent=0, looked_at=0, changed=0, finished_at=None)
    percent = 100 if fill["finished_at"] else round(100 * fill["bucket"] / BUCKET_COUNT)
    return SegmentFilling(
        percent=percent,
        looked_at=fill["looked_at"],
        changed=fill["changed"],
        finished_at=optional_time(fill["finished_at"]),
    )


async def preview(call: Call) -> SegmentPreview:
    """Return how many members would meet the criteria, with a sample."""
    programme = await call.programme()
    if not isinstance(call.body, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    document = cast("Segment", validate(KINDS["segment"], {"name": "Preview", **call.body}))
    segment = compile_segment("preview", document, programme.compiled.metrics, programme.compiled.mechanics)
    async with call.connection() as connection:
        looked_at, count, sample = await segments.preview(connection, programme.compiled, segment, programme.now())
    return SegmentPreview(looked_at=looked_at, count=count, sample=list(sample))


async def put_member(call: Call) -> SegmentMembership:
    """Add a member to a segment or remove them, manually."""
    body: SegmentMembershipRequest = call.body
    segment_id = await _existing(call)
    data = {"segmentId": segment_id, "byHand": True, "member": body.member}
    await run_command(call, kind=SEGMENT, trigger=SEGMENT, user_id=body.user_id, data=data)
    return SegmentMembership(segment_id=segment_id, user_id=body.user_id)


async def _existing(call: Call) -> str:
    segment_id = call.path["segmentId"]
    if segment_in((await call.programme()).compiled, segment_id) is None:
        raise NotFound("Segment not found")
    return segment_id


OPERATIONS = [
    Operation(
        name="listSegmentMembers", method="GET", path="/v1/segments/{segmentId}/members",
        summary="List a segment's members", run=list_members, scope="members:read", tag="Segments", query=PAGING,
        errors=(400, 404),
        response=SegmentMemberList,
    ),
    Operation(
        name="setSegmentMembership", method="POST", path="/v1/segments/{segmentId}/members", run=put_member,
        scope="members:write", tag="Segments", summary="Add a member to a segment, or remove them",
        description="`null` returns the member to the segment's criteria.", body=SegmentMembershipRequest, errors=(400, 404, 409, 413),
        response=SegmentMembership,
    ),
    Operation(
        name="previewSegment", method="POST", path="/v1/segments/preview", run=preview, changes_nothing=True,
        scope="members:read", tag="Segments", summary="Preview a segment before saving it",
        description="Returns how many members would be in the segment, and a sample of them.",
        body=TYPES["segment"].update, errors=(400, 413),
        response=SegmentPreview,
    ),
]  # fmt: skip
