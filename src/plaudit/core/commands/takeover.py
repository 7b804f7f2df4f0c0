"""Take over everything that a merge hands over, as the remaining member (see `merge`)."""

from datetime import datetime

from plaudit.core import campaigns, cause
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, ProductChange, Refusal, Trace
from plaudit.core.event import TAKEOVER
from plaudit.core.ledger import lots
from plaudit.core.ledger.post import MERGED, append_transaction, balance_of, in_lots, open_book, replace_book
from plaudit.core.mechanic_rules import MECHANIC_RULES
from plaudit.core.member import Balance, Holding
from plaudit.core.metrics import AMOUNT_MAX, Metric
from plaudit.core.profile_fields import REFERRALS

from .command_type import CommandType, Strangers
from .merge import Handed


def _take_over(context: Context, handed: Handed) -> Refusal | None:
    """Take over everything of the merged member. Refuse all of it if a balance would be out of its bounds."""
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
    for product_id, holding in sorted(handed.holdings.items()):
        _add_holding(context, product_id, holding)
    for origin_id, number in handed.coupons.items():
        member.coupons[origin_id] = member.coupons.get(origin_id, 0) + number
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
    book, parts = before.book, None
    if in_lots(metric, before) or in_lots(metric, balance):
        book, parts = lots.united(open_book(before), open_book(balance))
    elif balance.book is not None:
        book, _ = lots.united(book or lots.EMPTY, balance.book)
    place = EffectPlace(cause.MERGE, 0, index)
    if balance.amount or balance.earned or parts:
        append_transaction(context, place, metric, balance.amount, book, parts, MERGED, lifetime=balance.earned)
    elif book is not None:
        replace_book(context, metric, book)
    return None


def _add_holding(context: Context, product_id: str, added: Holding) -> None:
    product, own = context.program.products.get(product_id), context.member.holdings.get(product_id)
    before = 0 if own is None else own.quantity
    quantity = before + added.quantity
    if product is not None and product.type == "badge":  # a member holds a badge at most once
        quantity = max(before, added.quantity)
    first_at: datetime = added.first_at if own is None else min(own.first_at, added.first_at)
    last_at: datetime = added.last_at if own is None else max(own.last_at, added.last_at)
    context.member.holdings[product_id] = Holding(quantity, first_at, last_at)
    if quantity > before:
        context.items.append(ProductChange(cause.MERGE.logged, product_id, quantity - before))


def _add_mechanics(context: Context, handed: Handed) -> None:
    """Add the merged member's states and progress. A deleted document's state is added only if the member has none."""
    program = context.program
    by_id = program.campaigns()
    for kind, rules in reversed(MECHANIC_RULES.items()):
        for document_id, state in sorted(rules.states_from_log(context.event.data).items()):
            compiled = program.compiled(kind, document_id)
            if compiled is not None:
                rules.take_over(context, document_id, compiled, state)
            else:
                rules.add_former(context, document_id, state)
    for campaign_id, progress in sorted(handed.progress.items()):
        campaigns.take_over(context, campaign_id, by_id.get(campaign_id), progress)


COMMAND = CommandType(
    kind=TAKEOVER,
    order=Handed,
    apply=_take_over,
    strangers=Strangers.are_refused,
    if_merged=Refusal.member_merged,
)
