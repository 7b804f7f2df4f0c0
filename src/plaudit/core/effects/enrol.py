"""The effect `enrol`."""

from plaudit.core.campaigns import enrol_in_campaign
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace

from .effect_type import EffectSettings, EffectType, Id, NamedDocument


class Enrol(EffectSettings, frozen=True):
    campaign_id: Id


def apply(context: Context, place: EffectPlace, settings: Enrol) -> EffectTrace:
    """Enrol the member in a campaign that requires enrolment."""
    enrol_in_campaign(context, settings.campaign_id)
    return EffectTrace(place.index, None, {"campaignId": settings.campaign_id})


EFFECT = EffectType(
    name="enrol",
    sentence="Enrol the member in a campaign that requires enrolment.",
    settings=Enrol,
    references=(NamedDocument("campaign", "campaign_id"),),
    apply=apply,
)
