"""Filter lists by cause. Tables store a cause in two columns; the log stores it in traces, as text."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from plaudit.core.cause import Cause, CauseKind


class CauseFilter(Struct, frozen=True):
    """A filter for causes of these `kinds` (None: any) and with this `id` (None: any)."""

    kinds: Sequence[str] | None = None
    id: str | None = None

    @property
    def logged_patterns(self) -> list[str] | None:
        """Return patterns for SQL's LIKE that match the causes in a trace, where they are `Cause.logged`. None: any."""
        if self.kinds is None:
            return None
        patterns: list[str] = []
        for kind in self.kinds:
            if self.id is not None or kind == CauseKind.manual_grant:
                id_ = "" if kind == CauseKind.manual_grant else self.id or ""
                patterns.append(_escaped(msgspec.json.encode(Cause(kind, id_).logged).decode()))
            elif kind == CauseKind.campaign:
                patterns.append("%")
            else:
                patterns += [f'"{_escaped(kind)}"', f'"{_escaped(kind)}.%"', f'["{_escaped(kind)}",%']
        return patterns


ALL_CAUSES = CauseFilter()


def of_campaign(campaign_id: str) -> CauseFilter:
    """Return the filter for a `campaignId` of the API, where rewards granted by hand have the id `manual_grant`."""
    if campaign_id == CauseKind.manual_grant:
        return CauseFilter((CauseKind.campaign.value, CauseKind.manual_grant.value), campaign_id)
    return CauseFilter((CauseKind.campaign.value,), campaign_id)


def of_cause(text: str) -> CauseFilter:
    """Return the filter for a cause such as `manual` or `expiry.points`, or for a kind such as `expiry`."""
    kind, _, id_ = text.partition(".")
    return CauseFilter((kind,), id_ or None)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
