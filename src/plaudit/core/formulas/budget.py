"""The steps that one event has for all its formulas and patterns, so that no document can make it long."""

from .limits import EVENT_STEPS_MAX, FormulaError


class BudgetSpent(FormulaError):
    """An event has used up its steps: whatever formula or pattern comes later is refused."""


class Budget:
    """A counter of steps, made for each decision: the event and all that follows from it share it.

    `refused` is how often something was refused: what depends on that was not looked at.
    """

    __slots__ = ("left", "most", "refused")

    def __init__(self, most: int = EVENT_STEPS_MAX) -> None:
        self.most = most
        self.left = most
        self.refused = 0

    def spend(self, steps: int) -> None:
        """Count what is about to be done. Raises BudgetSpent when it is too much, and for all that comes after."""
        self.left -= steps
        if self.left < 0:
            self.refused += 1
            raise BudgetSpent(self.problem)

    @property
    def problem(self) -> str:
        """Why something is refused."""
        return f"the event has used up its {self.most:,} steps"
