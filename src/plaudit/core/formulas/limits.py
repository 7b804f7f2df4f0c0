"""The limits of formulas, and the errors for exceeding them."""

SOURCE_MAX = 2_000  # characters of a formula
DEPTH_MAX = 40  # nested parts: evaluating goes that deep into Python's stack
RANGE_MAX = 1_000  # items of a range that is gone through
LIST_MAX = 5_000  # items of any list that a formula looks into or makes
TEXT_MAX = 20_000  # characters of any text that a formula looks into or makes
STEPS_MAX = 50_000  # of one evaluation: an item of a list that is looked at is a step for each part applied to it
EVENT_STEPS_MAX = 250_000  # of one event: all its evaluations and patterns, and those of what follows from it
POWER_MAX = 1_000  # as an exponent
POWER_STEPS = 60  # that a power counts for: it is that much more work than a sum
DATE_STEPS = 6  # that a date or a method of one counts for besides
TEXT_A_STEP = 64  # characters of a text that a function can look at in one step
FUZZY_TEXT_MAX = 200  # characters of the texts that fuzzyMatch compares: the work grows with their product


class FormulaError(ValueError):
    """A formula that cannot be compiled, or failed on its values. The message says why."""


class NumberTooLarge(FormulaError):
    """A number outside the range of formulas."""
