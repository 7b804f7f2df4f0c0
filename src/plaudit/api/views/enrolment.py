"""Response types of enrolment."""

from typing import Literal

from msgspec import UNSET, UnsetType

from .base import Time, View
from .member_progress import CampaignStep
from .profiles import Profile


class PaidBonus(View):
    """The bonus that was paid on enrolment: zero for a member who was already enrolled."""

    points: int
    coins: int
    xp: int


class NextStep(View):
    """A suggestion for a new member: provide the missing `fields` of the profile, or complete a challenge."""

    type: Literal["complete_profile", "challenge"]
    fields: list[str] | UnsetType = UNSET
    campaign_id: str | UnsetType = UNSET
    steps: list[CampaignStep] | UnsetType = UNSET


class EnrolmentResult(View):
    """An enrolled member, whether enrolled now or before."""

    message: str
    user_id: str
    enrolled: bool
    enrolled_at: Time
    welcome_bonus: PaidBonus
    event_id: str
    profile: Profile
    next_steps: list[NextStep]
