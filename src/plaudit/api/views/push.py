"""What is returned for Web Push."""

from .base import View


class PushKey(View):
    """Whether the organisation uses Web Push, and the `applicationServerKey` to subscribe with."""

    enabled: bool
    public_key: str


class PushSubscriptionCreated(View):
    """The id of a new subscription, which deletes it."""

    subscription_id: str
