"""What a timer event brings about: everything of a member that is due at its instant, in a fixed order."""

from msgspec import structs

from . import lots
from .deciding import Deciding
from .ladders import window_ended
from .ledger import EXPIRY, count_earned, expire, keep_book, reminders, settle
from .lots import EMPTY, Book
from .metrics import Metric, shown
from .streaks import lapse

_DUE = ~2  # tells what falls due from what an event does to the same streak or ladder


def fall_due(deciding: Deciding) -> None:
    """Let happen what is due now: for each metric its ends of holds, releases, reminders and expiries; lapses of streaks;

    ends of ladders' windows; segments that time alone may change are judged anew. What raises is refused, and not due
    again until something else happens to it: otherwise it would hold up all that the member does.
    """
    for metric_id in sorted(deciding.member.balances):
        book = deciding.member.balances[metric_id].book
        metric = deciding.program.metrics.get(metric_id)
        if book is None or metric is None or book.due_at is None or book.due_at > deciding.now:
            continue
        if not deciding.contain(_metric_due, metric, book, cause=f"{EXPIRY}.{metric_id}"):
            balance = deciding.member.balances[metric_id]
            left = structs.replace(balance.book or EMPTY, due_at=None)
            deciding.member.balances[metric_id] = structs.replace(balance, book=left)
    for streak_id in sorted(deciding.member.streaks):
        state = deciding.member.streaks[streak_id]
        if state.due_at is not None and state.due_at <= deciding.now:
            streak = deciding.program.streaks.get(streak_id)
            gone = streak is None or not streak.active  # meanwhile: it neither goes on nor breaks
            if gone or not deciding.contain(lapse, streak, state, cause=f"streak.{streak_id}", number=_DUE):
                left = deciding.member.streaks[streak_id]
                deciding.member.streaks[streak_id] = structs.replace(left, due_at=None)
    for ladder_id in sorted(deciding.member.ladders):
        rung = deciding.member.ladders[ladder_id]
        if rung.due_at is not None and rung.due_at <= deciding.now:
            ladder = deciding.program.ladders.get(ladder_id)
            gone = ladder is None
            if gone or not deciding.contain(window_ended, ladder, cause=f"ladder.{ladder_id}", number=_DUE):
                deciding.member.ladders[ladder_id] = structs.replace(rung, due_at=None)
    for segment_id in sorted(deciding.member.segments):
        inside = deciding.member.segments[segment_id]
        if inside.due_at is not None and inside.due_at <= deciding.now:
            deciding.member.segments[segment_id] = structs.replace(inside, due_at=None)
            deciding.touched.add(f"segment.{segment_id}")


def _metric_due(deciding: Deciding, metric: Metric, book: Book) -> None:
    now = deciding.now
    holds = tuple(hold for hold in book.holds if hold.until > now)
    book, released, counts = lots.release(structs.replace(book, holds=holds), now)
    keep_book(deciding, metric, book)
    settle(deciding, metric)
    cause = f"{EXPIRY}.{metric.metric_id}"
    if released:
        amount = shown(released, metric.decimals)
        deciding.follow("metric.released", {"metric": metric.metric_id, "amount": amount}, cause)
    if counts:
        count_earned(deciding, metric.metric_id, counts, now)  # which may pay the same metric: its book is read again
    _remind(deciding, metric, cause)
    expire(deciding, metric)


def _remind(deciding: Deciding, metric: Metric, cause: str) -> None:
    """Notify once of each lot that expires soon; the lots of one instant in one event."""
    remind_at = reminders(deciding, metric.expiry)
    book = deciding.member.balances[metric.metric_id].book
    if remind_at is None or book is None:
        return
    soon = [
        lot
        for lot in book.lots
        if lot.expires_at is not None
        and not lot.reminded
        and remind_at(lot.expires_at) <= deciding.now < lot.expires_at
    ]
    for expires_at in sorted({lot.expires_at for lot in soon if lot.expires_at is not None}):
        amount = sum(lot.amount for lot in soon if lot.expires_at == expires_at)
        data = {
            "metric": metric.metric_id,
            "amount": shown(amount, metric.decimals),
            "expiresAt": expires_at.isoformat().replace("+00:00", "Z"),
        }
        deciding.follow("metric.expiring", data, cause)
    if soon:
        numbers = {lot.number for lot in soon}
        marked = tuple(structs.replace(lot, reminded=True) if lot.number in numbers else lot for lot in book.lots)
        keep_book(deciding, metric, structs.replace(book, lots=marked))
