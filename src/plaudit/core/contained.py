"""Contain faults: if one part of a decision raises, that part is refused and the rest of the decision stands.

    a part raises ──► Broken names it ──► the event is decided again from the start, and that part is refused immediately

A part is a campaign that meets an event, one of its effects, a mechanic's document, or a timer. A decision is pure and
starts from a copy of the member, so deciding again discards everything that the broken part had changed. As long as
nothing raises, this costs nothing.
"""

from collections.abc import Mapping
from uuid import UUID

from msgspec import Struct

from .cause import Cause
from .expressions import must_pass

# The id of the event (or of one that it caused), the part's cause, and two numbers that tell the cause's parts apart.
BrokenPart = tuple[UUID, Cause, int, int]
BROKEN_MAX = 50  # broken parts of one decision; with more, the whole event fails

NOTHING_BROKEN: Mapping[BrokenPart, BaseException] = {}


class Broken(Exception):
    """A part of a decision raised an exception."""

    def __init__(self, part: BrokenPart, problem: BaseException) -> None:
        super().__init__(part)
        self.part = part
        self.problem = problem


class Fault(Struct, frozen=True):
    """A part that was refused because it raised: its cause, and the exception for the server's log."""

    cause: Cause
    problem: BaseException


def as_broken(problem: BaseException, part: BrokenPart) -> BaseException:
    """Return the exception to raise for a problem in a part. The innermost part is refused, so a Broken stays as it is."""
    return problem if isinstance(problem, Broken) or must_pass(problem) else Broken(part, problem)


def sentence_of(problem: BaseException) -> str:
    """Return the trace's sentence for a fault. It names only the exception's type, because messages can quote data."""
    return f"could not be evaluated ({type(problem).__name__})"
