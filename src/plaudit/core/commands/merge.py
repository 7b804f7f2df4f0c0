"""Merge two members: the merged member hands everything over, and the remaining member takes it over.

    merge, an event of the merged member ──► its lots are debited, everything else is removed
        ──► takeover, an event of the remaining member: credits the lots, adds everything else

Amounts of both members are added. Where adding makes no sense, the better of the two counts, so nothing is lost. The
amounts are not earned again, so no multiplier, cap or mechanic counts them; lifetime amounts move along (`lifetime`).
Later events of the merged member are passed on to the remaining member.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, field, structs

from plaudit.core import cause
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, FollowUp, ProductChange, Refusal, Trace
from plaudit.core.event import MERGE, TAKEOVER
from plaudit.core.ids import takeover_id
from plaudit.core.ledger.lots import Posting
from plaudit.core.ledger.post import MERGED, append_transaction
from plaudit.core.mechanic_rules import states_as_logged
from plaudit.core.member import Balance, Holding, Progress
from plaudit.core.metrics import Metric

from .command_type import CommandType, Strangers


class MergeOrder(Struct, frozen=True):
    """The user id of the member into whom this one is merged."""

    into: str


class Handed(Struct, frozen=True, rename="camel"):
    """Everything that a merged member hands over, as logged. The states of mechanics are added as further keys."""

    user_id: str = field(name="from")
    merge_id: UUID | None = None
    attributes: dict[str, Any] = {}
    balances: dict[str, Balance] = {}
    progress: dict[str, Progress] = {}
    holdings: dict[str, Holding] = {}
    coupons: dict[str, int] = {}
    active_at: datetime | None = None


def _hand_over(context: Context, order: MergeOrder) -> None:
    """Hand over everything, except balances of metrics that the programme no longer has."""
    member, into = context.member, order.into
    metrics = context.program.metrics
    remaining = {metric_id: balance for metric_id, balance in member.balances.items() if metric_id not in metrics}
    handed = Handed(
        member.user_id, context.event.event_id, member.attributes, {metric_id: balance for metric_id, balance in member.balances.items() if metric_id in metrics},
        dict(member.progress), dict(member.holdings), dict(member.coupons), member.active_at,
    )  # fmt: skip
    data = msgspec.to_builtins(handed, str_keys=True) | states_as_logged(member.states)
    effects: list[EffectTrace] = []
    for index, (metric_id, balance) in enumerate(sorted(handed.balances.items())):
        effects += _debit(context, metrics[metric_id], balance, index)
    for metric_id, balance in remaining.items():
        if balance.book is not None:
            member.balances[metric_id] = structs.replace(balance, book=structs.replace(balance.book, due_at=None))
    context.items += [
        ProductChange(cause.MERGE.logged, name, -holding.quantity) for name, holding in sorted(member.holdings.items())
    ]
    member.progress, member.states = {}, {}
    member.holdings, member.coupons = {}, {}
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


COMMAND = CommandType(
    kind=MERGE,
    order=MergeOrder,
    apply=_hand_over,
    strangers=Strangers.are_refused,
    if_merged=Refusal.already_merged,
    is_silent=True,
)
