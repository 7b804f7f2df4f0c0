"""Scarce resources, counted in memory: what a simulated decision claims, and what it gives back."""

from uuid import UUID

from plaudit.core.decide_one import NOTHING_REFUSED, decide_one
from plaudit.core.decision import Claim, ClaimKind, Decision
from plaudit.core.event import Event
from plaudit.core.member import Member
from plaudit.core.program import Program

Left = dict[tuple[ClaimKind, str], int]  # of what is scarce


def settled(
    program: Program, member: Member, event: Event, left: Left, refused_then: frozenset[UUID] = NOTHING_REFUSED
) -> Decision:
    """Decide an event and take what it claims out of what is `left`; without what there is no more of.

    Whether a coupon's code has been used is not counted here: that is as it was (`refused_then`).
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
    """Return to `left` what a rollback makes available again."""
    for kind, key, number in decision.withdrawn.returned if decision.withdrawn is not None else ():
        left[kind, key] = left.get((kind, key), 0) + sign * number


def _taken(left: Left, claim: Claim) -> bool:
    """Subtract the claims from what is left. Return whether there was enough."""
    key = (claim.kind, claim.key)
    there = left.get(key, 0)
    enough = (
        there >= claim.quantity
        if claim.kind is ClaimKind.code
        else (claim.maximum is None or claim.quantity - there <= claim.maximum)
    )
    if enough:
        left[key] = there - claim.quantity
    return enough
