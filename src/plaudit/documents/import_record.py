"""A line of an import: a member as other systems write them down, in JSON or in columns."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from plaudit.bounds import UserId
from plaudit.core.commands.import_member import ImportedCode, ImportedLot, ImportedRung, ImportOrder
from plaudit.core.metrics import Metric, misfit, to_scaled
from plaudit.errors import FieldError, invalid_fields

from .profile import ProfileValidator, validate_update
from .validation import convert

Instant = Annotated[datetime, Meta(tz=True)]


class LotRecord(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An amount with its expiry; `availableAt` is until when it is pending."""

    amount: Annotated[float, Meta(gt=0)]
    expires_at: Instant | None = None
    available_at: Instant | None = None


class MemberRecord(Struct, kw_only=True, rename="camel"):
    """What is not of the profile. `metrics` are amounts, or lists of lots."""

    user_id: UserId
    enrolled_at: Instant | None = None
    metrics: dict[str, Annotated[float, Meta(ge=0)] | list[LotRecord]] = {}
    ladders: dict[str, str | ImportedRung] = {}
    products: dict[str, Annotated[int, Meta(ge=1, le=1_000_000)]] = {}
    codes: list[ImportedCode] = []


_OWN = {field.encode_name for field in msgspec.structs.fields(MemberRecord)}


def read_member(raw: Any, rules: ProfileValidator, metrics: Mapping[str, Metric]) -> tuple[str, ImportOrder]:
    """A line as a user id and what the member brings. Raises Invalid naming every field that is wrong."""
    if not isinstance(raw, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    given = cast("dict[str, Any]", raw)
    record = convert({name: value for name, value in given.items() if name in _OWN}, MemberRecord)
    found, wrong = validate_update(rules, {name: value for name, value in given.items() if name not in _OWN}, new=True)
    lots: dict[str, list[ImportedLot]] = {}
    for metric_id, amounts in record.metrics.items():
        metric = metrics.get(metric_id)
        if metric is None:
            wrong.append(FieldError(f"metrics.{metric_id}", "is not a metric that there is"))
            continue
        item = amounts if isinstance(amounts, list) else [LotRecord(amount=amounts)] if amounts else []
        message = next(
            (told for lot_record in item if (told := misfit(lot_record.amount, metric.decimals)) is not None), None
        )
        if message is not None:
            wrong.append(FieldError(f"metrics.{metric_id}", message))
            continue
        if item:
            lots[metric_id] = [
                ImportedLot(
                    to_scaled(lot_record.amount, metric.decimals) or 0, lot_record.expires_at, lot_record.available_at
                )
                for lot_record in item
            ]
    if wrong:
        raise invalid_fields(wrong)
    rungs = {
        ladder_id: ladder if isinstance(ladder, ImportedRung) else ImportedRung(ladder)
        for ladder_id, ladder in record.ladders.items()
    }
    return record.user_id, ImportOrder(
        attributes=found.attributes, identities=found.names, enrolled_at=record.enrolled_at, lots=lots, rungs=rungs,
        products=record.products, codes=record.codes,
    )  # fmt: skip
