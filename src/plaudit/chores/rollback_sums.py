"""Sum up the results of a rollback, and convert the sums for the API."""

from typing import Any

from msgspec import Struct

from plaudit.core.commands.rollback import RolledBack, Stays
from plaudit.core.mechanic_rules import MECHANIC_RULES
from plaudit.core.metrics import to_number
from plaudit.storage.programmes import Programme

STAYS_SHOWN = 20

Json = dict[str, Any]


class Sums(Struct, rename="camel"):
    """The results so far. Each loss has its amount (or number) and the number of members."""

    metrics: dict[str, int] = {}
    lost_metrics: dict[str, tuple[int, int]] = {}
    numbers: dict[str, int] = {}
    lost: dict[str, tuple[int, int]] = {}
    stays: tuple[Stays, ...] = ()  # only the first ones

    def add(self, result: RolledBack) -> None:
        """Add a member's result."""
        metrics = sorted({*self.metrics, *result.metrics})
        self.metrics = {metric: self.metrics.get(metric, 0) + result.metrics.get(metric, 0) for metric in metrics}
        self.lost_metrics = {**self.lost_metrics, **_more(self.lost_metrics, result.lost_metrics)}
        for name in ("transfers", "products", "coupons", "notifications", "completions"):
            self.numbers[name] = self.numbers.get(name, 0) + getattr(result, name)
        for name in (name for rules in MECHANIC_RULES.values() for name in rules.undone_counts):
            self.numbers[name] = self.numbers.get(name, 0) + result.numbers.get(name, 0)
        self.lost = {
            **self.lost,
            **_more(self.lost, {"products": result.lost_products, "coupons": result.lost_coupons}),
        }
        self.stays = (*self.stays, *result.stays)[:STAYS_SHOWN]


def _more(before: dict[str, tuple[int, int]], new: dict[str, int]) -> dict[str, tuple[int, int]]:
    sums: dict[str, tuple[int, int]] = {}
    for key, number in new.items():
        amount, members = before.get(key, (0, 0))
        if number:
            sums[key] = (amount + number, members + 1)
    return sums


def sums_view(programme: Programme, sums: Sums) -> Json:
    """Return what was undone and what could not be recovered, as the API shows it."""
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
