"""A member's progress in a campaign as of a given time, because windows and occurrences end without events."""

from datetime import datetime

from msgspec import structs

from .goals import standing_at
from .member import Progress
from .program import Campaign


def progress_at(campaign: Campaign, progress: Progress, now: datetime, time_zone: str) -> Progress:
    """Return the progress that counts at `now`: without the steps of a past occurrence, and without past windows.

    Between two occurrences it is the progress of the earlier one. An event at `now` adds to exactly this.
    """
    if not progress.steps:
        return progress
    if campaign.recurrence is not None and progress.occurrence < occurrence_key(campaign.recurrence.last_start(now)):
        return structs.replace(progress, steps={})
    steps = {
        number: standing_at(campaign.steps[number].goal, step, now, time_zone) if number < len(campaign.steps) else step
        for number, step in progress.steps.items()
    }
    return structs.replace(progress, steps=steps)


def is_completed(campaign: Campaign, progress: Progress, now: datetime) -> bool:
    """Return whether a campaign is completed; for a recurring one, in its current or latest occurrence."""
    if progress.last_at is None or campaign.recurrence is None:
        return progress.completions > 0
    start = campaign.recurrence.last_start(now)
    return progress.completions > 0 and (start is None or progress.last_at >= start)


def occurrence_key(starts_at: datetime | None) -> str:
    """Return the key of an occurrence. Keys sort in chronological order."""
    return "" if starts_at is None else starts_at.strftime("%Y-%m-%dT%H:%MZ")
