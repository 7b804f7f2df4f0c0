"""Backups: the whole database in one file, made by the programs of the bundled PostgreSQL.

The bundled PostgreSQL is the newest version that we support, and `pg_dump` reads its own version and older ones.
"""

import os
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from shutil import copyfileobj
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryFile, mkstemp
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from plaudit.errors import Conflict, PlauditError

from .embedded import program
from .postgres import connect
from .queries import queries_beside
from .schema import revision_of

_SQL = queries_beside(__file__)


class BackupFailedError(PlauditError):
    """A backup could not be written or restored. The message quotes PostgreSQL's program."""

    code = "backup_failed"


class NotEmptyError(Conflict):
    """The database to restore into is not empty."""

    code = "database_not_empty"


async def backup(url: str, file: Path) -> None:
    """Write a consistent snapshot of the database to `file`. Other processes can keep writing meanwhile.

    The file appears only when it is complete, and only its owner can read it, as it contains keys and secrets. If
    `file` is a symbolic link, its target is replaced. Raise
    BackupFailedError if it fails or the path is not a regular file.
    """
    target = _backup_target(file)
    connection = await connect(url)
    try:
        if await revision_of(connection) is None:
            raise BackupFailedError("the database must be one of Plaudit's (got one without its tables)")
    finally:
        await connection.close()
    unfinished: Path | None = None
    try:
        opened, name = mkstemp(prefix=f"{target.name}.", suffix=".unfinished", dir=target.parent)
        os.close(opened)
        unfinished = Path(name)
        _run(url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={unfinished}")
        unfinished.replace(target)
    except OSError as error:
        raise BackupFailedError(f"{file} cannot be written: {error.strerror}") from None
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)


def _backup_target(file: Path) -> Path:
    """Return the path that a backup replaces. Raise BackupFailedError for a device or pipe, which it would destroy."""
    try:
        mode = file.stat().st_mode  # of a link's target
    except FileNotFoundError:
        pass
    except OSError as error:
        raise BackupFailedError(f"{file} cannot be written: {error.strerror}") from None
    else:
        if not stat.S_ISREG(mode):
            kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
            raise BackupFailedError(f"{file} must be a file, or a path that does not exist (got {kind})")
    return Path(os.path.realpath(file))


_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


async def restore(url: str, file: Path) -> None:
    """Restore a backup into an empty database, whole or not at all. Raise NotEmptyError or BackupFailedError."""
    connection = await connect(url)
    try:
        tables = await connection.fetchval(_SQL.count_tables)
    finally:
        await connection.close()
    if tables:
        raise NotEmptyError(f"a backup is restored into an empty database (got one with {tables} tables)")
    _restore(url, file)


def _restore(url: str, file: Path) -> None:
    """Run the archive as SQL in one transaction.

    `pg_restore` cannot restore directly: it sets a timeout that servers before version 17 do not know.
    """
    options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    read = ["--no-owner", "--no-privileges", "--file=-", str(file)]
    address, environment = _address(url)
    with TemporaryFile() as messages, Popen([program("pg_restore"), *read], stdout=PIPE, stderr=messages) as reading:  # noqa: S603
        command = [program("psql"), *options, address]
        with Popen(command, stdin=PIPE, stdout=DEVNULL, stderr=messages, env=environment) as writing:  # noqa: S603
            assert reading.stdout is not None
            assert writing.stdin is not None
            with suppress(BrokenPipeError):  # psql has ended, and its error message says why
                for line in reading.stdout:
                    if line.startswith(b"SET transaction_timeout"):
                        break
                    writing.stdin.write(line)
                copyfileobj(reading.stdout, writing.stdin)
            reading.stdout.close()
            if reading.wait():
                writing.kill()  # at the end of its input, psql would commit the incomplete restore
            with suppress(BrokenPipeError):
                writing.stdin.close()
        messages.seek(0)
        if reading.returncode or writing.returncode:
            raise _failed(messages.read().decode(errors="replace"), writing.returncode)


def _run(url: str, name: str, *options: str) -> None:
    address, environment = _address(url)
    command = [program(name), *options, f"--dbname={address}"]
    completed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if completed.returncode:
        raise _failed(completed.stderr, completed.returncode)


def _address(url: str) -> tuple[str, dict[str, str]]:
    """Return the URL without its password, and an environment with it: other users can read arguments."""
    address, password = without_password(url)
    return address, os.environ | ({} if password is None else {"PGPASSWORD": password})


def _failed(messages: str, status: int) -> BackupFailedError:
    lines = messages.strip().splitlines() or ["it printed nothing"]
    return BackupFailedError(f"{lines[0]} (exit status {status})")


def without_password(url: str) -> tuple[str, str | None]:
    """Return a URL without its password, and the password."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, password = user.partition(":")
    query = dict(parse_qsl(parts.query))
    secret = unquote(password) if colon else query.pop("password", None)
    return urlunsplit(parts._replace(netloc=f"{name}{at}{host}", query=urlencode(query, safe="/"))), secret
