"""When a message is retried: with growing, random delays, for a day."""

from datetime import datetime, timedelta

GIVE_UP_AFTER = timedelta(hours=24)
FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(hours=4)


def next_attempt_at(attempts: int, handed_at: datetime, now: datetime, chance: float) -> datetime | None:
    """Return when to retry after `attempts` failures; None after a day.

    The delay doubles from 5 seconds to 4 hours. `chance`, from 0 to 1, takes off up to half of it, so that messages
    that failed together are not retried together.
    """
    delay = min(FIRST_DELAY * 2 ** min(attempts - 1, 20), LONGEST_DELAY) * (1 - chance / 2)
    return now + delay if now + delay <= handed_at + GIVE_UP_AFTER else None
