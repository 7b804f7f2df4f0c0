"""Enrolment of members in campaigns."""

from msgspec import Struct

from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import UserId
from plaudit.api.run_command import run_command
from plaudit.api.views.member_progress import CampaignEnrolmentResult
from plaudit.core.event import CAMPAIGN_ENROLMENT
from plaudit.errors import NotFound


class CampaignEnrolmentRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The user to enrol."""

    user_id: UserId


async def enrol(call: Call) -> CampaignEnrolmentResult:
    """Enrol a member in a campaign."""
    body: CampaignEnrolmentRequest = call.body
    campaign_id = call.path["campaignId"]
    programme = await call.programme()
    if campaign_id not in programme.campaigns:
        raise NotFound("Campaign not found")
    data = {"campaignId": campaign_id}
    await run_command(call, kind=CAMPAIGN_ENROLMENT, trigger="campaign.enrol", user_id=body.user_id, data=data)
    return CampaignEnrolmentResult(campaign_id=campaign_id, user_id=body.user_id)


OPERATIONS = [
    Operation(
        name="enrolInCampaign", method="POST", path="/v1/campaigns/{campaignId}/enrol",
        summary="Enrol a member in a campaign", run=enrol, scope="members:write", tag="Campaigns", body=CampaignEnrolmentRequest,
        errors=(400, 404, 409, 413), response=CampaignEnrolmentResult,
    ),
]  # fmt: skip
