"""Response types of Web Push."""

from .base import View


class PushKey(View):
    """Whether the organisation uses Web Push, and the `applicationServerKey` to subscribe with."""

    enabled: bool
    public_key: str


class PushSubscriptionCreated(View):
    """A new subscription. Its id is needed to delete it."""

    subscription_id: str
