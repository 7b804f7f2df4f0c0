"""Checks that each amount in a document has a size and decimal places that its metric can hold.

`DocumentKind.amounts` lists a document's amounts. When a document is saved, they are compared with the metrics here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from plaudit.core.metrics import misfit
from plaudit.errors import FieldError

from .base import Document, DocumentKind


def metrics_of(kind: DocumentKind, document: Document) -> set[str]:
    """Return the metrics of a document's amounts."""
    return {amount.metric for amount in kind.amounts(document)}


def misfits(
    kind: DocumentKind, document: Document, decimals: Mapping[str, int], stored: Mapping[str, Any] | None = None
) -> Sequence[FieldError]:
    """Return the errors in a document's amounts. `decimals` are the decimal places of metrics.

    Amounts that the `stored` document has in the same field are ignored: they may have been saved before this check existed.
    """
    amounts = kind.amounts(document)
    if not amounts:
        return ()
    wrong = [
        (amount, message)
        for amount in amounts
        if amount.metric in decimals and (message := misfit(amount.amount, decimals[amount.metric])) is not None
    ]
    if wrong and stored is not None:
        stored_amounts = set(kind.amounts(msgspec.convert(stored, kind.type)))
        wrong = [(amount, message) for amount, message in wrong if amount not in stored_amounts]
    return [FieldError(amount.field, message) for amount, message in wrong]


def decimals_in(documents: Iterable[tuple[str, str, Any]]) -> dict[str, int]:
    """Return the decimal places of the metrics among canonical documents, which are tuples of kind, id and document."""
    return {name: int(doc.get("decimals", 0)) for kind, name, doc in documents if kind == "metric"}
