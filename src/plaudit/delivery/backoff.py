"""When a message is tried again: ever later, a little by chance, for a day."""

from datetime import datetime, timedelta

GIVE_UP_AFTER = timedelta(hours=24)
FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(hours=4)


def next_attempt_at(attempts: int, handed_at: datetime, now: datetime, chance: float) -> datetime | None:
    """When to try again after `attempts` failures; None when the day is over.

    Doubles from 5 seconds to 4 hours; `chance`, from 0 to 1, takes up to half of it off, so that what failed together
    does not come back together.
    """
    delay = min(FIRST_DELAY * 2 ** min(attempts - 1, 20), LONGEST_DELAY) * (1 - chance / 2)
    return now + delay if now + delay <= handed_at + GIVE_UP_AFTER else None
