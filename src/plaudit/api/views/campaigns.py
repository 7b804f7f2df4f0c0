"""Response types of the operations on campaigns."""

from .base import Time, View, page_of
from .member_progress import CampaignProgress


class MetricPaid(View):
    """How much of a metric a campaign has paid, in how many transactions."""

    amount: float
    transactions: int


class CampaignStats(View):
    """A campaign's participants and completions, and what it has paid, by metric."""

    campaign_id: str
    participants: int
    completed: int
    completions: int
    last_completed_at: Time | None
    metrics: dict[str, MetricPaid]


class CampaignParticipant(CampaignProgress, kw_only=True):
    """A member who takes part in a campaign, with their progress."""

    user_id: str


class CampaignRank(View):
    """A member on the leaderboard of a campaign."""

    rank: int
    user_id: str
    completions: int
    last_completed_at: Time | None


class BackfillResult(View):
    """How many past events were queued."""

    campaign_id: str
    queued: int


CampaignParticipantList = page_of(CampaignParticipant, "participants")
CampaignLeaderboard = page_of(CampaignRank, "leaderboard", name="CampaignLeaderboard", paged=False)
