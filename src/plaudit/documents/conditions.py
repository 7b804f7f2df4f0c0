"""Checks trees of conditions in documents. The core compiles them."""

from typing import Any

from plaudit.core.conditions import ConditionError, compile_conditions
from plaudit.errors import FieldError


def check_conditions(conditions: Any, path: str) -> list[FieldError]:
    """Return the errors in a tree of conditions, which is at a path in its document."""
    try:
        compile_conditions(conditions, path)
    except ConditionError as error:
        return [FieldError(condition_error.field, str(condition_error)) for condition_error in (error, *error.further)]
    return []
