"""A member's progress in a campaign as of an instant: windows pass and occurrences end without events."""

from datetime import datetime

from msgspec import structs

from .goals import standing_at
from .member import Progress
from .program import Campaign


def progress_at(campaign: Campaign, progress: Progress, now: datetime, time_zone: str) -> Progress:
    """Return the progress as it counts at `now`: without steps of an occurrence that is over, or windows that are.

    Between two occurrences it is that of the one before. An event at `now` counts on top of exactly this.
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
    """Return whether a campaign is completed; a recurring one, in the present or latest occurrence."""
    if progress.last_at is None or campaign.recurrence is None:
        return progress.completions > 0
    start = campaign.recurrence.last_start(now)
    return progress.completions > 0 and (start is None or progress.last_at >= start)


def occurrence_key(starts_at: datetime | None) -> str:
    """Return the name of an occurrence; the names are in the order of time."""
    return "" if starts_at is None else starts_at.strftime("%Y-%m-%dT%H:%MZ")
