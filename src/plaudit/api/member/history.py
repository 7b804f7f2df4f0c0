"""The calling member's notifications and transactions."""

from plaudit.api.http.operations import PAGING, Call, Operation
from plaudit.api.identity.current_member import OWN, member_id
from plaudit.api.shared.member_pages import own_notifications_page, transactions_page
from plaudit.api.views.base import Page
from plaudit.api.views.notification import NotificationList
from plaudit.api.views.transactions import TransactionList, transaction_view


async def get_own_transactions(call: Call) -> Page:
    """Return the member's transactions, newest first."""
    programme = await call.programme()
    page, cursor = await transactions_page(call, member_id(call), call.query.get("cursor", ""))
    return TransactionList.of([transaction_view(programme, row) for row in page], cursor=cursor)


OPERATIONS = [
    Operation(
        name="listMyNotifications", method="GET", path="/api/loyalty/me/notifications",
        summary="List the member's notifications", run=own_notifications_page, response=NotificationList, query=PAGING,
        **OWN,
    ),
    Operation(
        name="listMyTransactions", method="GET", path="/api/loyalty/me/transactions",
        summary="List the member's transactions", run=get_own_transactions, response=TransactionList, query=PAGING,
        **OWN,
    ),
]  # fmt: skip
