"""What is credited, spent, released, expired and taken back of a metric (guide: Points that live)."""

from datetime import date, datetime
from fractions import Fraction
from typing import Any

from . import competitions, ladders
from .amounts import Json, exact, meets, rounded, shown
from .books import Book
from .calendar import day_of, days_on, first_of_next_period, midnight, period_of, same_time

PERIODS = {"end_of_month": "month", "end_of_quarter": "quarter", "end_of_year": "year"}


def bound(metric: Json, name: str, default: int | None) -> int | None:
    value = metric.get(name, default)
    return None if value is None else int(exact(value) * 10 ** metric.get("decimals", 0))


def set_bound(metric: Json, name: str) -> int:
    """A bound that is always there, or nothing."""
    return bound(metric, name, 0) or 0


def smallest(metric: Json, amount: Fraction) -> int:
    return rounded(amount * 10 ** metric.get("decimals", 0))


def book_of(world: Any, member: Json, metric_id: str) -> Book:
    """A member's book; one that is new is opened with what the metric starts with."""
    if metric_id not in member["books"]:
        metric = world.metric(metric_id)
        keeps_lots = bool(metric.get("expiry") or metric.get("pendingDays"))
        book = member["books"][metric_id] = Book(keeps_lots=keeps_lots)
        start = bound(metric, "default", 0)
        if start:
            transaction = book.begin(world.now, "opening", earned=True, reason="opening", counts=False)
            book.put(transaction, start, None, None)
            book.write(transaction)
    return member["books"][metric_id]


def earn(world: Any, member: Json, metric_id: str, amount: Fraction, cause: str) -> str | None:
    """What an effect credits: multiplied, rounded once, cut by caps, then by the maximum. Return why not, if so."""
    metric = world.metric(metric_id)
    book = book_of(world, member, metric_id)
    wanted = smallest(metric, amount * factor(world, member, metric))
    capped = under_caps(world, metric, book, wanted)
    if wanted > 0 and capped == 0 and metric.get("earningCaps"):
        book.write(book.begin(world.now, cause, earned=False, reason=None, capped=True))
        return "earning_cap_reached"
    fitting, why = under_maximum(metric, book, capped)
    if why is not None:
        return why
    return credit(world, member, metric_id, fitting, cause, caps=True)


def credit(world: Any, member: Json, metric_id: str, amount: int, cause: str, **more: Any) -> str | None:
    """A credit with the metric's own expiry, pending as long as the metric says."""
    if amount == 0:
        return "amount_out_of_range"
    metric = world.metric(metric_id)
    book = book_of(world, member, metric_id)
    days = metric.get("pendingDays", 0)
    until = same_time(world.now, days, world.zone) if days else None
    transaction = book.begin(world.now, cause, earned=True, reason=None, counted_at=until or world.now, **more)
    book.put(transaction, amount, expiry(world, metric, book), until)
    written(world, member, metric_id, transaction)
    return None


def debit(world: Any, member: Json, metric_id: str, amount: int, cause: str, **more: Any) -> str | None:
    """A spending is refused as a whole if what is available would fall below the minimum."""
    metric = world.metric(metric_id)
    book = book_of(world, member, metric_id)
    minimum = bound(metric, "minimum", 0)
    if minimum is not None and book.available - amount < minimum:
        return "balance_insufficient"
    transaction = book.begin(world.now, cause, earned=False, **{"reason": None, **more})
    book.spend(transaction, amount)
    written(world, member, metric_id, transaction)
    return None


def written(world: Any, member: Json, metric_id: str, transaction: Json) -> None:
    """What every transaction but an expiry or a release brings: activity, and scores."""
    metric = world.metric(metric_id)
    book = member["books"][metric_id]
    book.write(transaction)
    last_as_long_again(world, metric, book)
    if not transaction["earned"] or not transaction.get("counts", True):
        return
    at, source = transaction["counted_at"], source_of(book, transaction)
    if at > world.now:  # "what is pending counts when it is released": this much of which credit
        waiting = member["waiting"].setdefault((metric_id, at), {})
        waiting[source["number"]] = waiting.get(source["number"], 0) + transaction["earned"]
    else:
        count_earned(world, member, metric_id, {transaction["number"]: transaction["earned"]}, at)


def source_of(book: Book, transaction: Json) -> Json:
    """What a reversal goes back to."""
    while transaction["reverses"] is not None:
        transaction = book.transactions[transaction["reverses"]]
    return transaction


def count_earned(world: Any, member: Json, metric_id: str, amounts: dict[int, int], at: datetime) -> None:
    """Ladders and competitions go by what is earned: so much by which transactions."""
    book, amount = member["books"][metric_id], sum(amounts.values())
    member["earned"].append({"metric": metric_id, "amount": amount, "at": at})
    ladders.count(world, member, metric_id, amount, at)
    for number, value in amounts.items():
        competitions.count(world, member, metric_id, book, number, value, at)


# ----------------------------------------------------------------------------------- "Expiry", "Caps", "Multipliers"


def expiry(world: Any, metric: Json, book: Book) -> datetime | None:
    wanted = metric.get("expiry") or {"type": "never"}
    day = day_of(world.now, world.zone)
    if wanted["type"] == "never":
        return None
    if wanted["type"] == "rolling":  # the end of the day `days` days on
        until = rolling(world, wanted, book)
        return with_others(world, book, until) if wanted.get("extendedByActivity") else until
    return midnight(first_of_next_period(day, PERIODS[wanted["type"]]), world.zone)


def rolling(world: Any, wanted: Json, book: Book) -> datetime:
    """Of what is extended by activity, that is `days` after the last of the times that each came before it had expired."""
    day = day_of(world.now, world.zone)
    if wanted.get("extendedByActivity"):
        done = {
            day_of(transaction["at"], world.zone)
            for transaction in book.transactions
            if not transaction["why"].startswith(("expiry.", "opening"))
        }
        for later in remembered(sorted(done), wanted["days"]):
            if day < later <= days_on(day, wanted["days"]):
                day = later
    return midnight(days_on(day, wanted["days"] + 1), world.zone)


def with_others(world: Any, book: Book, until: datetime) -> datetime:
    """Return the expiry of the lot that a credit extends, which it joins, or else `until`."""
    today = day_of(world.now, world.zone)
    if any(day_of(transaction["at"], world.zone) > today for transaction in book.transactions):
        return until  # reported late
    lots = [lot["expires"] for lot in book.lots.values() if lot["expires"] and lot["pending_until"] is None]
    return next((expires for expires in lots if world.now < expires <= until), until)


def remembered(done: list[date], days: int) -> list[date]:
    """Of days of activity, those of the latest 20 times without a gap."""
    begins = [n for n, day in enumerate(done) if n == 0 or days_on(done[n - 1], days) < day]
    return done[begins[-20] :] if len(begins) > 20 else done


def last_as_long_again(world: Any, metric: Json, book: Book) -> None:
    """`extendedByActivity`: whenever the member earns or spends, all of it lasts as long again."""
    wanted = metric.get("expiry") or {}
    if not wanted.get("extendedByActivity"):
        return
    until = rolling(world, wanted, book)
    for lot in book.lots.values():
        if lot["expires"] is not None and world.now < lot["expires"] < until:
            lot["expires"] = until


def under_caps(world: Any, metric: Json, book: Book, amount: int) -> int:
    for cap in metric.get("earningCaps", []):
        period = period_of(world.now, cap["period"], world.zone)
        earned = sum(
            entry["amount"] for entry in book.transactions
            if entry.get("caps") and period_of(entry["at"], cap["period"], world.zone) == period
        )  # fmt: skip
        amount = min(amount, max(set_bound(cap | metric, "amount") - earned, 0))
    return amount


def under_maximum(metric: Json, book: Book, amount: int) -> tuple[int, str | None]:
    maximum = bound(metric, "maximum", None)
    if maximum is None or book.balance + amount <= maximum:
        return amount, None
    fitting = max(maximum - book.balance, 0)
    return fitting, None if fitting else "balance_at_maximum"


def factor(world: Any, member: Json, metric: Json) -> Fraction:
    found = [
        exact(multiplier["factor"])
        for multiplier in metric.get("multipliers", [])
        if (not multiplier.get("weekdays") or day_of(world.now, world.zone).isoweekday() in multiplier["weekdays"])
        and (multiplier.get("startDate") is None or datetime.fromisoformat(multiplier["startDate"]) <= world.now)
        and (multiplier.get("endDate") is None or world.now < datetime.fromisoformat(multiplier["endDate"]))
        and meets(multiplier.get("conditions"), world.look(member))
    ]
    if not found:
        return Fraction(1)
    match metric.get("stacking", "highest"):
        case "highest":
            return max(found)
        case "add":
            return max(1 + sum((number - 1 for number in found), Fraction(0)), Fraction(0))
    product = Fraction(1)
    for number in found:
        product *= number
    return product


# ------------------------------------------------------------------------------------------------------- "Reversals"


def reverse(
    world: Any, member: Json, metric_id: str, number: int, take: int, *, whole: bool = False, **more: Any
) -> str | None:
    """Take a transaction back, whole or in part."""
    book = book_of(world, member, metric_id)
    original = book.transactions[number]
    if take + book.reversed_of(number) > abs(original["amount"]):
        return "reversal_too_large"
    source = source_of(book, original)  # a reversal counts where the credit counted that it goes back to
    transaction = book.begin(
        world.now, "manual", earned=source["is_earned"], reason=None, reverses=number, counted_at=source["counted_at"],
        counts=source.get("counts", True),
    )  # fmt: skip
    if original["amount"] > 0:
        why = take_back(world, metric_id, book, original, transaction, take, whole=whole)
    else:
        until = source["counted_at"] if source["counted_at"] > world.now else None  # what was pending is so again
        why = give_back(world, metric_id, book, original, transaction, take, whole=whole, until=until, **more)
    if why is not None:
        return why
    written(world, member, metric_id, transaction)
    return None


def take_back(
    world: Any, metric_id: str, book: Book, original: Json, transaction: Json, take: int, *, whole: bool
) -> str | None:
    """Of a credit: from the lots that it made, then from the others, those that are pending last, then as debt."""
    metric = world.metric(metric_id)
    gone = book.expired_of(original["number"]) + book.reversed_of(original["number"])
    amount = min(take, max(original["amount"] - gone, 0))
    minimum = bound(metric, "minimum", 0)
    if minimum is not None and metric.get("onReversal", "zero") == "zero":
        room = max(book.balance - book.held - minimum, 0)
        if whole and amount > room:
            return "balance_insufficient"
        amount = min(amount, room)
    own = sorted({move["lot"] for move in original["moves"]} & set(book.lots))
    if not original["in_lots"]:  # from before lots were kept: it went into what never expires
        own = [number for number, lot in book.lots.items() if lot["expires"] is lot["pending_until"] is None]
    left = book.take(transaction, own, amount, credit=original["number"])
    book.spend(transaction, left, pending_too=True)
    transaction["counts_as_reversed"] = take
    return None


def give_back(
    world: Any, metric_id: str, book: Book, original: Json, transaction: Json, take: int, *, whole: bool,
    until: datetime | None, expires: datetime | None = None,
) -> str | None:  # fmt: skip
    """Of a debit: debt is paid off first, then the lots get back what they paid, those that expire last first."""
    metric = world.metric(metric_id)
    maximum = bound(metric, "maximum", None)
    amount = take if maximum is None else max(min(take, maximum - book.balance), 0)
    if amount == 0 or (whole and amount < take):
        return "balance_at_maximum"
    transaction["counts_as_reversed"] = amount
    paid = min(amount, book.owed)
    book.pay(transaction, paid)
    amount -= paid
    for move in reversed(original["moves"]) if expires is None else ():
        given = min(amount, -move["amount"] - move.get("given_back", 0))
        if given <= 0:
            continue
        move["given_back"] = move.get("given_back", 0) + given
        amount -= given
        lot = book.lots.setdefault(move["lot"], {"expires": move["expires"], "pending_until": until, "layers": []})
        lot["layers"].insert(0, [move["credit"], given])
        transaction["moves"].append({**move, "amount": given})
    if amount:  # what no lot had paid, or what gets another expiry, is a credit of today
        book.put(transaction, amount, expires or expiry(world, metric, book), until)
    return None


# ------------------------------------------------------------------------------------------- what comes due by itself


def fall_due(world: Any, member: Json, metric_id: str) -> None:
    """The ends of holds, releases, then expiries."""
    metric, book = world.metric(metric_id), member["books"][metric_id]
    book.holds = {name: hold for name, hold in book.holds.items() if hold["until"] > world.now}
    cause = f"expiry.{metric_id}"
    released = book.release(world.now)
    book.pay_off(world.now, cause)
    if released:
        world.follow("metric.released", {"metric": metric_id, "amount": shown(released, metric)}, cause)
    for name, at in [value for value in member["waiting"] if value[0] == metric_id and value[1] <= world.now]:
        amounts = member["waiting"].pop((name, at))
        if any(amounts.values()):  # also those of which nothing is left: they may be given back
            count_earned(world, member, metric_id, amounts, world.now)
        else:
            competitions.would_count(world, member, metric_id, amounts)
    expire(world, member, metric_id)


def expire(world: Any, member: Json, metric_id: str) -> None:
    metric, book = world.metric(metric_id), member["books"][metric_id]
    pending = {number: lot["pending_until"] for number, lot in book.lots.items()}
    expired = book.expire(world.now, f"expiry.{metric_id}")
    if expired is not None:
        for move in expired["moves"]:  # what is never released does not count
            waiting = member["waiting"].get((metric_id, pending[move["lot"]]), {})
            if move["credit"] in waiting:
                waiting[move["credit"]] += move["amount"]
        data = {"metric": metric_id, "amount": shown(-expired["amount"], metric)}
        world.follow("metric.expired", data, f"expiry.{metric_id}")
