"""What is done by hand: credits, debits, holds, transfers (guide: Points that live)."""

from datetime import datetime
from typing import Any

from . import points
from .amounts import Json


def transaction(world: Any, member: Json, what: Json) -> str | None:
    """A credit or a debit: multipliers and caps are for what is earned by a campaign."""
    metric_id, amount = what["metric"], what["amount"]
    if amount < 0:
        return points.debit(world, member, metric_id, -amount, "manual")
    book, metric = points.book_of(world, member, metric_id), world.metric(metric_id)
    fitting, why = points.under_maximum(metric, book, amount)
    if why is not None:
        return why
    if what.get("expiresAt") is None:
        return points.credit(world, member, metric_id, fitting, "manual")
    if fitting < amount:
        return "balance_at_maximum"
    done = book.begin(world.now, "manual", earned=True, reason=None)
    book.put(done, amount, datetime.fromisoformat(what["expiresAt"]), None)
    points.written(world, member, metric_id, done)
    return None


def bring_in(world: Any, member: Json, what: Json) -> str | None:
    """What a member comes with: in `lifetime`, but counts on no ladder and in no competition, whenever it is released."""
    metric_id, amount = what["metric"], what["amount"]
    book, metric = points.book_of(world, member, metric_id), world.metric(metric_id)
    if points.under_maximum(metric, book, amount) != (amount, None):
        return "balance_at_maximum"
    until, expires = (what.get(name) and datetime.fromisoformat(what[name]) for name in ("availableAt", "expiresAt"))
    done = book.begin(world.now, "import", earned=True, reason="Import", counts=False)
    book.put(done, amount, expires, until)
    points.written(world, member, metric_id, done)
    return None


def hold(world: Any, member: Json, what: Json) -> str | None:
    """Reserves points; they are neither spent nor reversed, and do not expire before the hold ends."""
    metric_id, name = what["metric"], what["holdId"]
    book, metric = points.book_of(world, member, metric_id), world.metric(metric_id)
    held = book.holds.get(name)
    if what["action"] == "place":
        free = book.available + (held["amount"] if held else 0)  # one of the same id is replaced
        if free - what["amount"] < (points.bound(metric, "minimum", 0) or 0):
            return "balance_insufficient"
        book.hold(name, what["amount"], datetime.fromisoformat(what["until"]))
    elif held is None:
        return "hold_not_found"
    elif what["action"] == "release":
        del book.holds[name]
    else:
        amount = min(what["amount"] or held["amount"], held["amount"])
        done = book.begin(world.now, "manual", earned=False, reason=None)
        book.capture(done, name, amount)
        points.written(world, member, metric_id, done)
    book.pay_off(world.now, f"expiry.{metric_id}")  # with what is held no longer
    points.expire(world, member, metric_id)  # what only the hold has kept
    return None


def transfer(world: Any, sender: Json, receiver: Json, what: Json) -> str | None:
    """Moves points with their expiries; what the sender owes for arrives with the metric's own. Both or neither."""
    metric_id, amount = what["metric"], what["amount"]
    metric = world.metric(metric_id)
    maximum = points.bound(metric, "maximum", None)
    theirs = points.book_of(world, receiver, metric_id)
    if maximum is not None and theirs.balance + amount > maximum:
        return "balance_at_maximum"
    why = points.debit(
        world, sender, metric_id, amount, "manual", transfer=(receiver["user"], len(theirs.transactions))
    )
    if why is not None:
        return why
    sent = sender["books"][metric_id].transactions[-1]
    done = theirs.begin(world.now, "manual", earned=False, reason=None, transfer=(sender["user"], sent["number"]))
    for expires, moved in parts_of(sent):
        theirs.put(done, moved, expires, None)
    if sent["debt"]:
        theirs.put(done, -sent["debt"], points.expiry(world, metric, theirs), None)
    points.written(world, receiver, metric_id, done)
    return None


def parts_of(sent: Json) -> list[tuple[datetime | None, int]]:
    """What was sent, by the expiry of its lots."""
    found: dict[int, tuple[datetime | None, int]] = {}
    for move in sent["moves"]:
        found[move["lot"]] = (move["expires"], found.get(move["lot"], (None, 0))[1] - move["amount"])
    return list(found.values())
