"""Lots: the parts of a balance that were earned together and expire together. Pure arithmetic on one member's book.

    credit ──► a lot (credits with the same expiry share one) ──► spent, soonest expiry first ──► expired

A lot that is not available yet is pending. A hold reserves a part of some lots: until the hold ends, that part is neither
spent nor reversed, and does not expire. Debt is a lot with number 0 and a negative amount; amounts that become available
pay it off first. Amounts are scaled integers (see `metrics`).
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct, structs

DEBT = 0


class Lot(Struct, frozen=True, array_like=True):
    """A lot. `expires_at` None: never. `available_at` None: it is available; otherwise it is pending until then.

    `reminded`: the member was notified of its expiry.
    """

    number: int
    amount: int
    expires_at: datetime | None = None
    available_at: datetime | None = None
    reminded: bool = False


class Posting(Struct, frozen=True, array_like=True):
    """The posting of a transaction on one lot: `amount` is signed. `expires_at` is the lot's, as it was."""

    lot: int
    amount: int
    expires_at: datetime | None = None


class Hold(Struct, frozen=True, array_like=True):
    """An amount that is reserved for a purchase; released at `until` unless captured before.

    `parts` are the reserved parts of lots, with positive amounts. They can come to less than the amount, if the balance
    can go below zero.
    """

    hold_id: str
    amount: int
    until: datetime
    parts: tuple[Posting, ...] = ()


class Book(Struct, frozen=True, array_like=True):
    """A member's lots of one metric, and the other state that the ledger needs.

    `credited` is the amount earned by recent period, for earning caps. `reversed` is the reversed amount by transaction
    id. `due_at` is when the book's next timer is due. `active` has the first and last days (ordinals) of stretches of
    activity, without a pause in which anything could expire (see `lasting`). `corrections` has, by time, the difference
    between the amount that counts for scores and the amount released then (see `counting`).
    """

    next_number: int = 1
    lots: tuple[Lot, ...] = ()
    holds: tuple[Hold, ...] = ()
    credited: dict[str, int] = {}
    reversed: dict[str, int] = {}
    due_at: datetime | None = None
    active: tuple[tuple[int, int], ...] = ()
    corrections: tuple[tuple[datetime, int], ...] = ()


EMPTY = Book()
ACTIVE_KEPT = 20  # the latest stretches of activity


def pending(book: Book) -> int:
    """Return the amount that is earned but not yet released."""
    return sum(lot.amount for lot in book.lots if lot.available_at is not None)


def held(book: Book) -> int:
    """Return the amount that holds reserve."""
    return sum(hold.amount for hold in book.holds)


def _held_by_lot(book: Book) -> dict[int, int]:
    reserved: dict[int, int] = {}
    for hold in book.holds:
        for part in hold.parts:
            reserved[part.lot] = reserved.get(part.lot, 0) + part.amount
    return reserved


def credit(
    book: Book, amount: int, expires_at: datetime | None, available_at: datetime | None
) -> tuple[Book, tuple[Posting, ...]]:
    """Credit the lot with this expiry and release, or a new one. An available credit pays off debt first."""
    lots = list(book.lots)
    parts: list[Posting] = []
    if lots and lots[0].number == DEBT and available_at is None:
        paid = min(amount, -lots[0].amount)
        parts.append(Posting(DEBT, paid))
        amount -= paid
        lots[0] = structs.replace(lots[0], amount=lots[0].amount + paid)
        if lots[0].amount == 0:
            del lots[0]
    number = book.next_number
    if amount:
        for i, lot in enumerate(lots):
            if lot.number != DEBT and (lot.expires_at, lot.available_at) == (expires_at, available_at):
                lots[i] = structs.replace(lot, amount=lot.amount + amount)
                parts.append(Posting(lot.number, amount, expires_at))
                break
        else:
            lots.append(Lot(number, amount, expires_at, available_at))
            parts.append(Posting(number, amount, expires_at))
            number += 1
    return structs.replace(book, next_number=number, lots=tuple(lots)), tuple(parts)


def spend(book: Book, amount: int, *, pending_too: bool = False) -> tuple[Book, tuple[Posting, ...]]:
    """Spend an amount from what is not held: soonest expiry first, ties by age. The rest becomes debt.

    With `pending_too`, pending lots are spent last, before debt.
    """
    book, parts, missing = _take(book, _to_spend(book, pending_too=pending_too), amount)
    if missing:
        parts = (*parts, Posting(DEBT, -missing))
        book = apply(book, parts[-1:])
    return book, parts


_NEVER = datetime.max.replace(tzinfo=UTC)


def _to_spend(book: Book, *, pending_too: bool) -> list[Lot]:
    """Return the lots in the order in which they are spent."""
    lots = [lot for lot in book.lots if lot.number != DEBT and (pending_too or lot.available_at is None)]
    return sorted(lots, key=lambda lot: (lot.available_at is not None, lot.expires_at or _NEVER, lot.number))


def take_from_lots(book: Book, numbers: Container[int], amount: int) -> tuple[Book, tuple[Posting, ...], int]:
    """Take an amount from these lots, pending ones included, but not held parts. Also return the missing amount."""
    return _take(book, [lot for lot in book.lots if lot.number in numbers and lot.number != DEBT], amount)


def _take(book: Book, lots: Sequence[Lot], amount: int) -> tuple[Book, tuple[Posting, ...], int]:
    reserved = _held_by_lot(book)
    parts: list[Posting] = []
    for lot in lots:
        taken = min(amount, lot.amount - reserved.get(lot.number, 0))
        if taken > 0:
            parts.append(Posting(lot.number, -taken, lot.expires_at))
            amount -= taken
    return apply(book, tuple(parts)), tuple(parts), amount


def place_hold(book: Book, hold_id: str, amount: int, until: datetime) -> Book:
    """Reserve an amount in the lots that would be spent first, replacing a hold with the same id."""
    book = without_hold(book, hold_id)
    _, spent = spend(book, amount)
    parts = tuple(structs.replace(part, amount=-part.amount) for part in spent if part.lot != DEBT)
    return structs.replace(book, holds=(*book.holds, Hold(hold_id, amount, until, parts)))


def without_hold(book: Book, hold_id: str) -> Book:
    """Return the book without a hold; its lots keep their amounts."""
    return structs.replace(book, holds=tuple(hold for hold in book.holds if hold.hold_id != hold_id))


def capture(book: Book, hold: Hold, amount: int) -> tuple[Book, tuple[Posting, ...]]:
    """End a hold and spend `amount` of it, from its own lots first."""
    book = without_hold(book, hold.hold_id)
    left = amount
    parts: list[Posting] = []
    for part in hold.parts:
        taken = min(left, part.amount)
        if taken:
            parts.append(Posting(part.lot, -taken, part.expires_at))
            left -= taken
    book = apply(book, tuple(parts))
    if left:
        book, spent = spend(book, left)
        parts += spent
    return book, tuple(parts)


def apply(book: Book, parts: tuple[Posting, ...], available_at: datetime | None = None) -> Book:
    """Return the book after postings on its lots. An empty lot is removed; a posting on a removed lot adds it again.

    A lot that is added again is pending until `available_at`, if given.
    """
    by_number = {lot.number: lot for lot in book.lots}
    for part in parts:
        lot = by_number.get(part.lot) or Lot(part.lot, 0, part.expires_at, available_at)
        by_number[part.lot] = structs.replace(lot, amount=lot.amount + part.amount)
    lots = sorted((lot for lot in by_number.values() if lot.amount), key=lambda lot: lot.number)
    return structs.replace(book, lots=tuple(lots))


def expire(book: Book, now: datetime) -> tuple[Book, tuple[Posting, ...]]:
    """Remove the lots whose expiry has passed, except for the parts that are held."""
    reserved = _held_by_lot(book)
    parts = tuple(
        Posting(lot.number, reserved.get(lot.number, 0) - lot.amount, lot.expires_at)
        for lot in book.lots
        if lot.expires_at is not None and lot.expires_at <= now and lot.amount > reserved.get(lot.number, 0)
    )
    return apply(book, parts), parts


def counting(book: Book, before: Book, counts: Mapping[datetime, int]) -> Book:
    """Return the book, corrected so that its releases add the same to scores as those of `before`, plus `counts`.

    By default, a pending amount counts when it is released. But an imported amount does not count; and an amount that
    another credit's reversal took from a pending lot still counts, because the other credit counts less.
    """
    old, new = ([(lot.available_at, lot.amount) for lot in item.lots if lot.available_at] for item in (before, book))
    negated = [(at, -amount) for at, amount in new]
    return structs.replace(book, corrections=_summed([*book.corrections, *old, *negated, *counts.items()]))


def _summed(amounts: Iterable[tuple[datetime, int]]) -> tuple[tuple[datetime, int], ...]:
    """Return amounts by time, with one sum for each time."""
    sums: dict[datetime, int] = {}
    for at, amount in amounts:
        sums[at] = sums.get(at, 0) + amount
    return tuple(sorted((at, amount) for at, amount in sums.items() if amount))


def release(book: Book, now: datetime) -> tuple[Book, int, int]:
    """Release the pending lots that are due. Return their amount, and the amount that counts for scores.

    The caller then pays off debt with `pay_off`.
    """
    numbers = {lot.number for lot in book.lots if lot.available_at is not None and lot.available_at <= now}
    amount = sum(lot.amount for lot in book.lots if lot.number in numbers)
    lots = tuple(structs.replace(lot, available_at=None) if lot.number in numbers else lot for lot in book.lots)
    counts = amount + sum(more for at, more in book.corrections if at <= now)
    later = tuple(correction for correction in book.corrections if correction[0] > now)
    return structs.replace(book, lots=lots, corrections=later), amount, counts


def pay_off(book: Book) -> tuple[Book, tuple[Posting, ...]]:
    """Pay off debt from available lots, in spending order, but not from held parts. Also return the postings."""
    if not book.lots or book.lots[0].number != DEBT:
        return book, ()
    owed = -book.lots[0].amount
    book, parts, missing = _take(book, _to_spend(book, pending_too=False), owed)
    if not parts:
        return book, ()
    paid = Posting(DEBT, owed - missing)
    return apply(book, (paid,)), (*parts, paid)


def extend_expiry(book: Book, expires_at: datetime, now: datetime) -> Book:
    """Return the book with a later expiry for all lots that expire. Expired lots, which only a hold keeps, stay."""
    lots = tuple(
        lot if lot.expires_at is None or lot.expires_at <= now or lot.expires_at >= expires_at
        else structs.replace(lot, expires_at=expires_at, reminded=False)
        for lot in book.lots
    )  # fmt: skip
    return structs.replace(book, lots=lots)


def with_activity(book: Book, day: int, days: int) -> Book:
    """Return the book with one more day of activity; each one extends all expiries to `days` days later."""
    if book.active and book.active[-1][0] <= day <= book.active[-1][1]:
        return book  # most often, another activity of the same day
    return structs.replace(book, active=_joined((*book.active, (day, day)), days))


def _joined(stretches: Iterable[tuple[int, int]], days: int) -> tuple[tuple[int, int], ...]:
    """Return stretches of activity, joining those that are at most `days` days apart."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(stretches):
        if joined and first <= joined[-1][1] + days:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined[-ACTIVE_KEPT:])


def lasting(book: Book, day: int, days: int) -> int:
    """Return the last day of the stretch of activity that renews the lots of `day`, or `day` if there is none."""
    return next((max(last, day) for first, last in reversed(book.active) if first - days <= day <= last + days), day)


def united(book: Book, other: Book) -> tuple[Book, tuple[Posting, ...]]:
    """Return the book with another's lots added under new numbers, and the postings.

    Debt of either book is paid off from the available lots of both. Holds continue; holds with the same id become one.
    """
    offset = book.next_number - 1
    added = [structs.replace(lot, number=lot.number + offset) for lot in other.lots if lot.number != DEBT]
    parts = [Posting(lot.number, lot.amount, lot.expires_at) for lot in added]
    debts = tuple(Posting(DEBT, lot.amount) for lot in other.lots if lot.number == DEBT)
    holds = {hold.hold_id: hold for hold in book.holds}
    for hold in other.holds:
        own = holds.get(hold.hold_id, Hold(hold.hold_id, 0, hold.until))
        added_parts = tuple(structs.replace(part, lot=part.lot + offset) for part in hold.parts)
        holds[hold.hold_id] = Hold(
            hold.hold_id, own.amount + hold.amount, max(own.until, hold.until), (*own.parts, *added_parts)
        )
    book = structs.replace(
        book, next_number=offset + other.next_number, lots=(*book.lots, *added), holds=tuple(holds.values()),
        credited={name: book.credited.get(name, 0) + other.credited.get(name, 0) for name in {**book.credited, **other.credited}},
        reversed={**book.reversed, **other.reversed},
        active=_joined((*book.active, *other.active), 0),
        corrections=_summed(book.corrections + other.corrections),
    )  # fmt: skip
    book, paying = pay_off(apply(book, debts))
    return book, (*parts, *debts, *paying)


_NOTHING_HELD: dict[int, int] = {}


def with_next_due(book: Book, remind_at: Callable[[datetime], datetime] | None) -> Book:
    """Return the book with its `due_at`: the next release, reminder, expiry, or end of a hold.

    `remind_at` returns when to remind the member of an expiry (None: never).
    """
    times: list[datetime] = [hold.until for hold in book.holds]
    times += [at for at, _ in book.corrections]
    reserved = _held_by_lot(book) if book.holds else _NOTHING_HELD
    for lot in book.lots:
        if lot.available_at is not None:
            times.append(lot.available_at)
        if lot.expires_at is not None and lot.amount > reserved.get(
            lot.number, 0
        ):  # otherwise it expires when the hold ends
            times.append(lot.expires_at if lot.reminded or remind_at is None else remind_at(lot.expires_at))
    due = min(times, default=None)
    return book if due == book.due_at else structs.replace(book, due_at=due)
