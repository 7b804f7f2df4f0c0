"""How many attempts may run at the same time: divided between organisations, and within one between its lanes.

A lane is a webhook, or all of an organisation's Web Push. A slow response halves the lane's places, down to one; a fast
one adds a place. So a slow webhook holds a few places for the length of one attempt, then one, and never takes those of
other organisations.
"""

from collections import Counter
from time import monotonic
from uuid import UUID

from .attempts import DueDelivery, Rooms, lane_of
from .webhooks import Attempt

AT_ONCE = 100  # as many as there are connections
ORG_MAX = 40
LANE_START, LANE_MAX = 10, 40
SLOW_MILLISECONDS = 1_000
PAUSE_SECONDS_MAX = 60.0  # that a lane is left alone when one of its messages was to be sent later

Key = tuple[UUID, str]


class Places:
    """The attempts of this process."""

    def __init__(self) -> None:
        self._running: Counter[Key] = Counter()
        self._of_org: Counter[UUID] = Counter()
        self._allowed: dict[Key, int] = {}  # where it is not LANE_START
        self._paused: dict[Key, float] = {}  # until when

    def rooms(self) -> Rooms | None:
        """Return how many attempts may start, by lane and organisation where it is not the default."""
        free = AT_ONCE - self._running.total()
        if free <= 0:
            return None
        now = monotonic()
        self._paused = {key: until for key, until in self._paused.items() if until > now}
        lanes = {key: self._room(key) for key in {*self._running, *self._allowed, *self._paused}}
        orgs = {org_id: ORG_MAX - count for org_id, count in self._of_org.items()}
        return Rooms(free=free, lanes=lanes, lane=LANE_START, orgs=orgs, org=ORG_MAX)

    def _room(self, key: Key) -> int:
        return 0 if key in self._paused else max(self._allowed.get(key, LANE_START) - self._running[key], 0)

    def begin(self, due: DueDelivery) -> None:
        """Take a place."""
        self._running[due.org_id, lane_of(due.webhook_id)] += 1
        self._of_org[due.org_id] += 1

    def end(self, due: DueDelivery, attempt: Attempt | None) -> None:
        """Free a place, and adjust its lane to the attempt's result (None: unknown)."""
        key = (due.org_id, lane_of(due.webhook_id))
        self._running = self._running - Counter([key])  # without those that have none
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
