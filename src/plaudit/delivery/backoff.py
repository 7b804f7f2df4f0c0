"""Compute when to retry a delivery: with growing, random delays, for a day."""

from datetime import datetime, timedelta

GIVE_UP_AFTER = timedelta(hours=24)
FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(hours=4)


def next_attempt_at(attempts: int, handed_at: datetime, now: datetime, jitter: float) -> datetime | None:
    """Return when to retry after `attempts` failures, or None after a day.

    The delay doubles from 5 seconds to 4 hours. `jitter`, a random number from 0 to 1, shortens it by up to half, so
    messages that failed together are not retried together.
    """
    delay = min(FIRST_DELAY * 2 ** min(attempts - 1, 20), LONGEST_DELAY) * (1 - jitter / 2)
    return now + delay if now + delay <= handed_at + GIVE_UP_AFTER else None
