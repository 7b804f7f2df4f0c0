"""Enrolment in a campaign that requires it."""

from msgspec import Struct

from plaudit.core.campaigns import enrol_in_campaign
from plaudit.core.cause import campaign_cause
from plaudit.core.context import Context
from plaudit.core.decision import Trace
from plaudit.core.event import CAMPAIGN_ENROLMENT

from .command_type import CommandType


class CampaignEnrolmentOrder(Struct, frozen=True, rename="camel"):
    """The campaign to join."""

    campaign_id: str


def _enrol(context: Context, order: CampaignEnrolmentOrder) -> None:
    """Enrol the member in a campaign. Repeating it changes nothing."""
    enrol_in_campaign(context, order.campaign_id)
    context.trace.append(Trace(campaign_cause(order.campaign_id).logged, 0, 0))


COMMAND = CommandType(kind=CAMPAIGN_ENROLMENT, order=CampaignEnrolmentOrder, apply=_enrol, is_own=True)
