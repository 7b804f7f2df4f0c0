"""The books: every change of a balance is a posting, and a balance is the sum of its postings.

A credit that would pass the metric's maximum is cut to what fits; a debit that would pass its minimum is refused as a
whole. A metric that starts with something (`default`) opens a member's book with a posting of that amount, so that
the sum still holds.
"""

from .deciding import Deciding, Place
from .decision import Posting, Refusal
from .ids import derived_id
from .member import Balance
from .metrics import AMOUNT_MAX, Metric

OPENING = "opening"


def post(deciding: Deciding, place: Place, metric: Metric, amount: int, reason: str | None) -> Posting | Refusal:
    """Credit (or, when negative, debit) `amount` smallest units of a metric. Answers the posting or why there is none."""
    if not -AMOUNT_MAX <= amount <= AMOUNT_MAX:
        return Refusal.amount_out_of_range
    before = _balance(deciding, metric)
    after = before.amount + amount
    if amount > 0 and metric.maximum is not None and after > metric.maximum:
        after = max(metric.maximum, before.amount)
        amount = after - before.amount
    if amount < 0 and metric.minimum is not None and after < metric.minimum:
        return Refusal.balance_insufficient
    if amount == 0:
        at_maximum = metric.maximum is not None and after >= metric.maximum
        return Refusal.maximum_reached if at_maximum else Refusal.amount_out_of_range
    if abs(after) > AMOUNT_MAX:
        return Refusal.amount_out_of_range
    posting = Posting(
        deciding.effect_id(place),
        metric.metric_id,
        amount,
        after,
        place.campaign_id,
        place.step,
        place.index,
        deciding.now,
        reason,
    )
    deciding.postings.append(posting)
    deciding.member.balances[metric.metric_id] = Balance(after, before.earned + max(amount, 0))
    deciding.scope.forget_names()
    if "metric.changed" in deciding.program.listeners:
        changed = {"metric": metric.metric_id, "amount": amount, "balance": after, "previous": before.amount}
        deciding.follow("metric.changed", changed, place.campaign_id)
    return posting


def _balance(deciding: Deciding, metric: Metric) -> Balance:
    """The member's balance; a book that is not open yet is opened with the metric's default."""
    found = deciding.member.balances.get(metric.metric_id)
    if found is not None:
        return found
    if metric.default:
        opening_id = derived_id(deciding.member.member_id, f"{OPENING}:{metric.metric_id}")
        opening = Posting(
            opening_id, metric.metric_id, metric.default, metric.default, OPENING, 0, 0, deciding.now, OPENING
        )
        deciding.postings.append(opening)
    balance = Balance(metric.default, max(metric.default, 0))
    deciding.member.balances[metric.metric_id] = balance
    return balance
