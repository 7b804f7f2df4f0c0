"""A member of a programme, with everything that deciding may look at. Amounts are scaled integers (see `metrics`)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from .ledger.lots import Book


class Balance(Struct, frozen=True, gc=False):
    """What a member has of one metric: `amount` now, `earned` ever (scaled integers; see `ledger.earned_by`).

    `book` is there where it matters what was earned when; without one, the whole amount is one lot that never expires.
    """

    amount: int
    earned: int = 0
    book: Book | None = None


class StepProgress(Struct, frozen=True, array_like=True):
    """How far a member is in a step: `value` counts or sums (in millionths) within `window`.

    `seen` holds the distinct values of a `distinct` goal, `times` what counted when, for a rolling window. `last_at` is
    the latest time that counted. `early` is what came before the step was open, by time: an amount and a value each.
    `windows` is how far it was in calendar windows that are over.
    """

    value: int = 0
    window: str = ""
    seen: tuple[Any, ...] = ()
    times: tuple[tuple[datetime, int], ...] = ()
    done_at: datetime | None = None
    last_at: datetime | None = None
    early: tuple[tuple[datetime, int, Any], ...] = ()
    windows: tuple["StepProgress", ...] = ()


class Progress(Struct, frozen=True, array_like=True, gc=False):
    """How often a member has completed a campaign, when last, and how often in each recent period (key to count).

    `steps` is how far the present go is, by the step's number; `occurrence` names the time of a recurring campaign
    that it belongs to; `enrolled_at` is set for campaigns that ask to be joined.
    """

    completions: int = 0
    last_at: datetime | None = None
    periods: dict[str, int] = {}
    steps: dict[int, StepProgress] = {}
    occurrence: str = ""
    enrolled_at: datetime | None = None


class StreakState(Struct, frozen=True, array_like=True):
    """How a member's streak stands. Turns are numbers of days, weeks or months (see periods.turn_of).

    `spans` are the turns that count, `counts` how often in turns that do not yet; `awarded` says up to which length,
    and by which turn, milestones have been reached; `absences` are first and last days (ordinals).
    `given` is how many freezes there were to begin with, or at an instant, and then what was given (or used by choice)
    when; `chosen` are the frozen turns that were chosen (see `freezes`).
    """

    spans: tuple[tuple[int, int], ...] = ()
    counts: dict[int, int] = {}
    current: int = 0
    longest: int = 0
    alive: bool = False
    freezes: int = 0
    frozen: tuple[int, ...] = ()
    repaired: tuple[int, ...] = ()
    absences: tuple[tuple[int, int], ...] = ()
    awarded: tuple[tuple[int, int], ...] = ()
    zone: str = ""
    previous_zone: str = ""
    zone_since: datetime | None = None
    lapsed_at: datetime | None = None
    due_at: datetime | None = None
    given: tuple[tuple[datetime | None, int], ...] = ()
    chosen: tuple[int, ...] = ()


class LadderState(Struct, frozen=True, array_like=True):
    """Where a member is on a ladder. `earned` is what counts by window (by day, for a rolling one).

    `ends_at` is when the window ends that the rung is kept for, `grace_until` the end of the grace after it; `reached`
    are the rungs ever reached. `override` is a rung given by hand. `rung_ids` are the ids, from the lowest up, that the
    ladder's rungs had by these numbers (see `rungs`).
    """

    rung: int = -1
    since: datetime | None = None
    earned: dict[str, int] = {}
    ends_at: datetime | None = None
    grace_until: datetime | None = None
    reached: tuple[int, ...] = ()
    override: int | None = None
    override_until: datetime | None = None
    due_at: datetime | None = None
    rung_ids: tuple[str, ...] = ()

    @property
    def effective(self) -> int:
        """The rung that the member is on: the one by hand, or the one reached."""
        return self.rung if self.override is None else self.override


class SegmentState(Struct, frozen=True, array_like=True):
    """Whether a member is in a segment, since when, and what its criteria have tallied: by criterion, by local day.

    `manual` is set for who was put in or out by hand; `due_at` is when time alone may change it.
    """

    member: bool = False
    since: datetime | None = None
    tallies: dict[str, dict[int, int]] = {}
    manual: bool | None = None
    due_at: datetime | None = None


class Standing(Struct, frozen=True, gc=False):
    """A member's score in a competition, since when it is that, and the part of the board that it is in.

    In a league `scope` is the division, and the score is that of `round`; `last_…` is what it was in the round before.
    """

    score: int
    reached_at: datetime
    scope: str = ""
    round: str = ""
    previous_round: str = ""
    previous_score: int = 0
    previous_reached_at: datetime | None = None


class Holding(Struct, frozen=True, gc=False):
    """How many of a product a member has, since when, and when the last one came."""

    quantity: int
    first_at: datetime
    last_at: datetime


class Member(Struct, kw_only=True):
    """A member as loaded; `decide` works on a copy and never touches the one that it was given.

    The dictionaries are copied, their values are immutable and replaced: what has changed is what is no longer the
    same object, so the commit needs no marks. `enrolled_at` is None for somebody who has not joined yet.
    `latest_at` is the time of the latest event of any kind, `active_at` that of the latest of the member's own doing (None: none yet).
    `sequence` counts the member's events; `due_at` is when something falls due without one (see `run_due_timers`).
    `coupons` counts the coupons had by what they came from (`reward_id` or `product_id`). `merged_into` is the user whom
    the member goes on as.
    """

    member_id: UUID
    user_id: str
    enrolled_at: datetime | None = None
    latest_at: datetime | None = None
    active_at: datetime | None = None
    sequence: int = 0
    due_at: datetime | None = None
    merged_into: str | None = None
    attributes: dict[str, Any] = {}
    balances: dict[str, Balance] = {}
    progress: dict[str, Progress] = {}
    streaks: dict[str, StreakState] = {}
    ladders: dict[str, LadderState] = {}
    segments: dict[str, SegmentState] = {}
    standings: dict[str, Standing] = {}
    holdings: dict[str, Holding] = {}
    coupons: dict[str, int] = {}
    entries: dict[str, int] = {}

    def working_copy(self) -> "Member":
        """A member that may be changed in place without touching this one."""
        return structs.replace(
            self,  # with the attributes, which are replaced as a whole when they change
            balances=self.balances.copy(),
            progress=self.progress.copy(),
            streaks=self.streaks.copy(),
            ladders=self.ladders.copy(),
            segments=self.segments.copy(),
            standings=self.standings.copy(),
            holdings=self.holdings.copy(),
            coupons=self.coupons.copy(),
            entries=self.entries.copy(),
        )


def earliest_due(member: Member) -> datetime | None:
    """When something falls due for a member without an event."""
    due: datetime | None = None
    for balance in member.balances.values():
        if balance.book is not None:
            at = balance.book.due_at
            if at is not None and (due is None or at < due):
                due = at
    for states in (member.streaks, member.ladders, member.segments):
        if not states:
            continue
        for state in states.values():
            if state.due_at is not None and (due is None or state.due_at < due):
                due = state.due_at
    return due


# The small documents that a member has by kind: the field that holds them, and their type.
STATE_TYPES: dict[str, tuple[str, type[Struct]]] = {
    "campaign": ("progress", Progress),
    "streak": ("streaks", StreakState),
    "ladder": ("ladders", LadderState),
    "segment": ("segments", SegmentState),
}
