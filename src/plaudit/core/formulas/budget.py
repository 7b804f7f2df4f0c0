"""The number of steps that one event can spend on formulas and patterns, so no document can make it slow."""

from .limits import EVENT_STEPS_MAX, FormulaError


class BudgetSpent(FormulaError):
    """The event has spent its steps, so every later formula or pattern is refused."""


class Budget:
    """A counter of steps for one decision, shared by the event and the events that it causes.

    `refused` counts the evaluations that were refused for lack of steps.
    """

    __slots__ = ("left", "most", "refused")

    def __init__(self, most: int = EVENT_STEPS_MAX) -> None:
        self.most = most
        self.left = most
        self.refused = 0

    def spend(self, steps: int) -> None:
        """Count steps before doing them. Raise BudgetSpent if they exceed the budget, now and at every later call."""
        self.left -= steps
        if self.left < 0:
            self.refused += 1
            raise BudgetSpent(self.problem)

    @property
    def problem(self) -> str:
        """Return the sentence for refusals."""
        return f"the event has used up its {self.most:,} steps"
