"""The steps that one event may spend on formulas and patterns, so that no document can make it slow."""

from .limits import EVENT_STEPS_MAX, FormulaError


class BudgetSpent(FormulaError):
    """An event has spent its steps: every later formula or pattern is refused."""


class Budget:
    """A counter of steps for one decision, shared by the event and all that follows from it.

    `refused` counts the refusals: what depends on them was not evaluated.
    """

    __slots__ = ("left", "most", "refused")

    def __init__(self, most: int = EVENT_STEPS_MAX) -> None:
        self.most = most
        self.left = most
        self.refused = 0

    def spend(self, steps: int) -> None:
        """Count steps before they are done. Raise BudgetSpent if they exceed the budget, then and ever after."""
        self.left -= steps
        if self.left < 0:
            self.refused += 1
            raise BudgetSpent(self.problem)

    @property
    def problem(self) -> str:
        """Return the reason for refusals."""
        return f"the event has used up its {self.most:,} steps"
