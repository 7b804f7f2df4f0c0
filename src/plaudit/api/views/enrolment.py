"""What enrolment returns."""

from typing import Literal

from msgspec import UNSET, UnsetType

from .base import Time, View
from .member_progress import CampaignStep
from .profiles import Profile


class PaidBonus(View):
    """What the member got for enrolling; nothing for who was enrolled before."""

    points: int
    coins: int
    xp: int


class NextStep(View):
    """What a new member could do next: give the `fields` that their profile lacks, or complete a challenge."""

    type: Literal["complete_profile", "challenge"]
    fields: list[str] | UnsetType = UNSET
    campaign_id: str | UnsetType = UNSET
    steps: list[CampaignStep] | UnsetType = UNSET


class EnrolmentResult(View):
    """A member who was enrolled, now or before."""

    message: str
    user_id: str
    enrolled: bool
    enrolled_at: Time
    welcome_bonus: PaidBonus
    event_id: str
    profile: Profile
    next_steps: list[NextStep]
