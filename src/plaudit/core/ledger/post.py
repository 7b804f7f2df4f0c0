"""The books: every change of a balance is a posting, and a balance is the sum of its postings.

A credit that would pass the metric's maximum or an earning cap is cut to what fits; a debit that would take what is
available below the minimum is refused as a whole. A metric that starts with something (`default`) opens a member's
book with a posting of that amount, so that the sum still holds. What lots are is told in `lots`.
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

# Sums of earlier periods than these are forgotten: what is earned late in a period long gone has a cap of its own.
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
    """Post one transaction to the ledger and notify its listeners.

    A reversal has its `origin`, a credit that is pending is `available_at` an instant: what has not counted for scores
    by now counts when it is released. `lifetime`: see Posting.
    """
    before = balance_of(context, metric)
    after = before.amount + amount
    expiry = metric.expiry
    if book is not None:
        if (
            expiry is not None
            and expiry.extended_by_activity
            and expiry.days is not None
            and place.cause.kind not in (CauseKind.merge, CauseKind.expiry)  # not an activity of the member
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
    """Pay off debt with what was released, or is no longer held."""
    book = context.member.balances[metric.metric_id].book
    left, parts = lots.pay_off(EMPTY if book is None else book)
    if parts:
        append_transaction(context, EffectPlace(expiry_cause(metric.metric_id), 0, 1), metric, 0, left, parts, RELEASED)


def _earned_by(context: Context, transaction: Transaction, origin: Origin | None) -> tuple[int, bool]:
    """Return what a transaction adds to what the member has earned ever, and whether scores count that too."""
    if transaction.lifetime is not None:  # a merge says itself what it moves
        return transaction.lifetime, False
    if origin is not None:
        return (transaction.amount, origin.scored) if origin.earned else (0, False)
    earned, scored = earned_and_scored(transaction.amount, transaction.cause.kind, context.root_event.kind)
    return (transaction.amount, scored) if earned else (0, False)


def count_earned(
    context: Context, metric_id: str, amount: int, at: datetime, counted_in: frozenset[str] | None = None
) -> None:
    """Count an amount earned at an instant, or reversed for the documents that had counted it."""
    if metric_id in context.program.earning_listeners:
        mechanic_rules.count_earned(context, metric_id, amount, at, counted_in)


def replace_book(context: Context, metric: Metric, book: Book) -> None:
    """Replace a book without a transaction: a release, a hold, a reminder."""
    before = balance_of(context, metric)
    due = lots.with_next_due(book, reminders(context, metric.expiry))
    context.member.balances[metric.metric_id] = Balance(before.amount, before.earned, due)


def available(balance: Balance) -> int:
    """Return the spendable amount: the balance without pending and held parts."""
    book = balance.book
    return balance.amount if book is None else balance.amount - lots.pending(book) - lots.held(book)


def reminders(context: Context, expiry: Expiry | None) -> Callable[[datetime], datetime] | None:
    """Return what says when an expiry is reminded of: so many days before, at the same local time. None: it is not."""
    if expiry is None or expiry.remind_days is None:
        return None
    return partial(days_after, days=-expiry.remind_days, time_zone=context.program.settings.time_zone)


def balance_of(context: Context, metric: Metric) -> Balance:
    """Return the member's balance. A new one opens with the metric's default."""
    found = context.member.balances.get(metric.metric_id)
    if found is not None:
        return found
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
    """Return whether the balance is kept in lots: from when it first needs them, for good."""
    book = balance.book
    return metric.keeps_lots or (book is not None and (book.next_number > 1 or bool(book.lots)))


def open_book(balance: Balance) -> Book:
    """Return the balance's book. A balance from before the metric kept lots becomes a lot that never expires."""
    book = balance.book or EMPTY
    if book.lots or not balance.amount:
        return book
    # Numbers are not given twice: earlier transactions name the lots that they were of.
    number = book.next_number if balance.amount > 0 else lots.DEBT
    holds, book = book.holds, structs.replace(book, next_number=max(book.next_number, number + 1), holds=())
    book = lots.apply(book, (Posting(number, balance.amount),))
    for hold in holds:  # which had no lots to hold
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
            if book.active and day < book.active[-1][1]:  # reported late: what came after it has put it off
                return _days_after(context, lots.lasting(book, day, expiry.days), expiry.days)
            # What will be put off by this credit is one lot with it; what extends it comes after the credit (see `append_transaction`).
            for lot in book.lots:
                if lot.expires_at is not None and lot.available_at is None and context.now < lot.expires_at <= rolling:
                    return lot.expires_at
        return rolling
    assert expiry.period is not None
    zone = context.program.settings.time_zone
    return first_instant(next_first_day(local_day(context.now, zone), expiry.period), zone)


def _active(context: Context, before: Book | None, book: Book, days: int) -> Book:
    """Return the book after something was earned or spent: what there was by then lasts as long again.

    If it was reported late, so does what came after it within that time. Where nobody knows when the member was active,
    because the lots came from elsewhere, it is taken to have been always.
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
    """Return a number, times what the multipliers come to if it is earned, in smallest units: rounded once, half up.

    None for one that is not finite or too large. Where multipliers hold, the second part says which, for the trace.
    """
    if not metric.multipliers or number is None or number <= 0:
        return to_scaled(number, decimals), None
    holding = _holding(context, metric)
    if not holding:
        return times(number, Fraction(1), decimals), None
    factor = _factor(metric, [Fraction(multiplier.factor) for multiplier in holding])
    base = times(number, Fraction(1), decimals)
    return times(number, factor, decimals), {
        "before": None if base is None else to_number(base, metric.decimals),
        "factor": float(factor),
        "multipliers": [{"name": multiplier.name, "factor": float(multiplier.factor)} for multiplier in holding],
    }


def limits_met(context: Context, metric: Metric) -> list[dict[str, Any]]:
    """Return the limits that a balance has reached, which cut what was to be credited: earning caps, the maximum."""
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


def _holding(context: Context, metric: Metric) -> list[Multiplier]:
    """Return the multipliers that hold now."""
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
    """Return what multipliers that hold together come to."""
    match metric.stacking:
        case "multiply":
            return prod(factors, start=Fraction(1))
        case "add":
            return max(1 + sum((factor - 1 for factor in factors), Fraction(0)), Fraction(0))
        case _:
            return max(factors)


def _apply_caps(context: Context, metric: Metric, amount: int, before: Balance) -> tuple[int, datetime | None]:
    """Return how much of an amount fits under the caps, and, if less, when the last limiting cap ends."""
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
    """Return the sums of recent periods, including this amount."""
    zone = context.program.settings.time_zone
    sums = dict(before.book.credited) if before.book is not None else {}
    kept: dict[str, int] = {}
    for cap in metric.caps:
        key = period_key(context.now, cap.period, zone)
        sums[key] = sums.get(key, 0) + amount
        like = sorted(name for name in sums if len(name) == len(key) and name[4:6].isalpha() == key[4:6].isalpha())
        kept |= {name: sums[name] for name in like[-CAP_PERIODS_KEPT:]}
    return kept
