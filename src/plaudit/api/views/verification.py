"""Response types of the check of the ledger."""

from .base import View


class InvariantCheck(View):
    """An invariant of the ledger: how much was checked, and how often it was violated."""

    name: str
    counted: int
    violations: int
    examples: list[str]
    remedy: str


class Verification(View):
    """Whether all invariants of the ledger hold."""

    holds: bool
    checks: list[InvariantCheck]
