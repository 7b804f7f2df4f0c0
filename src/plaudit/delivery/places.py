"""Limit how many attempts run at the same time: shared between organisations, and within one between its lanes.

A lane is a webhook, or all of an organisation's Web Push. A slow response halves the lane's places, down to one; a fast
one adds a place. So a slow webhook soon has only one place, and never takes those of other organisations.
"""

from collections import Counter
from time import monotonic
from uuid import UUID

from .attempts import Capacity, DueDelivery, lane_of
from .webhooks import Attempt

ATTEMPTS_MAX = 100  # the number of connections
ORG_MAX = 40
LANE_START, LANE_MAX = 10, 40
SLOW_MILLISECONDS = 1_000
PAUSE_SECONDS_MAX = 60.0  # how long a lane is paused at most, after a response with Retry-After

Key = tuple[UUID, str]


class Places:
    """The places of this process's attempts."""

    def __init__(self) -> None:
        self._running: Counter[Key] = Counter()
        self._of_org: Counter[UUID] = Counter()
        self._allowed: dict[Key, int] = {}  # for lanes where it is not LANE_START
        self._paused: dict[Key, float] = {}  # the end of each lane's pause

    def capacity(self) -> Capacity | None:
        """Return how many attempts may start, or None. Lanes and organisations with the default are not listed."""
        free = ATTEMPTS_MAX - self._running.total()
        if free <= 0:
            return None
        now = monotonic()
        self._paused = {key: until for key, until in self._paused.items() if until > now}
        lanes = {key: self._room(key) for key in {*self._running, *self._allowed, *self._paused}}
        orgs = {org_id: ORG_MAX - count for org_id, count in self._of_org.items()}
        return Capacity(free=free, lanes=lanes, lane=LANE_START, orgs=orgs, org=ORG_MAX)

    def _room(self, key: Key) -> int:
        return 0 if key in self._paused else max(self._allowed.get(key, LANE_START) - self._running[key], 0)

    def occupy(self, due: DueDelivery) -> None:
        """Occupy a place for an attempt."""
        self._running[due.org_id, lane_of(due.webhook_id)] += 1
        self._of_org[due.org_id] += 1

    def release(self, due: DueDelivery, attempt: Attempt | None) -> None:
        """Release a place, and adjust its lane to the attempt's result (None: unknown)."""
        key = (due.org_id, lane_of(due.webhook_id))
        self._running = self._running - Counter([key])  # subtraction also removes keys with a count of zero
        self._of_org = self._of_org - Counter([due.org_id])
        if attempt is None:
            return
        allowed = self._allowed.get(key, LANE_START)
        allowed = max(allowed // 2, 1) if attempt.milliseconds > SLOW_MILLISECONDS else min(allowed + 1, LANE_MAX)
        if allowed == LANE_START or (allowed > LANE_START and key not in self._running):
            self._allowed.pop(key, None)
        else:
            self._allowed[key] = allowed
        if attempt.retry_after:
            self._paused[key] = monotonic() + min(attempt.retry_after, PAUSE_SECONDS_MAX)
