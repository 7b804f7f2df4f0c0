"""Sums of what a rollback has undone, and how the API shows them."""

from typing import Any

from msgspec import Struct

from plaudit.core.commands.rollback import RolledBack, Stays
from plaudit.core.mechanic_rules import MECHANIC_RULES
from plaudit.core.metrics import to_number
from plaudit.storage.programmes import Programme

STAYS_SHOWN = 20

Json = dict[str, Any]


class Sums(Struct, rename="camel"):
    """The results so far. What was lost has the amount (or number) and the number of members."""

    metrics: dict[str, int] = {}
    lost_metrics: dict[str, tuple[int, int]] = {}
    numbers: dict[str, int] = {}
    lost: dict[str, tuple[int, int]] = {}
    stays: tuple[Stays, ...] = ()  # the first of them

    def add(self, done: RolledBack) -> None:
        """Add the result for a member."""
        metrics = sorted({*self.metrics, *done.metrics})
        self.metrics = {metric: self.metrics.get(metric, 0) + done.metrics.get(metric, 0) for metric in metrics}
        self.lost_metrics = {**self.lost_metrics, **_more(self.lost_metrics, done.lost_metrics)}
        for name in ("transfers", "products", "coupons", "notifications", "completions"):
            self.numbers[name] = self.numbers.get(name, 0) + getattr(done, name)
        for name in (name for rules in MECHANIC_RULES.values() for name in rules.undone_counts):
            self.numbers[name] = self.numbers.get(name, 0) + done.numbers.get(name, 0)
        self.lost = {**self.lost, **_more(self.lost, {"products": done.lost_products, "coupons": done.lost_coupons})}
        self.stays = (*self.stays, *done.stays)[:STAYS_SHOWN]


def _more(before: dict[str, tuple[int, int]], new: dict[str, int]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for key, number in new.items():
        amount, members = before.get(key, (0, 0))
        if number:
            found[key] = (amount + number, members + 1)
    return found


def sums_view(programme: Programme, sums: Sums) -> Json:
    """Return what was undone and what could not be had back, as the API shows it."""
    metrics = programme.compiled.metrics

    def amount(metric: str, scaled: int) -> int | float:
        return to_number(scaled, metrics[metric].decimals if metric in metrics else 0)

    lost = {name: {"number": number, "members": members} for name, (number, members) in sums.lost.items()}
    return {
        "undone": {"metrics": {metric_id: amount(metric_id, value) for metric_id, value in sums.metrics.items()}}
        | sums.numbers,
        "notRecovered": {
            "metrics": {
                metric_id: {"amount": amount(metric_id, scaled), "members": members}
                for metric_id, (scaled, members) in sums.lost_metrics.items()
            }
        }
        | lost
        | (
            {"sentOn": [_stays_view(stay, amount(stay.metric, stay.amount)) for stay in sums.stays]}
            if sums.stays
            else {}
        ),
    }


def _stays_view(stays: Stays, amount: float) -> Json:
    return {"toUserId": stays.to_user_id, "metric": stays.metric, "amount": amount, "reason": stays.reason}
