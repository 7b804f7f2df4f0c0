"""Response types of the member API."""

from typing import Literal

from msgspec import UNSET, UnsetType, field

from plaudit.core.decision import Refusal

from .base import Json, Time, View, page_of
from .member_progress import CampaignStep
from .profiles import InventoryItem, MemberCoupon, MetricBalance, Profile, WrittenFields
from .transactions import Transaction


class MemberOverview(Profile, kw_only=True):
    """The member's profile, and the number of unread notifications."""

    unread_notifications: int


class MemberProfile(WrittenFields, kw_only=True):
    """The member's own profile: the fields that clients write, by the profile schema."""

    user_id: str
    custom_fields: Json
    enrolled_at: Time
    last_active_at: Time


class MemberCampaign(View):
    """A campaign open to the member, with their progress."""

    campaign_id: str
    name: str
    subtitle: str | None
    description: str | None
    type: str
    media: str | None
    starts_at: Time | None
    ends_at: Time | None
    enrolment: Literal["open", "required"]
    completed: bool
    completions: int | UnsetType = UNSET
    last_completed_at: Time | UnsetType | None = UNSET
    steps: list[CampaignStep] | UnsetType = UNSET
    done: int | UnsetType = UNSET
    required: int | UnsetType = UNSET
    percent: int | UnsetType = UNSET
    enrolled_at: Time | UnsetType | None = UNSET


class MemberMetric(MetricBalance):
    """A metric with the member's balance."""

    metric_id: str
    name: str
    media: str | None


class Offer(View):
    """A product and its `costs` by metric. If the member cannot redeem it, `reason` says why."""

    product_id: str
    name: str
    description: str | None
    type: str
    media: str | None
    costs: dict[str, float]
    redeemable: bool
    reason: Refusal | None
    starts_at: Time | None
    ends_at: Time | None


class MemberRewards(View):
    """The member's products and coupons, and what they can redeem."""

    inventory: list[InventoryItem]
    coupons: list[MemberCoupon]
    available: list[Offer]


class AudienceProfile(Profile, kw_only=True):
    """The member's profile, with the challenges open to them."""

    challenges: list[MemberCampaign]


class UserError(View):
    """Why a user's profile was not changed."""

    message: str
    code: str


class AudienceUser(View):
    """One of several users: their profile, or why it was not changed."""

    user_id: str = field(name="user_id")
    data: Profile | UnsetType = UNSET
    error: UserError | UnsetType = UNSET


class AudienceProfileBatch(View):
    """The profiles of several users."""

    message: str
    users: list[AudienceUser]


class AudienceTransaction(Transaction, kw_only=True):
    """A change of a balance. `type` is credit or debit, `currency` the metric."""

    currency: str


class OptOutState(View):
    """Whether the member has opted out."""

    opted_out: bool


class UserLookup(WrittenFields, kw_only=True):
    """A user, with the attributes of their profile."""

    user_id: str


MemberCampaignList = page_of(MemberCampaign, "campaigns", paged=False)
MemberMetricList = page_of(MemberMetric, "metrics", paged=False)
ChallengeList = page_of(MemberCampaign, "challenges", name="ChallengeList", paged=False)
AudienceTransactionList = page_of(
    AudienceTransaction, "transactions", [("last_evaluated_key", str | None)], paged=False
)
