"""The outcome of a decision as the log stores it: enough to explain it, and to replay it with the same result."""

from collections.abc import Iterator
from uuid import UUID

import msgspec
from msgspec import Struct, field, structs

from plaudit.core.decision import CODES_OF_TODAY, Decision, Move, ProductChange, RefusalCode, Trace
from plaudit.core.program import Program

from .arrival import Arrival


class Outcome(Struct, frozen=True, omit_defaults=True, gc=False):
    """A decision's outcome in the log. `refused` are the claims that failed: a replay uses them instead of claiming.

    The member's history shows `items` and `rungs` next to transactions.
    """

    trace: list[Trace] = []
    refusal: RefusalCode | None = None
    refused: list[UUID] = []
    items: list[ProductChange] = []
    moves: list[Move] = field(default=[], name="rungs")


class ProcessedEvent(Struct, frozen=True, kw_only=True, gc=False):
    """The result of an arrival. `decision` is None if it was decided before, failed, or was not requested."""

    arrival: Arrival
    state: str  # processed, rejected, duplicate or failed
    decision: Decision | None = None
    program: Program | None = None  # that decided it
    refused: frozenset[UUID] = frozenset()
    codes: dict[UUID, str] = {}
    error: str | None = None


def outcome_of(decision: Decision, refused: frozenset[UUID]) -> Outcome:
    """Return the outcome of a decision that was made with these claims refused."""
    refused_here: list[UUID] = []
    if refused:
        refused_here = [claim.claim_id for claim in decision.claims if claim.claim_id in refused]
    return Outcome(decision.trace, decision.refusal, refused_here, decision.items, decision.moves)


_DECODER = msgspec.json.Decoder(Outcome)


def outcome_from(text: str) -> Outcome:
    """Return an outcome from the log. Codes of earlier versions are replaced by current ones."""
    outcome = _DECODER.decode(text)
    if not any(code in CODES_OF_TODAY for code in _codes(outcome)):
        return outcome
    trace = [
        structs.replace(
            item,
            refusal=_code_of_today(item.refusal),
            effects=[structs.replace(effect, refusal=_code_of_today(effect.refusal)) for effect in item.effects],
        )
        for item in outcome.trace
    ]
    return structs.replace(outcome, trace=trace, refusal=_code_of_today(outcome.refusal))


def _codes(outcome: Outcome) -> Iterator[RefusalCode | None]:
    yield outcome.refusal
    for item in outcome.trace:
        yield item.refusal
        for effect in item.effects:
            yield effect.refusal


def _code_of_today(code: RefusalCode | None) -> RefusalCode | None:
    return None if code is None else CODES_OF_TODAY.get(code, code)
