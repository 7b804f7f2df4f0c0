"""What is returned for Web Push."""

from .base import View


class PushKey(View):
    """Whether the organisation pushes, and the `applicationServerKey` to subscribe with."""

    enabled: bool
    public_key: str


class PushSubscriptionCreated(View):
    """The id of a new subscription, by which it is deleted."""

    subscription_id: str
