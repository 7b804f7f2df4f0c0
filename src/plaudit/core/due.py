"""Decide a timer: run everything that is due for a member at its time, in a fixed order."""

from msgspec import structs

from .cause import Cause, expiry_cause
from .context import Context
from .ledger import lots
from .ledger.lots import EMPTY, Book
from .ledger.post import count_earned, expire, reminders, replace_book, settle
from .mechanic_rules import MECHANIC_RULES, cause_of
from .metrics import Metric, to_number

_DUE = ~2  # the part number of a document's timer, to tell it from the part in which the document meets an event


def run_due(context: Context) -> None:
    """Run what is due now: for each metric the ends of holds, releases, reminders and expiries; then the mechanics.

    If a part raises, its due time is removed until something else changes the part. Otherwise it would block all of the
    member's events.
    """
    for metric_id in sorted(context.member.balances):
        book = context.member.balances[metric_id].book
        metric = context.program.metrics.get(metric_id)
        if book is None or metric is None or book.due_at is None or book.due_at > context.now:
            continue
        if not context.contain(_run_metric_due, metric, book, cause=expiry_cause(metric_id)):
            balance = context.member.balances[metric_id]
            without_due = structs.replace(balance.book or EMPTY, due_at=None)
            context.member.balances[metric_id] = structs.replace(balance, book=without_due)
    _run_mechanics(context)


def _run_mechanics(context: Context) -> None:
    for kind, rules in MECHANIC_RULES.items():
        states = context.member.states.get(kind)
        if not states:
            continue
        for document_id in sorted(states):
            state = states[document_id]
            if state.due_at is None or state.due_at > context.now:
                continue
            compiled = context.program.compiled(kind, document_id)
            is_paused = compiled is None or rules.is_dormant(compiled)  # the state then stays as it is
            cause = cause_of(kind, document_id)
            if is_paused or not context.contain(rules.run_due, compiled, state, cause=cause, number=_DUE):
                states[document_id] = rules.without_due(states[document_id])


def _run_metric_due(context: Context, metric: Metric, book: Book) -> None:
    now = context.now
    holds = tuple(hold for hold in book.holds if hold.until > now)
    book, released, counts = lots.release(structs.replace(book, holds=holds), now)
    replace_book(context, metric, book)
    settle(context, metric)
    cause = expiry_cause(metric.metric_id)
    if released:
        amount = to_number(released, metric.decimals)
        context.emit("metric.released", {"metric": metric.metric_id, "amount": amount}, cause)
    if counts:
        count_earned(context, metric.metric_id, counts, now)  # this may credit the same metric, so read its book again
    _send_reminders(context, metric, cause)
    expire(context, metric)


def _send_reminders(context: Context, metric: Metric, cause: Cause) -> None:
    """Notify the member once of each lot that expires soon; lots with the same expiry share one event."""
    remind_at = reminders(context, metric.expiry)
    book = context.member.balances[metric.metric_id].book
    if remind_at is None or book is None:
        return
    soon = [
        lot
        for lot in book.lots
        if lot.expires_at is not None and not lot.reminded and remind_at(lot.expires_at) <= context.now < lot.expires_at
    ]
    for expires_at in sorted({lot.expires_at for lot in soon if lot.expires_at is not None}):
        amount = sum(lot.amount for lot in soon if lot.expires_at == expires_at)
        data = {
            "metric": metric.metric_id,
            "amount": to_number(amount, metric.decimals),
            "expiresAt": expires_at.isoformat().replace("+00:00", "Z"),
        }
        context.emit("metric.expiring", data, cause)
    if soon:
        numbers = {lot.number for lot in soon}
        marked = tuple(structs.replace(lot, reminded=True) if lot.number in numbers else lot for lot in book.lots)
        replace_book(context, metric, structs.replace(book, lots=marked))
