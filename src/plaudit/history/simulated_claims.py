"""Counts scarce resources in memory: what simulated decisions claim, and what they make available again."""

from uuid import UUID

from plaudit.core.decide_one import NOTHING_REFUSED, decide_one
from plaudit.core.decision import Claim, ClaimKind, Decision
from plaudit.core.event import Event
from plaudit.core.member import Member
from plaudit.core.program import Program

Left = dict[tuple[ClaimKind, str], int]  # what is left of each scarce resource


def settled(
    program: Program, member: Member, event: Event, left: Left, refused_then: frozenset[UUID] = NOTHING_REFUSED
) -> Decision:
    """Decide an event, and subtract its claims from what is `left`. Claims that exceed it are refused.

    Whether a coupon's code has been used is not simulated: these claims are refused as they really were (`refused_then`).
    """
    refused: set[UUID] = set()
    while True:
        decision = decide_one(program, member, event, frozenset(refused))
        if decision.withdrawn is not None:
            give_back(left, decision)
        if not decision.claims:
            return decision
        after = left.copy()
        short = {
            claim.claim_id
            for claim in decision.claims
            if claim.claim_id not in refused
            and (claim.claim_id in refused_then if claim.kind is ClaimKind.unused else not _taken(after, claim))
        }
        if not short:
            left.update(after)
            return decision
        refused |= short


def give_back(left: Left, decision: Decision, sign: int = 1) -> None:
    """Add to `left` what a rollback makes available again."""
    for kind, key, number in decision.withdrawn.returned if decision.withdrawn is not None else ():
        left[kind, key] = left.get((kind, key), 0) + sign * number


def _taken(left: Left, claim: Claim) -> bool:
    """Subtract a claim from what is left. Return False, and subtract nothing, if there is not enough."""
    key = (claim.kind, claim.key)
    available = left.get(key, 0)
    is_enough = (
        available >= claim.quantity
        if claim.kind is ClaimKind.code
        else (claim.maximum is None or claim.quantity - available <= claim.maximum)
    )
    if is_enough:
        left[key] = available - claim.quantity
    return is_enough
