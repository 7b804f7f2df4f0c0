"""Trees of conditions as documents write them: checked here, compiled by the core."""

from typing import Any

from plaudit.core.conditions import ConditionError, compile_conditions
from plaudit.errors import FieldError


def check_conditions(conditions: Any, at: str) -> list[FieldError]:
    """Return the errors of a tree of conditions."""
    try:
        compile_conditions(conditions, at)
    except ConditionError as error:
        return [FieldError(condition_error.field, str(condition_error)) for condition_error in (error, *error.further)]
    return []
