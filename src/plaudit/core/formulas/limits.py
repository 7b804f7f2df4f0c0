"""The limits of formulas, and the errors for exceeding them."""

SOURCE_MAX = 2_000  # characters of a formula
DEPTH_MAX = 40  # nested parts, because evaluation recurses as deeply
RANGE_MAX = 1_000  # items of a range to loop over
LIST_MAX = 5_000  # items of any list that a formula reads or creates
TEXT_MAX = 20_000  # characters of any text that a formula reads or creates
STEPS_MAX = 50_000  # steps of one evaluation; in a loop over a list, each part is a step for each item
EVENT_STEPS_MAX = 250_000  # steps of one event: all evaluations and patterns, including those of events that it causes
POWER_MAX = 1_000  # the largest exponent
POWER_STEPS = 60  # additional steps for a power, which costs so much more than a sum
DATE_STEPS = 6  # additional steps for a date, or for a method of a date
TEXT_A_STEP = 64  # characters of a string that a function can read in one step
FUZZY_TEXT_MAX = 200  # characters of the strings that fuzzyMatch compares: the cost grows with their product


class FormulaError(ValueError):
    """A formula is invalid, or failed on its values. The message says why."""


class NumberTooLarge(FormulaError):
    """A number outside the range of formulas."""
