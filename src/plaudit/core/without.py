"""Find the results of a campaign: decide a member's log again, with and without it, and compare.

    the log ──► as it was decided             ──► the actual member               ─┐
          └───► without the campaign's doings ──► the member without the campaign ─┴─► the rollback's order

Only results that exist because of the campaign are undone. If the campaign prevented another from paying, that is not
paid now. What the member did with the results (spend, transfer, redeem) stays.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct, field, structs

from .cause import CauseKind
from .commands.rollback import Coupon, Rollback, Undone, is_something, rollback_of
from .decide import decide, run_due_timers
from .decide_one import decide_one
from .decision import ClaimKind, Decision, IssuedCoupon, Notification, Trace, Transaction, TransactionDetails
from .doings import Doings, Happened
from .event import BACKFILL, REVERSAL, ROLLBACK, TAKEOVER, TIMER
from .ledger import matching
from .ledger.lots import Posting
from .mechanic_rules import MECHANIC_RULES, documents_that_counted
from .member import Member, Progress
from .metrics import available_at
from .program import Program

T = TypeVar("T")
Row = dict[str, Any]  # a transaction as the ledger stores it

# The kinds of causes whose transactions no campaign brings about: someone acted, or time passed.
_NOT_OF_CAMPAIGNS: frozenset[str] = frozenset(
    {
        CauseKind.manual, CauseKind.opening, CauseKind.expiry, CauseKind.merge, CauseKind.redemption, CauseKind.imported,
    }
)  # fmt: skip


class _Judged(Struct, frozen=True):
    """The programme that decided an event, and the decision's trace."""

    program: Program
    trace: Sequence[Trace]


# A transaction that the campaign caused, wholly or partly: the member's id, the transaction, and the amount caused.
_ExcessTransaction = tuple[UUID, Transaction, int, _Judged]


class _Differences(Struct):
    """The results that exist because of the campaign, and what is needed to undo them.

    `timers` has the timer events by member id and time. `booked` has all transactions as rows, by member id and metric.
    `unchanged` has the ids of transactions that would also exist without the campaign, and `withdrawn` those of coupons
    and notifications that earlier rollbacks withdrew.
    """

    transactions: list[_ExcessTransaction] = field(default_factory=list[_ExcessTransaction])
    timers: dict[tuple[UUID, datetime], _Judged] = field(default_factory=dict[tuple[UUID, datetime], _Judged])
    coupons: list[IssuedCoupon] = field(default_factory=list[IssuedCoupon])
    notifications: list[UUID] = field(default_factory=list[UUID])
    claims: Counter[tuple[ClaimKind, str]] = field(default_factory=Counter[tuple[ClaimKind, str]])
    booked: dict[tuple[UUID, str], list[Row]] = field(default_factory=dict[tuple[UUID, str], list[Row]])
    unchanged: set[UUID] = field(default_factory=set[UUID])
    withdrawn: set[UUID] = field(default_factory=set[UUID])

    def book(self, member: Member, transactions: Iterable[Transaction]) -> None:
        for transaction in transactions:
            self.booked.setdefault((member.member_id, transaction.metric), []).append(_row_of(transaction))


def undoing(
    log: Sequence[Happened], blank: Member, doings: Doings, program: Program, now: datetime
) -> tuple[Rollback | None, Member]:
    """Return the order that undoes a campaign's results for a member (or None), and the member as of `now`.

    `log` must be complete; `blank` is the member before its first event.
    """
    differences, programmes = _Differences(), _Programs()
    real, would, _ = _go_through(differences, programmes, log, blank, [doings, *_undone_before(log)])
    for timer, decision in run_due_timers(program, real, now):
        real = decision.member
        differences.book(real, decision.transactions)
        differences.timers[real.member_id, timer.occurred_at] = _Judged(program, decision.trace)
    lenient = programmes.lenient(program, frozenset())
    for timer in run_due_timers(lenient, structs.replace(would, sequence=real.sequence), now):
        would = timer[1].member
    return _order(differences, real, would, doings, program), real


def _go_through(
    differences: _Differences,
    programmes: "_Programs",
    log: Sequence[Happened],
    blank: Member,
    all_doings: Sequence[Doings],
) -> tuple[Member, Member, Sequence[Decision]]:
    """Collect the differences in a log. Return the actual member, the one without the campaign, and its last decisions."""
    real = would = blank
    decisions: Sequence[Decision] = ()
    for happened in log:
        before = real
        was = decide_one(happened.program, real, happened.event, happened.refused)
        real = was.member
        differences.book(real, was.transactions)
        if happened.event.kind == TIMER:
            differences.timers[real.member_id, happened.event.occurred_at] = _Judged(happened.program, was.trace)
        order = rollback_of(happened.event.data) if happened.event.kind == ROLLBACK and not happened.rejected else None
        if order is not None and was.withdrawn is not None:
            differences.withdrawn.update(was.withdrawn.coupons, was.withdrawn.notifications)
        if happened.rejected or (order is not None and order.campaign_id is not None):
            continue
        if (
            happened.event.kind == REVERSAL
            and UUID(str(happened.event.data["transactionId"])) not in differences.unchanged
        ):
            continue
        would = structs.replace(would, sequence=before.sequence)  # the ids of timers are derived from it
        left_out = frozenset(doing.campaign_id for doing in all_doings if doing.cover(happened.event))
        if happened.event.kind == BACKFILL and str(happened.event.data.get("campaignId")) in left_out:
            _compare(differences, real, happened, was, [])
            continue
        decisions = _without(
            programmes, _as_handed_over(differences, programmes, happened, all_doings), would, was, left_out
        )
        if decisions:
            would = decisions[-1].member
        if not decisions or decisions[-1].refusal is None:
            _compare(differences, real, happened, was, decisions)
    return real, would, decisions


def _as_handed_over(
    differences: _Differences, programmes: "_Programs", happened: Happened, all_doings: Sequence[Doings]
) -> Happened:
    """Return a takeover with what the merged member would have had without the campaign; any other event unchanged."""
    if not happened.former:
        return happened
    first = happened.former[0].event
    blank = Member(member_id=first.member_id, user_id=first.user_id)
    _, _, merged = _go_through(differences, programmes, happened.former, blank, all_doings)
    handed = next(
        (follow_up.data for decision in merged for follow_up in decision.follow_ups if follow_up.kind == TAKEOVER), None
    )
    return happened if handed is None else structs.replace(happened, event=structs.replace(happened.event, data=handed))


def _undone_before(log: Iterable[Happened]) -> Iterator[Doings]:
    for happened in log:
        yield from _undone_before(happened.former)
        if happened.event.kind == ROLLBACK and not happened.rejected:
            order = rollback_of(happened.event.data)
            if order.campaign_id is not None:
                yield Doings(order.campaign_id, order.since, order.until, order.of_event)


class _Programs:
    """A cache of programmes without some campaigns, in which metrics have no minimum, so debits succeed."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, frozenset[str]], Program] = {}

    def lenient(self, program: Program, left_out: frozenset[str]) -> Program:
        """Return the programme without the campaigns `left_out`."""
        key = (id(program), left_out)
        if key not in self._made:
            listeners = {
                trigger: tuple(listener for listener in listeners if listener.campaign.campaign_id not in left_out)
                if left_out
                else listeners
                for trigger, listeners in program.listeners.items()
            }
            metrics = {name: structs.replace(metric, minimum=None) for name, metric in program.metrics.items()}
            self._made[key] = structs.replace(program, listeners=listeners, metrics=metrics)
        return self._made[key]


def _without(
    programmes: "_Programs", happened: Happened, would: Member, was: Decision, left_out: frozenset[str]
) -> list[Decision]:
    """Decide an event without some campaigns, and without campaigns that fire only because those are missing."""
    fired = Counter(_campaigns_fired(was))
    while True:
        program = programmes.lenient(happened.program, left_out)
        if happened.event.kind == TIMER:
            decisions = [decision for _, decision in run_due_timers(program, would, happened.event.occurred_at)]
        else:
            decisions = [decision for _, decision in decide(program, would, happened.event, happened.refused)]
        fires = Counter(campaign_id for decision in decisions for campaign_id in _campaigns_fired(decision))
        added = {campaign_id for campaign_id, number in fires.items() if number > fired[campaign_id]} - left_out
        added = added and added & set(happened.program.campaigns())
        if not added:
            return decisions
        left_out |= added


def _campaigns_fired(decision: Decision) -> Iterator[str]:
    for trace in decision.trace:
        campaign_id = trace.cause.campaign_id
        if trace.refusal is None and campaign_id is not None:
            yield campaign_id


def _compare(
    differences: _Differences, member: Member, happened: Happened, was: Decision, would: Sequence[Decision]
) -> None:
    """Collect an event's results that it would not have without the campaign."""
    transactions = [transaction for decision in would for transaction in decision.transactions]
    for transaction, other in _paired(
        was.transactions, transactions, lambda transaction: transaction.transaction_id, _place_of
    ):
        if other is not None:
            differences.unchanged.add(transaction.transaction_id)
        if transaction.cause.kind in _NOT_OF_CAMPAIGNS or transaction.reverses is not None:
            differences.unchanged.add(transaction.transaction_id)
            continue
        expected = other.amount if other is not None and (other.amount > 0) == (transaction.amount > 0) else 0
        excess = abs(transaction.amount) - abs(expected)
        if excess > 0:
            differences.transactions.append(
                (member.member_id, transaction, excess, _Judged(happened.program, was.trace))
            )
    coupons = [issued_coupon for decision in would for issued_coupon in decision.coupons]
    for coupon, other in _paired(was.coupons, coupons, lambda issued_coupon: issued_coupon.coupon_id, _origin_of):
        if other is None:
            differences.coupons.append(coupon)
    notes = [notification for decision in would for notification in decision.notifications]
    for note, other in _paired(was.notifications, notes, lambda notification: notification.notification_id, _kind_of):
        if other is None:
            differences.notifications.append(note.notification_id)
    for sign, claims in ((1, was.claims), (-1, [item for decision in would for item in decision.claims])):
        for claim in claims:
            if claim.claim_id not in happened.refused:
                differences.claims[claim.kind, claim.key] += sign * claim.quantity


def _place_of(transaction: Transaction) -> Hashable:
    return transaction.cause, transaction.step, transaction.index, transaction.metric


def _origin_of(issued_coupon: IssuedCoupon) -> Hashable:
    return issued_coupon.cause, issued_coupon.origin_id, issued_coupon.pool_id


def _kind_of(notification: Notification) -> Hashable:
    return notification.cause, notification.type, notification.step


def _paired(
    actual: Iterable[T], simulated: Iterable[T], id_of: Callable[[T], UUID], alike: Callable[[T], Hashable]
) -> Iterator[tuple[T, T | None]]:
    """Pair actual results with simulated ones by id, or else by `alike`: ids in a cascade depend on earlier events."""
    others_by_id = {id_of(other): other for other in simulated}
    unpaired: list[T] = []
    for result in actual:
        other = others_by_id.pop(id_of(result), None)
        if other is not None and alike(other) == alike(result):
            yield result, other
        else:
            if other is not None:
                others_by_id[id_of(result)] = other
            unpaired.append(result)
    by_kind: dict[Hashable, list[T]] = defaultdict(list)
    for other in others_by_id.values():
        by_kind[alike(other)].append(other)
    for result in unpaired:
        candidates = by_kind.get(alike(result))
        yield result, candidates.pop(0) if candidates else None


def _order(differences: _Differences, real: Member, would: Member, doings: Doings, program: Program) -> Rollback | None:
    """Return the order that undoes the differences, or None."""
    caps = {key: number for (kind, key), number in differences.claims.items() if kind is ClaimKind.cap and number > 0}
    stock = {
        key: number for (kind, key), number in differences.claims.items() if kind is ClaimKind.stock and number > 0
    }
    products = _fewer(
        {holding_id: held.quantity for holding_id, held in real.holdings.items()},
        {holding_id: held.quantity for holding_id, held in would.holdings.items()},
    )
    order = Rollback(
        campaign_id=doings.campaign_id,
        since=doings.since,
        until=doings.until,
        of_event=doings.of_event,
        sequence=real.sequence,
        transactions=tuple(_transactions(differences, real)),
        products=products,
        stock={text: number for text, number in stock.items() if text in products},
        caps=_since_given_back(caps, real, would),
        coupons=tuple(
            Coupon(coupon.coupon_id, coupon.origin_id, coupon.pool_id, coupon.code or "")
            for coupon in differences.coupons
            if coupon.coupon_id not in differences.withdrawn
        ),
        notifications=tuple(
            notification for notification in differences.notifications if notification not in differences.withdrawn
        ),
        progress={
            text: would.progress.get(text, Progress())
            for text, state in real.progress.items()
            if state != would.progress.get(text, Progress())
        },
        parts={kind: parts for kind, rules in MECHANIC_RULES.items() if (parts := rules.to_undo(program, real, would))},
        attributes={
            name: would.attributes.get(name)
            for name, value in real.attributes.items()
            if value != would.attributes.get(name)
        }
        | {name: value for name, value in would.attributes.items() if name not in real.attributes},
        reason=f"Rolled back: {doings.campaign_id}",
    )
    return order if is_something(order) else None


def _since_given_back(caps: Mapping[str, int], real: Member, would: Member) -> dict[str, int]:
    """Return the completions that return to the overall limits: at most those that the member loses now."""
    fewer = {
        cap: max(real.progress.get(cap, Progress()).completions - would.progress.get(cap, Progress()).completions, 0)
        for cap in caps
    }
    return {cap_id: min(number, fewer[cap_id]) for cap_id, number in caps.items() if min(number, fewer[cap_id])}


def _fewer(real: Mapping[str, int], would: Mapping[str, int]) -> dict[str, int]:
    return {key: number - would.get(key, 0) for key, number in real.items() if number > would.get(key, 0)}


def _transactions(differences: _Differences, real: Member) -> Iterator[Undone]:
    """Yield the transactions to reverse, newest first, as far as they are not reversed."""
    expired = {key: matching.expired_by(rows) for key, rows in differences.booked.items()}
    back = {key: matching.reversals_by(rows) for key, rows in differences.booked.items()}
    for member_id, transaction, excess, judged in reversed(differences.transactions):
        balance, metric = real.balances.get(transaction.metric), judged.program.metrics.get(transaction.metric)
        book = None if balance is None else balance.book
        take = excess - (0 if book is None else book.reversed.get(str(transaction.transaction_id), 0))
        if take <= 0 or metric is None:
            continue
        key = (member_id, transaction.metric)
        parts: Sequence[Posting] = ()
        if transaction.postings:
            parts = matching.parts_left(_row_of(transaction), back[key].get(transaction.transaction_id, ()))
        at = available_at(metric, transaction.occurred_at, judged.program.settings.time_zone)
        by = differences.timers.get((member_id, at), judged) if metric.pending_days else judged
        counted_in = documents_that_counted(by.program, by.trace, transaction.metric, real.user_id, at, at)
        yield Undone(
            transaction_id=transaction.transaction_id,
            metric=transaction.metric,
            amount=transaction.amount,
            take=take,
            parts=tuple(parts),
            reason=f"Rolled back: {transaction.cause.text}",
            expired=expired[key].get(transaction.transaction_id, 0) if transaction.amount > 0 else 0,
            earned=transaction.amount > 0,
            counted_at=at,
            counted_in=counted_in,
            merged=member_id != real.member_id,
            logged=transaction.cause.logged,
        )


def _row_of(transaction: Transaction) -> Row:
    """Return a transaction as a row of the ledger."""
    details = msgspec.json.encode(TransactionDetails(transaction.postings)) if transaction.postings else None
    return {
        "transaction_id": transaction.transaction_id, "metric": transaction.metric, "amount": transaction.amount, "cause_kind": transaction.cause.kind,
        "reverses": transaction.reverses, "details": details,
    }  # fmt: skip
