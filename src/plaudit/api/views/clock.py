"""Response types of the operations on the clock."""

from .base import Time, View


class Clock(View):
    """An organisation's clock. `test` says whether it can be advanced."""

    now: Time
    offset_seconds: int
    test: bool


class ClockAdvance(View):
    """The clock after it was advanced, and how many timers became due."""

    now: Time
    offset_seconds: int
    timers: int
