"""Runs the parts of an import: in this process, or in subprocesses of the import.

A long import would keep the process that takes it in from handling other requests, and could use one core only. So a job
that turns out to be long gets helpers: processes with a connection each, which end with the job or with their parent.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext

import structlog
import uvloop

from plaudit.errors import PlauditError, Unavailable
from plaudit.runtime import exit_with_parent, tune_gc
from plaudit.storage.postgres import UNREACHABLE, Pool, create_pool
from plaudit.storage.programmes import Programmes

from . import moving
from .batch import BatchResult, ImportBatch, import_batch

SUBPROCESSES_MAX = 8

log = structlog.get_logger(__name__)


class LocalImporter:
    """Works off parts in the order in which they are given; after one that failed, no more."""

    def __init__(self, pool: Pool, programmes: Programmes) -> None:
        self._pool = pool
        self._programmes = programmes
        self._lock = asyncio.Lock()  # granted in the order of requests
        self._failed = False

    async def work(self, part: ImportBatch) -> BatchResult:
        """Return the result of a part."""
        async with self._lock:
            if self._failed:
                raise Unavailable("An earlier part of this import failed; resume the job")
            try:
                programme = await self._programmes.refresh(part.org_id)
                work = moving.import_batch if part.kind.startswith(moving.PREFIX) else import_batch
                return await work(self._pool, programme, part)
            except BaseException:
                self._failed = True
                raise


class ImportSubprocess:
    """An importer in a process of its own."""

    def __init__(self, url: str) -> None:
        self._process = ProcessPoolExecutor(1, mp_context=_context(), initializer=_begin, initargs=(url,))

    async def work(self, part: ImportBatch) -> BatchResult:
        """Return the result of a part. Raise Unavailable if the process, or its connection, is gone."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._process, _work, part)
        except BrokenProcessPool:
            raise Unavailable("An import process died; resume the job", code="helper_ended") from None

    async def ready(self) -> None:
        """Wait until the process is ready. In a thread: `submit` blocks until the fork server has its modules."""
        await asyncio.wrap_future(await asyncio.to_thread(self._process.submit, _ready))

    def close(self) -> None:
        """Shut the process down after its current part."""
        self._process.shutdown(wait=False, cancel_futures=True)


def _context() -> BaseContext:
    """How helpers are made: forked off a process that has read the modules once, and has nothing else."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


class ImportPool:
    """The helpers of one job: none at first, then as many as there are cores."""

    _somebody_has_them = False  # one job of a process at a time: the others go on by themselves

    def __init__(self, url: str) -> None:
        self._url = url
        self._all: list[ImportSubprocess] = []
        self._starting: asyncio.Task[object] | None = None

    def start(self) -> None:
        """Start the subprocesses, unless they are started, another job has some, or there is no URL (a dry run)."""
        if not self._url or self._starting is not None or ImportPool._somebody_has_them:
            return
        ImportPool._somebody_has_them = True
        self._starting = asyncio.create_task(self._all_ready())

    async def _all_ready(self) -> None:
        def made() -> list[ImportSubprocess]:
            return [ImportSubprocess(self._url) for _ in range(number_of_helpers())]

        try:  # in a thread: the first of a process makes what they are forked off
            self._all = await asyncio.to_thread(made)
            await asyncio.gather(*(import_subprocess.ready() for import_subprocess in self._all))
        except Exception:
            log.exception("import_workers_not_started")  # it can do without them
            raise

    @property
    def expected(self) -> bool:
        """Whether they are being started."""
        return self._starting is not None and not self._starting.done()

    def there(self) -> Sequence[ImportSubprocess]:
        """Return the subprocesses once they are ready; none before that, or if they could not be started."""
        starting = self._starting
        return self._all if starting is not None and starting.done() and starting.exception() is None else ()

    def close(self) -> None:
        """Shut the subprocesses down."""
        if self._starting is not None:
            self._starting.cancel()
            ImportPool._somebody_has_them = False
        for import_subprocess in self._all:
            import_subprocess.close()


def number_of_helpers() -> int:
    """As many as there are cores; two at least, so that one decides while the server writes for the other."""
    return max(2, min(SUBPROCESSES_MAX, os.cpu_count() or 1))


# ------------------------------------------------------------------------------------------------- in the process

_runner: asyncio.Runner
_hand: LocalImporter


def _begin(url: str) -> None:
    global _runner, _hand  # noqa: PLW0603 (what a process has for all its life)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then lets go of this one
    # The owner is not always the parent: subprocesses are forked from a fork server, which ends with the owner.
    exit_with_parent()
    threading.Thread(target=_end_with_owner, daemon=True).start()
    tune_gc()
    _runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    _hand = _runner.run(_hand_of(url))


def _end_with_owner() -> None:
    """End this process with its owner. The fork server is its parent, so a pipe shows when the owner is gone."""
    owner = multiprocessing.parent_process()
    assert owner is not None
    owner.join()
    os._exit(1)


async def _hand_of(url: str) -> LocalImporter:
    pool = await create_pool(url, size=1, by_key=True)
    return LocalImporter(pool, Programmes(pool, url))


def _ready() -> None:
    pass


def _work(part: ImportBatch) -> BatchResult:
    try:
        return _runner.run(_hand.work(part))
    except PlauditError:
        raise
    except UNREACHABLE as error:
        raise Unavailable("The database cannot be reached") from error
    except Exception:  # a driver's error cannot be sent to another process as it is
        raise RuntimeError(traceback.format_exc(limit=-20)) from None
