"""Metrics: what is counted for members. `points`, `xp` and `coins` exist from the start."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from plaudit.core.metrics import AMOUNT_MAX
from plaudit.errors import FieldError

from .base import Document, DocumentKind

Bound = Annotated[int, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)] | Annotated[float, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]


class Metric(Document, kw_only=True):
    """`decimals` places are kept (0 to 6). `minimum` null lets members go into debt without end."""

    status: Literal["active"] = "active"
    decimals: Annotated[int, Meta(ge=0, le=6)] = 0
    default: Bound = 0
    minimum: Bound | None = 0
    maximum: Bound | None = None
    media: str | None = None


def _check(metric: Metric) -> Sequence[FieldError]:
    wrong: list[FieldError] = []
    low, high = metric.minimum, metric.maximum
    for name, bound in (("default", metric.default), ("minimum", low), ("maximum", high)):
        if bound is not None and Decimal(str(bound)).scaleb(metric.decimals) % 1:
            wrong.append(FieldError(name, f"must have at most {metric.decimals} decimal places"))
    if low is not None and high is not None and low > high:
        wrong.append(FieldError("maximum", "must not be below minimum"))
    if (low is not None and metric.default < low) or (high is not None and metric.default > high):
        wrong.append(FieldError("default", "must lie between minimum and maximum"))
    return wrong


KIND = DocumentKind(
    name="metric",
    title="Metric",
    collection="metrics",
    id_field="metricId",
    id_prefix="met_",
    type=Metric,
    fixed=("decimals", "default"),  # the books are kept in them
    check=_check,
)

STANDARD = {"points": "Points", "xp": "XP", "coins": "Coins"}
