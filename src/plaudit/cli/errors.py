"""Expected errors: print a sentence and exit with 1, without a stack trace."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

import asyncpg

from plaudit.errors import FieldError, PlauditError
from plaudit.storage.postgres import UNREACHABLE

from .common import errors

_OTHER_SCHEMA = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.InvalidSchemaNameError,
)


@contextmanager
def exit_on_error() -> Generator[None]:
    """Print an expected error of the `with` block, and exit with 1."""
    try:
        yield
    except (PlauditError, asyncpg.PostgresError, *UNREACHABLE, OSError) as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        _fail(sentence, error.fields if isinstance(error, PlauditError) else ())


def _sentence(error: BaseException) -> str | None:
    """Return the sentence for an expected error; None for others."""
    match error:
        case PlauditError():
            return error.message
        case OSError(filename=str() as name):  # a file; errors about a missing socket have no filename
            return f"cannot use {name}: {error.strerror}"
        case FileNotFoundError():
            return "cannot reach the database: it has no socket in that folder"
        case asyncpg.ClientConfigurationError():
            return f"the database URL cannot be read: {error}"
        case asyncpg.InvalidCatalogNameError() | asyncpg.InvalidAuthorizationSpecificationError():
            return f"cannot open the database: {error}"
        case asyncpg.InsufficientPrivilegeError():
            return f"the database does not allow it: {error}"
        case _ if isinstance(error, _OTHER_SCHEMA):
            return f"the database does not have this version's schema ({error}): run plaudit migrate"
        case _ if isinstance(error, (*UNREACHABLE, OSError)):
            return f"cannot reach the database: {error or type(error).__name__}"
        case _:
            return None


def _fail(message: str, fields: "list[FieldError] | tuple[()]") -> NoReturn:
    errors.print(f"plaudit: {message}", style="red", highlight=False, markup=False, soft_wrap=True)
    if len(fields) > 1 or (fields and fields[0].message not in message):
        for field in fields:
            line = f"  {field.field or 'the document'} {field.message}"
            errors.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
    raise SystemExit(1) from None
