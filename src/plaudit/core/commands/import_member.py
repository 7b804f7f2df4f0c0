"""Import a member from another system: profile, lots, pending amounts, products, codes, and states of mechanics.

An import triggers nothing and notifies no one. Its transactions have the cause `import` and do not count for scores: the
states of mechanics are imported instead.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from plaudit.core import cause
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, IssuedCoupon, ProductChange, Refusal, RefusalCode, Trace
from plaudit.core.event import IMPORT
from plaudit.core.ids import derived_id
from plaudit.core.ledger import lots
from plaudit.core.ledger.lots import Posting
from plaudit.core.ledger.post import append_transaction, balance_of, open_book
from plaudit.core.mechanic_rules import MECHANIC_RULES
from plaudit.core.member import Holding

from .command_type import CommandType, Strangers


class ImportedLot(Struct, frozen=True, rename="camel", omit_defaults=True):
    """An imported amount in smallest units, with an optional expiry and release."""

    amount: int
    expires_at: datetime | None = None
    available_at: datetime | None = None


class ImportedCode(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A pool's code that the member already has."""

    pool_id: str
    code: str
    expires_at: datetime | None = None


class ImportOrder(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The data of an imported member: `lots` by metric, `parts` by mechanic and document, `products` by id."""

    attributes: dict[str, Any] = {}
    identities: dict[str, str | None] = {}
    enrolled_at: datetime | None = None
    lots: dict[str, list[ImportedLot]] = {}
    parts: dict[str, dict[str, Any]] = {}
    products: dict[str, int] = {}
    codes: list[ImportedCode] = []


def import_of(data: Mapping[str, Any], _: type[Any] | None = None) -> ImportOrder:
    """Return the order in an event's data."""
    parts = {
        kind: msgspec.convert(data[rules.import_name], dict[str, rules.import_type], strict=False)
        for kind, rules in MECHANIC_RULES.items()
        if rules.import_name is not None and data.get(rules.import_name)
    }
    return structs.replace(msgspec.convert(data, ImportOrder, strict=False), parts=parts)


def data_of(order: ImportOrder) -> dict[str, Any]:
    """Return an order as the data of its event."""
    data: dict[str, Any] = msgspec.to_builtins(structs.replace(order, parts={}))
    last = {name: data.pop(name) for name in ("products", "codes") if name in data}
    for kind, parts in order.parts.items():
        name = MECHANIC_RULES[kind].import_name
        assert name is not None
        data[name] = msgspec.to_builtins(parts)
    return data | last


def coupon_id_of(event_id: UUID, code: ImportedCode) -> UUID:
    """Return the id of the coupon for an imported code."""
    return derived_id(event_id, f"code:{code.pool_id}:{code.code}")


def _import_member(context: Context, order: ImportOrder) -> RefusalCode | None:
    """Import a member. Refuse the whole order if it names a document that does not exist."""
    member, program = context.member, context.program
    if order.enrolled_at is not None:
        member.enrolled_at = min(order.enrolled_at, context.now)
    context.write_profile(order.attributes, order.identities)
    context.changed_parts.add("all")
    effects: list[EffectTrace] = []
    for index, (metric_id, imported_lots) in enumerate(order.lots.items()):
        metric = program.metrics.get(metric_id)
        if metric is None:
            return Refusal.metric_not_found
        before = balance_of(context, metric)
        amount = sum(lot.amount for lot in imported_lots)
        if metric.maximum is not None and before.amount + amount > metric.maximum:
            return Refusal.balance_at_maximum
        book, parts = before.book, list[Posting]()
        if metric.keeps_lots or book is not None or any(lot.expires_at or lot.available_at for lot in imported_lots):
            book = old = open_book(before)
            for lot in imported_lots:
                book, postings = lots.credit(book, lot.amount, lot.expires_at, lot.available_at)
                parts += postings
            book = lots.counting(book, old, {})
        place = EffectPlace(cause.IMPORT, 0, index)
        append_transaction(context, place, metric, amount, book, tuple(parts) if book is not None else None, "Import")
        effects.append(EffectTrace(index, None, amount))
    for kind, parts in order.parts.items():
        for document_id, record in parts.items():
            refusal = MECHANIC_RULES[kind].import_state(context, document_id, record)
            if refusal is not None:
                return refusal
    for product_id, quantity in order.products.items():
        if product_id not in program.products:
            return Refusal.product_not_found
        owned = member.holdings.get(product_id)
        first_at = context.now if owned is None else owned.first_at
        context.items.append(ProductChange(cause.IMPORT.logged, product_id, quantity))
        member.holdings[product_id] = Holding(quantity + (owned.quantity if owned else 0), first_at, context.now)
    for code in order.codes:
        if code.pool_id not in program.pools:
            return Refusal.pool_not_found
        context.coupons.append(
            IssuedCoupon(
                coupon_id_of(context.event.event_id, code), code.pool_id, code.pool_id, code.code, cause.IMPORT,
                context.now, code.expires_at,
            )
        )  # fmt: skip
        member.coupons[code.pool_id] = member.coupons.get(code.pool_id, 0) + 1
    context.trace.append(Trace(cause.IMPORT.logged, 0, 0, None, [], effects))
    return None


COMMAND = CommandType(
    kind=IMPORT,
    order=ImportOrder,
    decode=import_of,
    apply=_import_member,
    strangers=Strangers.join_themselves,
    if_merged=Refusal.member_merged,
    is_silent=True,
)
