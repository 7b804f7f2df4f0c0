"""The ledger: every change of a balance is a transaction, and a balance is the sum of its transactions.

A credit above the metric's maximum or an earning cap is reduced to what fits. A debit that would take the available
amount below the minimum is refused as a whole. If a metric has a `default`, the ledger begins with a transaction of that
amount, so the sum is still right. `lots` explains lots.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import partial
from math import prod
from typing import Any

from msgspec import structs

from plaudit.core import mechanic_rules
from plaudit.core.cause import OPENING, CauseKind, expiry_cause
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import Refusal, Transaction
from plaudit.core.ids import derived_id
from plaudit.core.member import Balance
from plaudit.core.metrics import (
    AMOUNT_MAX,
    SUM_MAX,
    Expiry,
    Metric,
    Multiplier,
    available_at,
    times,
    to_number,
    to_scaled,
)
from plaudit.core.periods import days_after, first_instant, local_day, next_first_day, next_period_at, period_key

from . import lots
from .earned import Origin, earned_and_scored
from .lots import EMPTY, Book, Posting

# Periods whose earned amounts are stored per cap. For a late event of an older period, the cap starts from 0.
CAP_PERIODS_KEPT = 32


def post(
    context: Context, place: EffectPlace, metric: Metric, amount: int, reason: str | None, *, earning: bool = True
) -> Transaction | Refusal:
    """Credit `amount` smallest units of a metric, or debit them if negative. Return the transaction, or the refusal.

    Multipliers and earning caps apply only if `earning` is true: not to manual credits or transfers.
    """
    if not -AMOUNT_MAX <= amount <= AMOUNT_MAX:
        return Refusal.amount_out_of_range
    before = balance_of(context, metric)
    if amount < 0:
        return _debit(context, place, metric, amount, before, reason)
    capped = earning and bool(metric.caps)
    if capped:
        amount, next_at = _apply_caps(context, metric, amount, before)
        if amount == 0 and next_at is not None:
            stopped = Transaction(
                context.effect_id(place), metric.metric_id, 0, before.amount, place.cause, place.step,
                place.index, context.now, reason, None, Refusal.earning_cap_reached, next_at,
            )  # fmt: skip
            context.transactions.append(stopped)
            return stopped
    if metric.maximum is not None and before.amount + amount > metric.maximum:
        amount = max(metric.maximum, before.amount) - before.amount
        if amount == 0:
            return Refusal.balance_at_maximum
    if amount == 0 or before.amount + amount > AMOUNT_MAX:
        return Refusal.amount_out_of_range
    book, parts, available_at = before.book, None, _available_at(context, metric)
    if in_lots(metric, before):
        book = open_book(before)
        book, parts = lots.credit(book, amount, expiry_of(context, metric, book), available_at)
    if capped:
        book = structs.replace(book or EMPTY, credited=_credited(context, metric, amount, before))
    return append_transaction(context, place, metric, amount, book, parts, reason, available_at=available_at)


def _debit(
    context: Context, place: EffectPlace, metric: Metric, amount: int, before: Balance, reason: str | None
) -> Transaction | Refusal:
    if metric.minimum is not None and available(before) + amount < metric.minimum:
        return Refusal.balance_insufficient
    if before.amount + amount < -AMOUNT_MAX:
        return Refusal.amount_out_of_range
    book, parts = before.book, None
    if in_lots(metric, before):
        book, parts = lots.spend(open_book(before), -amount)
    return append_transaction(context, place, metric, amount, book, parts, reason)


def append_transaction(
    context: Context, place: EffectPlace, metric: Metric, amount: int, book: Book | None, parts: tuple[Posting, ...] | None,
    reason: str | None, *, origin: Origin | None = None, available_at: datetime | None = None, lifetime: int | None = None,
) -> Transaction:  # fmt: skip
    """Append a transaction to the ledger and notify its listeners. Return the transaction.

    `origin` is required for a reversal, and `available_at` for a pending credit: its amount counts for scores when it is
    released, not now. `lifetime`: see Transaction.
    """
    before = balance_of(context, metric)
    after = before.amount + amount
    expiry = metric.expiry
    if book is not None:
        if (
            expiry is not None
            and expiry.extended_by_activity
            and expiry.days is not None
            and place.cause.kind not in (CauseKind.merge, CauseKind.expiry)  # these are not activities of the member
        ):
            book = _active(context, before.book, book, expiry.days)
        book = lots.with_next_due(book, reminders(context, expiry))
    transaction = Transaction(
        context.effect_id(place),
        metric.metric_id,
        amount,
        after,
        place.cause,
        place.step,
        place.index,
        context.now,
        reason,
        parts,
        None,
        None,
        None if origin is None else origin.transaction_id,
        lifetime,
    )
    context.transactions.append(transaction)
    earned, scored = _earned_by(context, transaction, origin)
    context.member.balances[metric.metric_id] = Balance(after, min(max(before.earned + earned, 0), SUM_MAX), book)
    context.scope.forget_names()
    context.changed_parts.add(f"metrics.{metric.metric_id}")
    if amount and context.has_listeners("metric.changed"):
        numbers = {"amount": amount, "balance": after, "previous": before.amount}
        changed = {name: to_number(number, metric.decimals) for name, number in numbers.items()} | {
            "metric": metric.metric_id
        }
        context.emit("metric.changed", changed, place.cause)
    counted_at = (available_at if origin is None else origin.counted_at) or context.now
    if scored and earned and counted_at <= context.now:
        count_earned(context, metric.metric_id, earned, counted_at, None if origin is None else origin.counted_in)
    return transaction


EXPIRED, RELEASED, MERGED = "expired", "released", "merged"


def expire(context: Context, metric: Metric) -> None:
    """Expire the lots that are due and not held."""
    book = context.member.balances[metric.metric_id].book
    if book is None:
        return
    left, parts = lots.expire(book, context.now)
    amount = sum(part.amount for part in parts)
    if amount:
        cause = expiry_cause(metric.metric_id)
        append_transaction(context, EffectPlace(cause, 0, 0), metric, amount, left, parts, EXPIRED)
        expired = {"metric": metric.metric_id, "amount": to_number(-amount, metric.decimals)}
        context.emit("metric.expired", expired, cause)


def settle(context: Context, metric: Metric) -> None:
    """Pay off debt with amounts that were released or are no longer held."""
    book = context.member.balances[metric.metric_id].book
    left, parts = lots.pay_off(EMPTY if book is None else book)
    if parts:
        append_transaction(context, EffectPlace(expiry_cause(metric.metric_id), 0, 1), metric, 0, left, parts, RELEASED)


def _earned_by(context: Context, transaction: Transaction, origin: Origin | None) -> tuple[int, bool]:
    """Return what a transaction adds to the member's lifetime amount, and whether it counts for scores."""
    if transaction.lifetime is not None:  # set by a merge
        return transaction.lifetime, False
    if origin is not None:
        return (transaction.amount, origin.scored) if origin.earned else (0, False)
    earned, scored = earned_and_scored(transaction.amount, transaction.cause.kind, context.root_event.kind)
    return (transaction.amount, scored) if earned else (0, False)


def count_earned(
    context: Context, metric_id: str, amount: int, at: datetime, counted_in: frozenset[str] | None = None
) -> None:
    """Count an amount, earned or reversed, in the mechanics' documents (see `mechanic_rules.count_earned`)."""
    if metric_id in context.program.earning_listeners:
        mechanic_rules.count_earned(context, metric_id, amount, at, counted_in)


def replace_book(context: Context, metric: Metric, book: Book) -> None:
    """Replace a balance's book without a transaction, for a release, a hold or a reminder."""
    before = balance_of(context, metric)
    due = lots.with_next_due(book, reminders(context, metric.expiry))
    context.member.balances[metric.metric_id] = Balance(before.amount, before.earned, due)


def available(balance: Balance) -> int:
    """Return the available amount: the balance without its pending and held parts."""
    book = balance.book
    return balance.amount if book is None else balance.amount - lots.pending(book) - lots.held(book)


def reminders(context: Context, expiry: Expiry | None) -> Callable[[datetime], datetime] | None:
    """Return a function from an expiry to the time of its reminder (days before, at the same local time), or None."""
    if expiry is None or expiry.remind_days is None:
        return None
    return partial(days_after, days=-expiry.remind_days, time_zone=context.program.settings.time_zone)


def balance_of(context: Context, metric: Metric) -> Balance:
    """Return the member's balance. A new balance starts with the metric's default."""
    existing = context.member.balances.get(metric.metric_id)
    if existing is not None:
        return existing
    book = None
    if metric.default:
        opening_id = derived_id(context.member.member_id, f"{OPENING.text}:{metric.metric_id}")
        parts = None
        if metric.keeps_lots:
            book, parts = (
                lots.credit(EMPTY, metric.default, None, None)
                if metric.default > 0
                else lots.spend(EMPTY, -metric.default)
            )
        opening = Transaction(
            opening_id,
            metric.metric_id,
            metric.default,
            metric.default,
            OPENING,
            0,
            0,
            context.now,
            OPENING.text,
            parts,
        )
        context.transactions.append(opening)
    balance = Balance(metric.default, max(metric.default, 0), book)
    context.member.balances[metric.metric_id] = balance
    return balance


def in_lots(metric: Metric, balance: Balance) -> bool:
    """Return whether the balance is kept in lots. Once it has had lots, it always is."""
    book = balance.book
    return metric.keeps_lots or (book is not None and (book.next_number > 1 or bool(book.lots)))


def open_book(balance: Balance) -> Book:
    """Return the balance's book. A balance from before the metric kept lots becomes a lot that never expires."""
    book = balance.book or EMPTY
    if book.lots or not balance.amount:
        return book
    # A lot gets a new number, because the postings of earlier transactions name their lots by number.
    number = book.next_number if balance.amount > 0 else lots.DEBT
    holds, book = book.holds, structs.replace(book, next_number=max(book.next_number, number + 1), holds=())
    book = lots.apply(book, (Posting(number, balance.amount),))
    for hold in holds:  # reserve their parts in the new lot
        book = lots.place_hold(book, hold.hold_id, hold.amount, hold.until)
    return book


def expiry_of(context: Context, metric: Metric, book: Book) -> datetime | None:
    """Return when a credit made now expires."""
    expiry = metric.expiry
    if expiry is None:
        return None
    if expiry.days is not None:
        rolling = _rolling(context, expiry.days)
        if expiry.extended_by_activity:
            day = local_day(context.now, context.program.settings.time_zone).toordinal()
            if book.active and day < book.active[-1][1]:  # a late event: activity after it has extended the expiry
                return _days_after(context, lots.lasting(book, day, expiry.days), expiry.days)
            # This credit will extend the other lots' expiry (see `append_transaction`), so it can join one of them.
            for lot in book.lots:
                if lot.expires_at is not None and lot.available_at is None and context.now < lot.expires_at <= rolling:
                    return lot.expires_at
        return rolling
    assert expiry.period is not None
    zone = context.program.settings.time_zone
    return first_instant(next_first_day(local_day(context.now, zone), expiry.period), zone)


def _active(context: Context, before: Book | None, book: Book, days: int) -> Book:
    """Return the book after an activity (a credit or debit), which extends the expiry of all lots.

    After a late event, later activity within the time extends them too. If the member's activity is unknown, because the
    lots were imported, the member is taken to have always been active.
    """
    day = local_day(context.now, context.program.settings.time_zone).toordinal()
    if not book.active and before is not None and any(lot.expires_at is not None for lot in before.lots):
        book = structs.replace(book, active=((0, day),))
    book = lots.with_activity(book, day, days)
    return lots.extend_expiry(book, _days_after(context, lots.lasting(book, day, days), days), context.now)


def _rolling(context: Context, days: int) -> datetime:
    """Return the end of the day that is `days` days ahead, in the organisation's time zone."""
    return _days_after(context, local_day(context.now, context.program.settings.time_zone).toordinal(), days)


def _days_after(context: Context, day: int, days: int) -> datetime:
    """Return the end of the day that is `days` days after a day, in the organisation's time zone."""
    return first_instant(date.fromordinal(day) + timedelta(days=days + 1), context.program.settings.time_zone)


def _available_at(context: Context, metric: Metric) -> datetime | None:
    return available_at(metric, context.now, context.program.settings.time_zone) if metric.pending_days else None


def amount_of(context: Context, metric: Metric, number: Any, decimals: int) -> tuple[int | None, dict[str, Any] | None]:
    """Return a number in smallest units, times the multipliers if it is positive, rounded once (half away from zero).

    The amount is None if it is not finite or too large. The second value explains the multipliers for the trace, or is
    None if none applies.
    """
    if not metric.multipliers or number is None or number <= 0:
        return to_scaled(number, decimals), None
    multipliers = _multipliers_now(context, metric)
    if not multipliers:
        return times(number, Fraction(1), decimals), None
    factor = _factor(metric, [Fraction(multiplier.factor) for multiplier in multipliers])
    base = times(number, Fraction(1), decimals)
    return times(number, factor, decimals), {
        "before": None if base is None else to_number(base, metric.decimals),
        "factor": float(factor),
        "multipliers": [{"name": multiplier.name, "factor": float(multiplier.factor)} for multiplier in multipliers],
    }


def limits_met(context: Context, metric: Metric) -> list[dict[str, Any]]:
    """Return the limits that a balance has reached and that reduce credits: earning caps, and the maximum."""
    balance = balance_of(context, metric)
    credited = balance.book.credited if balance.book is not None else {}
    zone = context.program.settings.time_zone
    met: list[dict[str, Any]] = [
        {"limit": "earning_cap", "period": cap.period.value, "amount": to_number(cap.amount, metric.decimals)}
        for cap in metric.caps
        if credited.get(period_key(context.now, cap.period, zone), 0) >= cap.amount
    ]
    if metric.maximum is not None and balance.amount >= metric.maximum:
        met.append({"limit": "maximum", "amount": to_number(metric.maximum, metric.decimals)})
    return met


def _multipliers_now(context: Context, metric: Metric) -> list[Multiplier]:
    """Return the multipliers that apply to the event."""
    weekday = local_day(context.now, context.program.settings.time_zone).isoweekday()
    return [
        multiplier
        for multiplier in metric.multipliers
        if (multiplier.starts_at is None or multiplier.starts_at <= context.now)
        and (multiplier.ends_at is None or context.now < multiplier.ends_at)
        and (not multiplier.weekdays or weekday in multiplier.weekdays)
        and (multiplier.condition is None or multiplier.condition.holds(context.scope, []))
    ]


def _factor(metric: Metric, factors: list[Fraction]) -> Fraction:
    """Return the combined factor of multipliers, by the metric's `stacking`."""
    match metric.stacking:
        case "multiply":
            return prod(factors, start=Fraction(1))
        case "add":
            return max(1 + sum((factor - 1 for factor in factors), Fraction(0)), Fraction(0))
        case _:
            return max(factors)


def _apply_caps(context: Context, metric: Metric, amount: int, before: Balance) -> tuple[int, datetime | None]:
    """Return how much of an amount fits under the caps and, if it is reduced, when the last cap that reduces it ends."""
    zone = context.program.settings.time_zone
    credited = before.book.credited if before.book is not None else {}
    next_at: datetime | None = None
    for cap in metric.caps:
        room = max(cap.amount - credited.get(period_key(context.now, cap.period, zone), 0), 0)
        if room < amount:
            amount = room
            ends_at = next_period_at(context.now, cap.period, zone)
            next_at = ends_at if next_at is None else max(next_at, ends_at)
    return amount, next_at


def _credited(context: Context, metric: Metric, amount: int, before: Balance) -> dict[str, int]:
    """Return the earned amounts by recent period, including this amount."""
    zone = context.program.settings.time_zone
    sums = dict(before.book.credited) if before.book is not None else {}
    recent: dict[str, int] = {}
    for cap in metric.caps:
        key = period_key(context.now, cap.period, zone)
        sums[key] = sums.get(key, 0) + amount
        # Keys of one kind of period have the same length. Months and quarters (2026-11, 2026-Q4) share theirs.
        alike = sorted(name for name in sums if len(name) == len(key))
        recent |= {name: sums[name] for name in alike[-CAP_PERIODS_KEPT:]}
    return recent
