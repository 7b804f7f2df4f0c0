"""Conditions that come from a campaign's type, not from its document. Explanations do not show them."""

from datetime import datetime

from .decision import ConditionCheck
from .fields import Scope
from .member import groups_of
from .program import Audience


class Open:
    """A condition: the event is within the campaign's window, and the member in its audience."""

    __slots__ = ("_audience", "_ends_at", "_starts_at")

    def __init__(self, starts_at: datetime | None, ends_at: datetime | None, audience: Audience | None) -> None:
        self._starts_at, self._ends_at, self._audience = starts_at, ends_at, audience

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:  # noqa: ARG002
        """Return whether the campaign is open to the event."""
        at = scope.event.occurred_at
        if (self._starts_at is not None and at < self._starts_at) or (
            self._ends_at is not None and at >= self._ends_at
        ):
            return False
        return self._audience is None or self._audience.includes(groups_of(scope.member))
