"""A typed client for Plaudit's API: `Plaudit` for servers, `PlauditMember` for a member's own calls, both also async.

    from plaudit_client import Plaudit

    with Plaudit("https://loyalty.example.com", org="…", secret="…") as plaudit:
        plaudit.report("ann", "purchase", {"amount": 150}, event_id="ORD-1")
        print(plaudit.get_profile("ann").metrics["points"].balance)

Every operation of the API is a method, named by its operationId. Requests are retried where that is safe: every write
carries a key that makes it count once.
"""

from .async_client import AsyncPlaudit, AsyncPlauditMember
from .client import Plaudit, PlauditMember
from .errors import InvalidSignature, PlauditError
from .paging import Page
from .requests import DryRunResult, Request
from .streams import ServerEvent
from .webhooks import verify_webhook

__version__ = "0.1.0"

__all__ = [
    "AsyncPlaudit",
    "AsyncPlauditMember",
    "DryRunResult",
    "InvalidSignature",
    "Page",
    "Plaudit",
    "PlauditError",
    "PlauditMember",
    "Request",
    "ServerEvent",
    "verify_webhook",
]
