"""What a timer event brings about: everything of a member that is due at its instant, in a fixed order."""

from msgspec import structs

from . import lots
from .deciding import Deciding, Place
from .ladders import window_ended
from .ledger import EXPIRED, count_earned, keep_book, remind_before, write
from .lots import Book
from .metrics import Metric, shown
from .streaks import lapse

EXPIRY = "expiry"


def fall_due(deciding: Deciding) -> None:
    """Let happen what is due now: for each metric its ends of holds, releases, reminders and expiries; lapses of streaks;

    ends of ladders' windows; segments that time alone may change are judged anew.
    """
    for metric_id in sorted(deciding.member.balances):
        book = deciding.member.balances[metric_id].book
        metric = deciding.program.metrics.get(metric_id)
        if book is not None and metric is not None and book.due_at is not None and book.due_at <= deciding.now:
            _metric_due(deciding, metric, book)
    for streak_id in sorted(deciding.member.streaks):
        state = deciding.member.streaks[streak_id]
        if state.due_at is not None and state.due_at <= deciding.now:
            streak = deciding.program.streaks.get(streak_id)
            if streak is None or not streak.active:  # gone meanwhile: it neither goes on nor breaks
                deciding.member.streaks[streak_id] = structs.replace(state, due_at=None)
            else:
                lapse(deciding, streak, state)
    for ladder_id in sorted(deciding.member.ladders):
        rung = deciding.member.ladders[ladder_id]
        if rung.due_at is not None and rung.due_at <= deciding.now:
            ladder = deciding.program.ladders.get(ladder_id)
            if ladder is None:
                deciding.member.ladders[ladder_id] = structs.replace(rung, due_at=None)
            else:
                window_ended(deciding, ladder)
    for segment_id in sorted(deciding.member.segments):
        inside = deciding.member.segments[segment_id]
        if inside.due_at is not None and inside.due_at <= deciding.now:
            deciding.member.segments[segment_id] = structs.replace(inside, due_at=None)
            deciding.touched.add(f"segment.{segment_id}")


def _metric_due(deciding: Deciding, metric: Metric, book: Book) -> None:
    now = deciding.now
    holds = tuple(hold for hold in book.holds if hold.until > now)
    book, released = lots.release(structs.replace(book, holds=holds), now)
    cause = f"{EXPIRY}.{metric.metric_id}"
    if released:
        amount = shown(released, metric.decimals)
        deciding.follow("metric.released", {"metric": metric.metric_id, "amount": amount}, cause)
        count_earned(deciding, metric.metric_id, released)
    book = _remind(deciding, metric, book, cause)
    left, parts = lots.expire(book, now)
    amount = sum(part.amount for part in parts)
    if amount == 0:
        keep_book(deciding, metric, book)
        return
    write(deciding, Place(cause, 0, 0), metric, amount, left, parts, EXPIRED)
    expired = {"metric": metric.metric_id, "amount": shown(-amount, metric.decimals)}
    deciding.follow("metric.expired", expired, cause)


def _remind(deciding: Deciding, metric: Metric, book: Book, cause: str) -> Book:
    """Tell once of each lot that expires soon; the lots of one instant in one event."""
    before = remind_before(metric.expiry)
    if before is None:
        return book
    soon = [
        lot
        for lot in book.lots
        if lot.expires_at is not None and not lot.reminded and lot.expires_at - before <= deciding.now < lot.expires_at
    ]
    for expires_at in sorted({lot.expires_at for lot in soon if lot.expires_at is not None}):
        amount = sum(lot.amount for lot in soon if lot.expires_at == expires_at)
        data = {
            "metric": metric.metric_id,
            "amount": shown(amount, metric.decimals),
            "expiresAt": expires_at.isoformat().replace("+00:00", "Z"),
        }
        deciding.follow("metric.expiring", data, cause)
    numbers = {lot.number for lot in soon}
    marked = tuple(structs.replace(lot, reminded=True) if lot.number in numbers else lot for lot in book.lots)
    return structs.replace(book, lots=marked)
