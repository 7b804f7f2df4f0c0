"""Backups: the whole database in one file, made by the programs of the bundled PostgreSQL.

These are of the newest version that we support; `pg_dump` reads databases of its own version and of older ones.
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
    """Write the database as of one instant into `file`, while others go on writing to it.

    The file appears when it is complete. Only its owner may read it, as it contains keys and secrets. If it is a
    symbolic link, its target is written. Raise BackupFailedError, also if the name belongs to something other than a
    file.
    """
    target = _to_be_written(file)
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


def _to_be_written(file: Path) -> Path:
    """Return where a backup goes. Raises BackupFailedError: a new file in the place of a device or pipe would end it."""
    try:
        mode = file.stat().st_mode  # of what a link leads to
    except FileNotFoundError:
        pass
    except OSError as error:
        raise BackupFailedError(f"{file} cannot be written: {error.strerror}") from None
    else:
        if not stat.S_ISREG(mode):
            kind = next((name for is_one, name in _KINDS if is_one(mode)), "something else")
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

    `pg_restore` alone sets a timeout that servers before version 17 do not know.
    """
    options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    read = ["--no-owner", "--no-privileges", "--file=-", str(file)]
    address, environment = _address(url)
    with TemporaryFile() as said, Popen([program("pg_restore"), *read], stdout=PIPE, stderr=said) as reading:  # noqa: S603
        command = [program("psql"), *options, address]
        with Popen(command, stdin=PIPE, stdout=DEVNULL, stderr=said, env=environment) as writing:  # noqa: S603
            assert reading.stdout is not None
            assert writing.stdin is not None
            with suppress(BrokenPipeError):  # it has ended, and said why
                for line in reading.stdout:
                    if line.startswith(b"SET transaction_timeout"):
                        break
                    writing.stdin.write(line)
                copyfileobj(reading.stdout, writing.stdin)
            reading.stdout.close()
            if reading.wait():
                writing.kill()  # at the end of its input it would commit what has come so far
            with suppress(BrokenPipeError):
                writing.stdin.close()
        said.seek(0)
        if reading.returncode or writing.returncode:
            raise _failed(said.read().decode(errors="replace"), writing.returncode)


def _run(url: str, name: str, *options: str) -> None:
    address, environment = _address(url)
    command = [program(name), *options, f"--dbname={address}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise _failed(done.stderr, done.returncode)


def _address(url: str) -> tuple[str, dict[str, str]]:
    """Return the environment that tells a program which database to use: other users can read arguments."""
    address, password = without_password(url)
    return address, os.environ | ({} if password is None else {"PGPASSWORD": password})


def _failed(said: str, status: int) -> BackupFailedError:
    lines = said.strip().splitlines() or ["it printed nothing"]
    return BackupFailedError(f"{lines[0]} (exit status {status})")


def without_password(url: str) -> tuple[str, str | None]:
    """Return a URL without its password, and the password."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, password = user.partition(":")
    query = dict(parse_qsl(parts.query))
    found = unquote(password) if colon else query.pop("password", None)
    return urlunsplit(parts._replace(netloc=f"{name}{at}{host}", query=urlencode(query, safe="/"))), found
