"""Faults that stay where they are: what raises inside one part of a decision is refused, and nothing else fails.

    a part raises ──► Broken names it ──► the decision is made again from the start, and that part is refused at once

A part is a campaign that an event meets, one of its effects, a mechanic's document, something that
falls due. Deciding is pure and begins with a copy of the member, so making it again leaves nothing of what the part had
done, and as long as nothing raises it costs nothing.
"""

from collections.abc import Mapping
from uuid import UUID

from msgspec import Struct

from .cause import Cause
from .expressions import must_pass

# The event (or the one that followed from it), the cause that the part acts as, and two numbers of its own.
BrokenPart = tuple[UUID, Cause, int, int]
BROKEN_MAX = 50  # parts of one decision; with more, the whole event fails

NOTHING_BROKEN: Mapping[BrokenPart, BaseException] = {}


class Broken(Exception):
    """A part of a decision raised an exception."""

    def __init__(self, part: BrokenPart, problem: BaseException) -> None:
        super().__init__(part)
        self.part = part
        self.problem = problem


class Fault(Struct, frozen=True):
    """A part that was refused because it raised: its cause, and the exception for the logs."""

    cause: Cause
    problem: BaseException


def as_broken(problem: BaseException, part: BrokenPart) -> BaseException:
    """Return what is to be raised for an exception inside a part: the innermost part is the one that is refused."""
    return problem if isinstance(problem, Broken) or must_pass(problem) else Broken(part, problem)


def sentence_of(problem: BaseException) -> str:
    """Return what the trace says of a fault: no more than its kind, because messages may quote data."""
    return f"could not be evaluated ({type(problem).__name__})"
