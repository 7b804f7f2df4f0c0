"""A typed client of Plaudit's API, for Python: `Plaudit`, and `AsyncPlaudit` with the same calls.

    from plaudit.client import Plaudit

    with Plaudit("https://loyalty.example.com", org="…", secret="…") as plaudit:
        plaudit.report("ann", "purchase", {"amount": 150}, event_id="ORD-1")
        print(plaudit.member("ann").metrics["points"].balance)

What may be tried again is, by itself: every write carries a key that makes it count once.
"""

from .aio import AsyncPlaudit
from .answers import Accepted, Balance, BatchResult, Coupon, Item, Member, Notification, Page, Redeemed, Transaction
from .calls import PlauditError
from .sync import Plaudit
from .webhooks import InvalidSignature, verify_webhook

__all__ = [
    "Accepted",
    "AsyncPlaudit",
    "Balance",
    "BatchResult",
    "Coupon",
    "InvalidSignature",
    "Item",
    "Member",
    "Notification",
    "Page",
    "Plaudit",
    "PlauditError",
    "Redeemed",
    "Transaction",
    "verify_webhook",
]
