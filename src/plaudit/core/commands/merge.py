"""Two members become one: the one hands over all that there is, the other takes it over and goes on for both.

    merge, at the one who is no more ──► all lots are debited, all else is let go ──► takeover, at the other: credited, added

What both have is added up, and where that makes no sense the better of the two counts: nothing is lost. It is not earned
a second time, so no multiplier, cap, ladder or competition counts it; what was earned ever goes along (`lifetime`).
Whatever is decided at the one later is passed on to the other.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, field, structs

from plaudit.core import campaigns, cause, competitions, ladders, segments
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, FollowUp, ProductChange, Refusal, Trace
from plaudit.core.event import IMPORT, MERGE, REVERSAL, ROLLBACK, SEGMENT, TAKEOVER, TIMER, Event
from plaudit.core.ids import derived_id
from plaudit.core.ledger import lots
from plaudit.core.ledger.lots import Posting
from plaudit.core.ledger.post import MERGED, append_transaction, balance_of, in_lots, open_book, replace_book
from plaudit.core.mechanic_rules import MECHANIC_RULES, states_as_logged, states_from_log
from plaudit.core.member import Balance, Holding, LadderState, Member, Progress, SegmentState, Standing, states_of
from plaudit.core.metrics import AMOUNT_MAX, Metric
from plaudit.core.profile_fields import REFERRALS

# These are about this very member, or have nobody who would wait for an answer: they are refused.
_NOT_PASSED_ON = frozenset({MERGE, TAKEOVER, TIMER, SEGMENT, IMPORT, ROLLBACK})


class Handed(Struct, frozen=True, rename="camel"):
    """All that a member has, in the form that the log keeps; the states of mechanics are added to it."""

    user_id: str = field(name="from")
    merge_id: UUID | None = None
    attributes: dict[str, Any] = {}
    balances: dict[str, Balance] = {}
    progress: dict[str, Progress] = {}
    ladders: dict[str, LadderState] = {}
    segments: dict[str, SegmentState] = {}
    standings: dict[str, Standing] = {}
    holdings: dict[str, Holding] = {}
    coupons: dict[str, int] = {}
    entries: dict[str, int] = {}
    active_at: datetime | None = None


def takeover_id(merge_id: UUID) -> UUID:
    """Return the id of the event by which what a merge hands over arrives."""
    return derived_id(merge_id, TAKEOVER)


def is_passed_on(member: Member, event: Event) -> bool:
    """Return whether an event is not decided at a member: it is once they go on as another, until that is reversed."""
    return member.merged_into is not None and not (event.kind == REVERSAL and event.data.get("reopens") is True)


def pass_on(context: Context) -> Refusal:
    """Pass an event on to the member whom this one goes on as. Return why it is not decided here."""
    event, user_id = context.event, context.member.merged_into
    assert user_id is not None
    if event.kind == MERGE:
        return Refusal.already_merged
    if event.kind not in _NOT_PASSED_ON:
        event_id = passed_on_id(event.event_id)
        told = {"into": user_id, "eventId": str(event_id)}
        context.trace.append(Trace(cause.MERGE.logged, 0, 0, Refusal.member_merged, [], [], None, told))
        context.follow_ups.append(
            FollowUp(
                event_id=event_id,
                user_id=user_id,
                kind=event.kind,
                trigger=event.trigger,
                occurred_at=event.occurred_at,
                data=event.data,
                metadata=event.metadata,
            )
        )
    return Refusal.member_merged


def passed_on_id(event_id: UUID) -> UUID:
    """Return the id under which an event is passed on."""
    return derived_id(event_id, MERGED)


def hand_over(context: Context) -> None:
    """Hand over everything. What is of a metric that the programme no longer has stays where it is."""
    member, into = context.member, str(context.event.data["into"])
    metrics = context.program.metrics
    kept = {balance_id: balance for balance_id, balance in member.balances.items() if balance_id not in metrics}
    handed = Handed(
        member.user_id, context.event.event_id, member.attributes, {balance_id: value for balance_id, value in member.balances.items() if balance_id in metrics},
        dict(member.progress), dict(member.ladders), dict(member.segments),
        dict(member.standings), dict(member.holdings), dict(member.coupons), dict(member.entries), member.active_at,
    )  # fmt: skip
    data = msgspec.to_builtins(handed, str_keys=True) | states_as_logged(member.states)
    effects: list[EffectTrace] = []
    for index, (metric_id, balance) in enumerate(sorted(handed.balances.items())):
        effects += _debit(context, metrics[metric_id], balance, index)
    for metric_id, balance in kept.items():
        if balance.book is not None:
            member.balances[metric_id] = structs.replace(balance, book=structs.replace(balance.book, due_at=None))
    context.items += [
        ProductChange(cause.MERGE.logged, name, -had.quantity) for name, had in sorted(member.holdings.items())
    ]
    member.progress, member.ladders, member.segments, member.states = {}, {}, {}, {}
    member.standings, member.holdings, member.coupons, member.entries = {}, {}, {}, {}
    member.merged_into = into
    context.scope.forget_names()
    context.changed_parts.clear()
    context.trace.append(Trace(cause.MERGE.logged, 0, 0, None, [], effects, None, {"into": into}))
    context.follow_ups.append(
        FollowUp(
            event_id=takeover_id(context.event.event_id),
            user_id=into,
            kind=TAKEOVER,
            trigger=TAKEOVER,
            occurred_at=context.now,
            data=data,
        )
    )


def _debit(context: Context, metric: Metric, balance: Balance, index: int) -> list[EffectTrace]:
    book, parts = balance.book, None
    if book is not None:
        if book.lots:
            parts = tuple(Posting(lot.number, -lot.amount, lot.expires_at) for lot in book.lots)
        book = structs.replace(book, lots=(), holds=(), corrections=(), due_at=None)
    place = EffectPlace(cause.MERGE, 0, index)
    if not (balance.amount or balance.earned or parts):
        context.member.balances[metric.metric_id] = structs.replace(balance, book=book)
        return []
    amount = -balance.amount
    append_transaction(context, place, metric, amount, book, parts, MERGED, lifetime=-balance.earned)
    return [EffectTrace(index, None, amount)]


def take_over(context: Context) -> Refusal | None:
    """Take over what somebody else had. Refused as a whole when a balance would be out of its bounds."""
    handed = msgspec.convert(context.event.data, Handed, strict=False, str_keys=True)
    member, program = context.member, context.program
    context.taken_over = handed.user_id
    referred = [int(row.get(REFERRALS, 0)) for row in (handed.attributes, member.attributes)]
    counted = {REFERRALS: sum(referred)} if any(referred) else {}
    member.attributes = {**handed.attributes, **member.attributes, **counted}
    context.changed_parts.add("all")
    effects: list[EffectTrace] = []
    for index, (metric_id, balance) in enumerate(sorted(handed.balances.items())):
        metric = program.metrics.get(metric_id)
        refusal = Refusal.metric_not_found if metric is None else _credit(context, metric, balance, index)
        if refusal is not None:
            return refusal
        effects.append(EffectTrace(index, None, balance.amount))
    for product_id, had in sorted(handed.holdings.items()):
        _add_holding(context, product_id, had)
    for origin_id, number in handed.coupons.items():
        member.coupons[origin_id] = member.coupons.get(origin_id, 0) + number
    for competition_id, number in handed.entries.items():
        member.entries[competition_id] = member.entries.get(competition_id, 0) + number
    if handed.active_at is not None:
        member.active_at = max(handed.active_at, member.active_at or handed.active_at)
    context.scope.forget_names()
    context.trace.append(Trace(cause.MERGE.logged, 0, 0, None, [], effects, None, {"from": handed.user_id}))
    _add_mechanics(context, handed)
    context.emit("user.merged", {"userId": member.user_id, "from": handed.user_id}, cause.MERGE)
    return None


def _credit(context: Context, metric: Metric, balance: Balance, index: int) -> Refusal | None:
    before = balance_of(context, metric)
    after = before.amount + balance.amount
    if after > AMOUNT_MAX or (metric.maximum is not None and after > metric.maximum and balance.amount > 0):
        return Refusal.balance_at_maximum
    if after < -AMOUNT_MAX or (metric.minimum is not None and after < metric.minimum and not metric.into_debt):
        return Refusal.balance_insufficient
    theirs, parts = balance.book, None
    book = before.book
    if in_lots(metric, before) or in_lots(metric, balance):
        book, parts = lots.united(open_book(before), open_book(balance))
    elif theirs is not None:
        book, _ = lots.united(book or lots.EMPTY, theirs)
    place = EffectPlace(cause.MERGE, 0, index)
    if balance.amount or balance.earned or parts:
        append_transaction(context, place, metric, balance.amount, book, parts, MERGED, lifetime=balance.earned)
    elif book is not None:
        replace_book(context, metric, book)
    return None


def _add_holding(context: Context, product_id: str, had: Holding) -> None:
    product, own = context.program.products.get(product_id), context.member.holdings.get(product_id)
    before = 0 if own is None else own.quantity
    quantity = before + had.quantity
    if product is not None and product.type == "badge":  # which one has or has not
        quantity = max(before, had.quantity)
    first_at: datetime = had.first_at if own is None else min(own.first_at, had.first_at)
    last_at: datetime = had.last_at if own is None else max(own.last_at, had.last_at)
    context.member.holdings[product_id] = Holding(quantity, first_at, last_at)
    if quantity > before:
        context.items.append(ProductChange(cause.MERGE.logged, product_id, quantity - before))


def _add_mechanics(context: Context, handed: Handed) -> None:
    """How far the other was; what the programme no longer has is kept as it is, unless the member has its own."""
    member, program = context.member, context.program
    by_id = program.campaigns()
    for competition_id, standing in sorted(handed.standings.items()):
        competitions.take_over(context, program.competitions.get(competition_id), competition_id, standing)
    for segment_id, inside in sorted(handed.segments.items()):
        if segment_id in program.segments:
            segments.take_over(context, program.segments[segment_id], inside)
    for ladder_id, place in sorted(handed.ladders.items()):
        if ladder_id in program.ladders:
            ladders.take_over(context, program.ladders[ladder_id], place)
        else:
            member.ladders.setdefault(ladder_id, structs.replace(place, due_at=None))
    for kind, rules in MECHANIC_RULES.items():
        for document_id, state in sorted(states_from_log(rules, context.event.data.get(rules.collection)).items()):
            compiled = program.compiled(kind, document_id)
            if compiled is not None:
                rules.take_over(context, document_id, compiled, state)
            else:
                states_of(member, kind).setdefault(document_id, rules.without_due(state))
    for campaign_id, progress in sorted(handed.progress.items()):
        campaigns.take_over(context, campaign_id, by_id.get(campaign_id), progress)
