"""The views of ladders in profiles and in the member API: the rung, and what the next one needs."""

from datetime import datetime

from msgspec import structs

from plaudit.core.member import Member
from plaudit.core.metrics import to_number
from plaudit.core.program import Program
from plaudit.view import Time, View, optional_time

from .compiled import Ladder, ladders_in
from .rules import score
from .rungs import NO_RUNG
from .state import LadderState, ladders_of


class NextRung(View):
    """The next rung, and how much of its threshold is missing."""

    rung: str
    name: str
    threshold: float
    missing: float


class RungKeep(View):
    """The score needed to keep the rung, and by when."""

    threshold: float
    missing: float
    by: Time | None


class LadderProgress(View):
    """A member's place on a ladder. `rung` is null below the first; `override`: it was set manually."""

    rung: str | None
    name: str | None
    perks: list[str]
    since: Time | None
    score: float
    override: bool
    next: NextRung | None
    keep: RungKeep | None


class MemberLadder(View):
    """A member's place on a ladder."""

    ladder_id: str
    ladder: LadderProgress


class LadderPlace(LadderProgress):
    """A ladder with the member's rung. `ladder` is the ladder's name, `name` the rung's."""

    ladder_id: str
    ladder: str
    metric: str


def ladder_view(program: Program, member: Member, ladder_id: str, now: datetime) -> LadderProgress:
    """Return the view of a member's place on a ladder."""
    ladder, state = ladders_in(program)[ladder_id], ladders_of(member)[ladder_id]
    current_score = score(ladder, state, now, program.settings.time_zone, member.enrolled_at)
    metric = program.metrics.get(ladder.metric)
    decimals = metric.decimals if metric else 0
    rung = None if state.effective == NO_RUNG else ladder.rungs[state.effective]
    return LadderProgress(
        rung=None if rung is None else rung.rung_id,
        name=None if rung is None else rung.name,
        perks=[] if rung is None else list(rung.perks),
        since=optional_time(state.since),
        score=to_number(current_score, decimals),
        override=state.override is not None,
        next=_next_rung(ladder, state, current_score, decimals),
        keep=_rung_keep(ladder, state, current_score, decimals),
    )


def _next_rung(ladder: Ladder, state: LadderState, current_score: int, decimals: int) -> NextRung | None:
    if state.effective + 1 >= len(ladder.rungs):
        return None
    following = ladder.rungs[state.effective + 1]
    return NextRung(
        rung=following.rung_id,
        name=following.name,
        threshold=to_number(following.threshold, decimals),
        missing=to_number(max(following.threshold - current_score, 0), decimals),
    )


def _rung_keep(ladder: Ladder, state: LadderState, current_score: int, decimals: int) -> RungKeep | None:
    if state.ends_at is None or state.effective == NO_RUNG or ladder.never_ends:
        return None
    threshold = ladder.rungs[state.effective].threshold
    return RungKeep(
        threshold=to_number(threshold, decimals),
        missing=to_number(max(threshold - current_score, 0), decimals),
        by=optional_time(state.ends_at),
    )


def ladder_places(program: Program, member: Member, now: datetime) -> list[LadderPlace]:
    """Return the views of a member's places on their ladders."""
    return [
        LadderPlace(
            ladder_id=ladder_id,
            ladder=ladders_in(program)[ladder_id].name,
            metric=ladders_in(program)[ladder_id].metric,
            **structs.asdict(ladder_view(program, member, ladder_id, now)),
        )
        for ladder_id in ladders_of(member)
    ]
