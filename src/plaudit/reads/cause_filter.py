"""Filters of lists by cause: by kind, or by one cause. Tables store a cause in two columns, the log in its traces."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from plaudit.core.cause import Cause, CauseKind


class CauseFilter(Struct, frozen=True):
    """Causes of these `kinds` (None: any), and of them only the one with this `id`, if it is given."""

    kinds: Sequence[str] | None = None
    id: str | None = None

    @property
    def logged_patterns(self) -> list[str] | None:
        """What SQL's LIKE finds the causes by in a trace, where each is as `Cause.logged`; None: any."""
        if self.kinds is None:
            return None
        found: list[str] = []
        for kind in self.kinds:
            if self.id is not None or kind == CauseKind.manual_grant:
                id_ = "" if kind == CauseKind.manual_grant else self.id or ""
                found.append(_escaped(msgspec.json.encode(Cause(kind, id_).logged).decode()))
            elif kind == CauseKind.campaign:
                found.append("%")
            else:
                found += [f'"{_escaped(kind)}"', f'"{_escaped(kind)}.%"', f'["{_escaped(kind)}",%']
        return found


ALL_CAUSES = CauseFilter()


def of_campaign(campaign_id: str) -> CauseFilter:
    """Return the filter for what is shown with a `campaignId`: rewards granted by hand are shown as `manual_grant`."""
    if campaign_id == CauseKind.manual_grant:
        return CauseFilter((CauseKind.campaign.value, CauseKind.manual_grant.value), campaign_id)
    return CauseFilter((CauseKind.campaign.value,), campaign_id)


def of_cause(text: str) -> CauseFilter:
    """Return the filter for a cause in one word, such as `manual`, `expiry.points`; or a kind such as `expiry`."""
    kind, _, id_ = text.partition(".")
    return CauseFilter((kind,), id_ or None)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
