"""The books: every change of a balance is a posting, and a balance is the sum of its postings.

A credit that would pass the metric's maximum or an earning cap is cut to what fits; a debit that would take what is
available below the minimum is refused as a whole. A metric that starts with something (`default`) opens a member's
book with a posting of that amount, so that the sum still holds. What lots are is told in `lots`.
"""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from msgspec import structs

from . import competitions, ladders, lots
from .deciding import Deciding, Place
from .decision import Posting, Refusal
from .event import RECEIPT
from .ids import derived_id
from .lots import EMPTY, Book, Part
from .member import Balance
from .metrics import AMOUNT_MAX, Expiry, Metric, shown
from .periods import first_instant, local_day, next_first_day, next_period_at, period_key

OPENING = "opening"
# Sums of earlier periods than these are forgotten: what is earned late in a period long gone has a fresh cap.
PERIODS_KEPT = 8


def post(
    deciding: Deciding, place: Place, metric: Metric, amount: int, reason: str | None, *, earning: bool = True
) -> Posting | Refusal:
    """Credit (or, when negative, debit) `amount` smallest units of a metric. Answers the posting or why there is none.

    `earning`: it was earned, so multipliers and earning caps apply; manual credits, transfers and the like are not.
    """
    if not -AMOUNT_MAX <= amount <= AMOUNT_MAX:
        return Refusal.amount_out_of_range
    before = balance_of(deciding, metric)
    if amount < 0:
        return _debit(deciding, place, metric, amount, before, reason)
    if earning and metric.multipliers:
        amount = _multiplied(deciding, metric, amount)
    capped = earning and bool(metric.caps)
    if capped:
        amount, next_at = _under_caps(deciding, metric, amount, before)
        if amount == 0 and next_at is not None:
            stopped = Posting(
                deciding.effect_id(place), metric.metric_id, 0, before.amount, place.campaign_id, place.step,
                place.index, deciding.now, reason, None, Refusal.earning_cap_reached, next_at,
            )  # fmt: skip
            deciding.postings.append(stopped)
            return stopped
    if metric.maximum is not None and before.amount + amount > metric.maximum:
        amount = max(metric.maximum, before.amount) - before.amount
        if amount == 0:
            return Refusal.maximum_reached
    if amount == 0 or before.amount + amount > AMOUNT_MAX:
        return Refusal.amount_out_of_range
    book, parts = before.book, None
    if _in_lots(metric, before):
        book = opened(before)
        book, parts = lots.credit(book, amount, _expires_at(deciding, metric, book), _available_at(deciding, metric))
    if capped:
        book = structs.replace(book or EMPTY, credited=_credited(deciding, metric, amount, before))
    return write(deciding, place, metric, amount, book, parts, reason)


def _debit(
    deciding: Deciding, place: Place, metric: Metric, amount: int, before: Balance, reason: str | None
) -> Posting | Refusal:
    if metric.minimum is not None and available(before) + amount < metric.minimum:
        return Refusal.balance_insufficient
    if before.amount + amount < -AMOUNT_MAX:
        return Refusal.amount_out_of_range
    book, parts = before.book, None
    if _in_lots(metric, before):
        book, parts = lots.spend(opened(before), -amount, into_debt=True)
    return write(deciding, place, metric, amount, book, parts, reason)


def write(
    deciding: Deciding, place: Place, metric: Metric, amount: int, book: Book | None, parts: tuple[Part, ...] | None,
    reason: str | None, reverses: UUID | None = None, *, counts: bool = True,
) -> Posting:  # fmt: skip
    """Put one transaction into the books, and tell who listens. `counts`: for ladders and competitions."""
    before = balance_of(deciding, metric)
    after = before.amount + amount
    expiry = metric.expiry
    if book is not None:
        if expiry is not None and expiry.extended_by_activity and expiry.days is not None and reason != EXPIRED:
            book = lots.extended(book, _rolling(deciding, expiry.days))
        book = lots.with_due(book, remind_before(expiry))
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
        parts,
        reverses=reverses,
    )
    deciding.postings.append(posting)
    deciding.member.balances[metric.metric_id] = Balance(after, before.earned + max(amount, 0), book)
    deciding.scope.forget_names()
    deciding.touched.add(f"metrics.{metric.metric_id}")
    program = deciding.program
    if counts and (metric.metric_id in program.ladders_by_metric or metric.metric_id in program.competitions_by_metric):
        _count(deciding, metric, posting)
    if deciding.is_heard("metric.changed"):
        numbers = {"amount": amount, "balance": after, "previous": before.amount}
        changed = {name: shown(each, metric.decimals) for name, each in numbers.items()} | {"metric": metric.metric_id}
        deciding.follow("metric.changed", changed, place.campaign_id)
    return posting


EXPIRED = "expired"


def _count(deciding: Deciding, metric: Metric, posting: Posting) -> None:
    """What was earned counts, what is pending when it is released; what is given back or sent by others does not."""
    earned = posting.amount > 0 and posting.reverses is None and deciding.root.kind != RECEIPT
    taken_back = posting.amount < 0 and posting.reverses is not None
    if (earned and not metric.pending_days) or taken_back:
        count_earned(deciding, metric.metric_id, posting.amount)


def count_earned(deciding: Deciding, metric_id: str, amount: int) -> None:
    """Tell ladders and competitions what was earned, or taken back."""
    ladders.count(deciding, metric_id, amount)
    competitions.count(deciding, metric_id, amount)


def keep_book(deciding: Deciding, metric: Metric, book: Book) -> None:
    """Change a book without a transaction: a release, a hold, a reminder."""
    before = balance_of(deciding, metric)
    due = lots.with_due(book, remind_before(metric.expiry))
    deciding.member.balances[metric.metric_id] = Balance(before.amount, before.earned, due)


def available(balance: Balance) -> int:
    """What can be spent: the balance without what is pending or held."""
    book = balance.book
    return balance.amount if book is None else balance.amount - lots.pending(book) - lots.held(book)


def remind_before(expiry: Expiry | None) -> timedelta | None:
    """How long before an expiry its reminder is due."""
    return None if expiry is None or expiry.remind_days is None else timedelta(days=expiry.remind_days)


def balance_of(deciding: Deciding, metric: Metric) -> Balance:
    """The member's balance; a book that is not open yet is opened with the metric's default."""
    found = deciding.member.balances.get(metric.metric_id)
    if found is not None:
        return found
    book = None
    if metric.default:
        opening_id = derived_id(deciding.member.member_id, f"{OPENING}:{metric.metric_id}")
        parts = None
        if metric.keeps_lots:
            book, parts = _with_first_lot(metric.default)
        opening = Posting(
            opening_id, metric.metric_id, metric.default, metric.default, OPENING, 0, 0, deciding.now, OPENING, parts
        )
        deciding.postings.append(opening)
    balance = Balance(metric.default, max(metric.default, 0), book)
    deciding.member.balances[metric.metric_id] = balance
    return balance


def _in_lots(metric: Metric, balance: Balance) -> bool:
    """Lots are kept from when a metric first needs them, for as long as there are any."""
    return metric.keeps_lots or (balance.book is not None and bool(balance.book.lots))


def opened(balance: Balance) -> Book:
    """The balance's book; what was there before the metric kept lots becomes one that never expires."""
    if balance.book is not None and (balance.book.lots or not balance.amount):
        return balance.book
    if not balance.amount:
        return balance.book or EMPTY
    first, _ = _with_first_lot(balance.amount)
    return first if balance.book is None else structs.replace(balance.book, lots=first.lots, next_number=2)


def _with_first_lot(amount: int) -> tuple[Book, tuple[Part, ...]]:
    part = Part(1, amount) if amount > 0 else Part(lots.DEBT, amount)
    return structs.replace(lots.apply(EMPTY, (part,)), next_number=2), (part,)


def _expires_at(deciding: Deciding, metric: Metric, book: Book) -> datetime | None:
    expiry = metric.expiry
    if expiry is None:
        return None
    if expiry.extended_by_activity:
        # All of it expires together, so it is one lot; what extends it comes after the credit (see `write`).
        for lot in book.lots:
            if lot.expires_at is not None and lot.available_at is None:
                return lot.expires_at
    if expiry.days is not None:
        return _rolling(deciding, expiry.days)
    assert expiry.period is not None
    zone = deciding.program.settings.time_zone
    return first_instant(next_first_day(local_day(deciding.now, zone), expiry.period), zone)


def _rolling(deciding: Deciding, days: int) -> datetime:
    """The end of the day that is `days` days on, in the organisation's time zone."""
    zone = deciding.program.settings.time_zone
    return first_instant(local_day(deciding.now, zone) + timedelta(days=days + 1), zone)


def _available_at(deciding: Deciding, metric: Metric) -> datetime | None:
    return deciding.now + timedelta(days=metric.pending_days) if metric.pending_days else None


def _multiplied(deciding: Deciding, metric: Metric, amount: int) -> int:
    """The amount by the multipliers that hold now; halves are rounded up."""
    weekday = local_day(deciding.now, deciding.program.settings.time_zone).isoweekday()
    factors = [
        one.factor
        for one in metric.multipliers
        if (one.starts_at is None or one.starts_at <= deciding.now)
        and (one.ends_at is None or deciding.now < one.ends_at)
        and (not one.weekdays or weekday in one.weekdays)
        and (one.condition is None or one.condition.holds(deciding.scope, []))
    ]
    if not factors:
        return amount
    factor = Decimal(1)
    match metric.stacking:
        case "multiply":
            for one in factors:
                factor *= one
        case "add":
            factor += sum(one - 1 for one in factors)
        case _:
            factor = max(factors)
    return int((amount * max(factor, Decimal(0))).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _under_caps(deciding: Deciding, metric: Metric, amount: int, before: Balance) -> tuple[int, datetime | None]:
    """What of an amount fits under the caps, and, if that is less, when the last of those that stop it ends."""
    zone = deciding.program.settings.time_zone
    credited = before.book.credited if before.book is not None else {}
    next_at: datetime | None = None
    for cap in metric.caps:
        room = max(cap.amount - credited.get(period_key(deciding.now, cap.period, zone), 0), 0)
        if room < amount:
            amount = room
            ends_at = next_period_at(deciding.now, cap.period, zone)
            next_at = ends_at if next_at is None else max(next_at, ends_at)
    return amount, next_at


def _credited(deciding: Deciding, metric: Metric, amount: int, before: Balance) -> dict[str, int]:
    """The sums of recent periods, with this amount."""
    zone = deciding.program.settings.time_zone
    sums = dict(before.book.credited) if before.book is not None else {}
    kept: dict[str, int] = {}
    for cap in metric.caps:
        key = period_key(deciding.now, cap.period, zone)
        sums[key] = sums.get(key, 0) + amount
        like = sorted(one for one in sums if len(one) == len(key) and one[4:6].isalpha() == key[4:6].isalpha())
        kept |= {one: sums[one] for one in like[-PERIODS_KEPT:]}
    return kept
