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

from . import campaigns, competitions, ladders, lots, segments, streaks
from .deciding import Deciding, Place
from .decision import Considered, EffectTrace, ItemChange, Onward, Refusal
from .earned import MERGE_CAMPAIGN
from .event import IMPORT, MERGE, REVERSAL, ROLLBACK, SEGMENT, TAKEOVER, TIMER, Event
from .fields import REFERRALS
from .ids import derived_id
from .ledger import MERGED, balance_of, in_lots, keep_book, opened, write
from .lots import Part
from .member import Balance, Holding, LadderState, Member, Progress, SegmentState, Standing, StreakState
from .metrics import AMOUNT_MAX, Metric

# These are about this very member, or have nobody who would wait for an answer: they are refused.
_NOT_PASSED_ON = frozenset({MERGE, TAKEOVER, TIMER, SEGMENT, IMPORT, ROLLBACK})


class Handed(Struct, frozen=True, rename="camel"):
    """All that a member has, in the form that the log keeps."""

    user_id: str = field(name="from")
    merge_id: UUID | None = None
    attributes: dict[str, Any] = {}
    balances: dict[str, Balance] = {}
    progress: dict[str, Progress] = {}
    streaks: dict[str, StreakState] = {}
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


def pass_on(deciding: Deciding) -> Refusal:
    """Pass an event on to the member whom this one goes on as. Return why it is not decided here."""
    event, user_id = deciding.event, deciding.member.merged_into
    assert user_id is not None
    if event.kind == MERGE:
        return Refusal.already_merged
    if event.kind not in _NOT_PASSED_ON:
        event_id = passed_on_id(event.event_id)
        told = {"into": user_id, "eventId": str(event_id)}
        deciding.trace.append(Considered(MERGE_CAMPAIGN, 0, 0, Refusal.member_merged, [], [], None, told))
        deciding.onward.append(
            Onward(
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


def hand_over(deciding: Deciding) -> None:
    """Hand over everything. What is of a metric that the programme no longer has stays where it is."""
    member, into = deciding.member, str(deciding.event.data["into"])
    metrics = deciding.program.metrics
    kept = {one: balance for one, balance in member.balances.items() if one not in metrics}
    handed = Handed(
        member.user_id, deciding.event.event_id, member.attributes, {one: each for one, each in member.balances.items() if one in metrics},
        dict(member.progress), dict(member.streaks), dict(member.ladders), dict(member.segments),
        dict(member.standings), dict(member.holdings), dict(member.coupons), dict(member.entries), member.active_at,
    )  # fmt: skip
    effects: list[EffectTrace] = []
    for index, (metric_id, balance) in enumerate(sorted(handed.balances.items())):
        effects += _debit(deciding, metrics[metric_id], balance, index)
    for metric_id, balance in kept.items():
        if balance.book is not None:
            member.balances[metric_id] = structs.replace(balance, book=structs.replace(balance.book, due_at=None))
    deciding.items += [ItemChange(MERGE_CAMPAIGN, one, -had.quantity) for one, had in sorted(member.holdings.items())]
    member.progress, member.streaks, member.ladders, member.segments = {}, {}, {}, {}
    member.standings, member.holdings, member.coupons, member.entries = {}, {}, {}, {}
    member.merged_into = into
    deciding.scope.forget_names()
    deciding.touched.clear()
    deciding.trace.append(Considered(MERGE_CAMPAIGN, 0, 0, None, [], effects, None, {"into": into}))
    deciding.onward.append(
        Onward(
            event_id=takeover_id(deciding.event.event_id),
            user_id=into,
            kind=TAKEOVER,
            trigger=TAKEOVER,
            occurred_at=deciding.now,
            data=msgspec.to_builtins(handed, str_keys=True),
        )
    )


def _debit(deciding: Deciding, metric: Metric, balance: Balance, index: int) -> list[EffectTrace]:
    book, parts = balance.book, None
    if book is not None:
        if book.lots:
            parts = tuple(Part(lot.number, -lot.amount, lot.expires_at) for lot in book.lots)
        book = structs.replace(book, lots=(), holds=(), corrections=(), due_at=None)
    place = Place(MERGE_CAMPAIGN, 0, index)
    if not (balance.amount or balance.earned or parts):
        deciding.member.balances[metric.metric_id] = structs.replace(balance, book=book)
        return []
    amount = -balance.amount
    write(deciding, place, metric, amount, book, parts, MERGED, lifetime=-balance.earned)
    return [EffectTrace(index, None, amount)]


def take_over(deciding: Deciding) -> Refusal | None:
    """Take over what somebody else had. Refused as a whole when a balance would be out of its bounds."""
    handed = msgspec.convert(deciding.event.data, Handed, strict=False, str_keys=True)
    member, program = deciding.member, deciding.program
    deciding.taken_over = handed.user_id
    referred = [int(one.get(REFERRALS, 0)) for one in (handed.attributes, member.attributes)]
    counted = {REFERRALS: sum(referred)} if any(referred) else {}
    member.attributes = {**handed.attributes, **member.attributes, **counted}
    deciding.touched.add("all")
    effects: list[EffectTrace] = []
    for index, (metric_id, balance) in enumerate(sorted(handed.balances.items())):
        metric = program.metrics.get(metric_id)
        refusal = Refusal.metric_missing if metric is None else _credit(deciding, metric, balance, index)
        if refusal is not None:
            return refusal
        effects.append(EffectTrace(index, None, balance.amount))
    for product_id, had in sorted(handed.holdings.items()):
        _add_holding(deciding, product_id, had)
    for origin_id, number in handed.coupons.items():
        member.coupons[origin_id] = member.coupons.get(origin_id, 0) + number
    for competition_id, number in handed.entries.items():
        member.entries[competition_id] = member.entries.get(competition_id, 0) + number
    if handed.active_at is not None:
        member.active_at = max(handed.active_at, member.active_at or handed.active_at)
    deciding.scope.forget_names()
    deciding.trace.append(Considered(MERGE_CAMPAIGN, 0, 0, None, [], effects, None, {"from": handed.user_id}))
    _add_mechanics(deciding, handed)
    deciding.follow("user.merged", {"userId": member.user_id, "from": handed.user_id}, MERGE_CAMPAIGN)
    return None


def _credit(deciding: Deciding, metric: Metric, balance: Balance, index: int) -> Refusal | None:
    before = balance_of(deciding, metric)
    after = before.amount + balance.amount
    if after > AMOUNT_MAX or (metric.maximum is not None and after > metric.maximum and balance.amount > 0):
        return Refusal.maximum_reached
    if after < -AMOUNT_MAX or (metric.minimum is not None and after < metric.minimum and not metric.into_debt):
        return Refusal.balance_insufficient
    theirs, parts = balance.book, None
    book = before.book
    if in_lots(metric, before) or in_lots(metric, balance):
        book, parts = lots.united(opened(before), opened(balance))
    elif theirs is not None:
        book, _ = lots.united(book or lots.EMPTY, theirs)
    place = Place(MERGE_CAMPAIGN, 0, index)
    if balance.amount or balance.earned or parts:
        write(deciding, place, metric, balance.amount, book, parts, MERGED, lifetime=balance.earned)
    elif book is not None:
        keep_book(deciding, metric, book)
    return None


def _add_holding(deciding: Deciding, product_id: str, had: Holding) -> None:
    product, own = deciding.program.products.get(product_id), deciding.member.holdings.get(product_id)
    before = 0 if own is None else own.quantity
    quantity = before + had.quantity
    if product is not None and product.type == "badge":  # which one has or has not
        quantity = max(before, had.quantity)
    first_at: datetime = had.first_at if own is None else min(own.first_at, had.first_at)
    last_at: datetime = had.last_at if own is None else max(own.last_at, had.last_at)
    deciding.member.holdings[product_id] = Holding(quantity, first_at, last_at)
    if quantity > before:
        deciding.items.append(ItemChange(MERGE_CAMPAIGN, product_id, quantity - before))


def _add_mechanics(deciding: Deciding, handed: Handed) -> None:
    """How far the other was; what the programme no longer has is kept as it is, unless the member has its own."""
    member, program = deciding.member, deciding.program
    by_id = program.campaigns()
    for competition_id, standing in sorted(handed.standings.items()):
        competitions.take_over(deciding, program.competitions.get(competition_id), competition_id, standing)
    for segment_id, inside in sorted(handed.segments.items()):
        if segment_id in program.segments:
            segments.take_over(deciding, program.segments[segment_id], inside)
    for ladder_id, place in sorted(handed.ladders.items()):
        if ladder_id in program.ladders:
            ladders.take_over(deciding, program.ladders[ladder_id], place)
        else:
            member.ladders.setdefault(ladder_id, structs.replace(place, due_at=None))
    for streak_id, state in sorted(handed.streaks.items()):
        if streak_id in program.streaks:
            streaks.take_over(deciding, program.streaks[streak_id], state)
        else:
            member.streaks.setdefault(streak_id, structs.replace(state, due_at=None))
    for campaign_id, progress in sorted(handed.progress.items()):
        campaigns.take_over(deciding, campaign_id, by_id.get(campaign_id), progress)
