"""Lines of imports: each is a member, in JSON or in columns."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast

from msgspec import Meta, Struct, defstruct, structs

from plaudit.bounds import UserId
from plaudit.core.commands.import_member import ImportedCode, ImportedLot, ImportOrder
from plaudit.core.metrics import Metric, misfit, to_scaled
from plaudit.errors import FieldError, invalid_fields
from plaudit.mechanics.registry import MECHANICS

from .profile import ProfileValidator, validate_update
from .validation import convert

Instant = Annotated[datetime, Meta(tz=True)]


class LotRecord(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An amount with its expiry. It is pending until `availableAt`."""

    amount: Annotated[float, Meta(gt=0)]
    expires_at: Instant | None = None
    available_at: Instant | None = None


class MemberRecord(Struct, kw_only=True, rename="camel"):
    """The fields of a line that are not profile fields. `metrics` are amounts, or lists of lots. Mechanics add fields."""

    user_id: UserId
    enrolled_at: Instant | None = None
    metrics: dict[str, Annotated[float, Meta(ge=0)] | list[LotRecord]] = {}
    products: dict[str, Annotated[int, Meta(ge=1, le=1_000_000)]] = {}
    codes: list[ImportedCode] = []


_RECORDS: list[tuple[type[MemberRecord], frozenset[str]]] = []  # one item: the current type, and its fields


def _follow_mechanics() -> None:
    mechanic_fields: list[tuple[str, Any, Any]] = [
        (mechanic.collection, dict[str, mechanic.import_spelling], {})
        for mechanic in MECHANICS.values()
        if mechanic.import_name is not None
    ]
    record = cast(
        "type[MemberRecord]",
        defstruct("MemberRecord", mechanic_fields, bases=(MemberRecord,), kw_only=True, rename="camel"),
    )
    _RECORDS[:] = [(record, frozenset(field.encode_name for field in structs.fields(record)))]


MECHANICS.follow(_follow_mechanics)


def read_member(raw: Any, rules: ProfileValidator, metrics: Mapping[str, Metric]) -> tuple[str, ImportOrder]:
    """Return a line's user id and import order. Raise Invalid naming every invalid field."""
    if not isinstance(raw, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    line = cast("dict[str, Any]", raw)
    ((record_type, own),) = _RECORDS
    record = convert({name: value for name, value in line.items() if name in own}, record_type)
    profile, wrong = validate_update(rules, {name: value for name, value in line.items() if name not in own}, new=True)
    lots: dict[str, list[ImportedLot]] = {}
    for metric_id, amounts in record.metrics.items():
        metric = metrics.get(metric_id)
        if metric is None:
            wrong.append(FieldError(f"metrics.{metric_id}", "must reference an existing metric"))
            continue
        lot_records = amounts if isinstance(amounts, list) else [LotRecord(amount=amounts)] if amounts else []
        messages = [misfit(lot_record.amount, metric.decimals) for lot_record in lot_records]
        message = next((message for message in messages if message is not None), None)
        if message is not None:
            wrong.append(FieldError(f"metrics.{metric_id}", message))
            continue
        if lot_records:
            lots[metric_id] = [
                ImportedLot(
                    to_scaled(lot_record.amount, metric.decimals) or 0, lot_record.expires_at, lot_record.available_at
                )
                for lot_record in lot_records
            ]
    if wrong:
        raise invalid_fields(wrong)
    return record.user_id, ImportOrder(
        attributes=profile.attributes, identities=profile.names, enrolled_at=record.enrolled_at, lots=lots,
        parts=_parts(record), products=record.products, codes=record.codes,
    )  # fmt: skip


def _parts(record: MemberRecord) -> dict[str, dict[str, Any]]:
    """Return the member's imported states of mechanics, by kind and document id."""
    parts: dict[str, dict[str, Any]] = {}
    for kind, mechanic in MECHANICS.items():
        if mechanic.import_name is None:
            continue
        values: dict[str, Any] = getattr(record, mechanic.collection)
        if values:
            parts[kind] = {document_id: mechanic.to_import_order(value) for document_id, value in values.items()}
    return parts
