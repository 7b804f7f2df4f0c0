"""Amounts in documents: each must be one that its metric can hold, in decimal places and in size.

A kind of document tells its amounts (`DocumentKind.amounts`), and whatever saves documents compares them here with the
metrics that there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from plaudit.core.metrics import misfit
from plaudit.errors import FieldError

from .base import Document, DocumentKind


def metrics_of(kind: DocumentKind, document: Document) -> set[str]:
    """Return the metrics that a document has amounts of."""
    return {amount.metric for amount in kind.amounts(document)}


def misfits(
    kind: DocumentKind, document: Document, decimals: Mapping[str, int], stored: Mapping[str, Any] | None = None
) -> Sequence[FieldError]:
    """Return what is wrong with the amounts of a document, given the decimal places of metrics.

    An amount that a `stored` document has in the same place is left alone: it was saved when any could be.
    """
    amounts = kind.amounts(document)
    if not amounts:
        return ()
    found = [
        (amount, message)
        for amount in amounts
        if amount.metric in decimals and (message := misfit(amount.amount, decimals[amount.metric])) is not None
    ]
    if found and stored is not None:
        before = set(kind.amounts(msgspec.convert(stored, kind.type)))
        found = [(metric_amount, message) for metric_amount, message in found if metric_amount not in before]
    return [FieldError(metric_amount.field, message) for metric_amount, message in found]


def decimals_in(documents: Iterable[tuple[str, str, Any]]) -> dict[str, int]:
    """Return the decimal places of the metrics among canonical documents (kind, id, document)."""
    return {name: int(doc.get("decimals", 0)) for kind, name, doc in documents if kind == "metric"}
