"""Run the batches of an import, in this process or in subprocesses.

A long import would block the process that receives it for all other requests, and could use only one core. So a job
that turns out to be long gets subprocesses with a connection each, which end with the job or with their owner.
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
    """An importer that runs batches in the order of the calls. After a failed batch, it refuses further ones."""

    def __init__(self, pool: Pool, programmes: Programmes) -> None:
        self._pool = pool
        self._programmes = programmes
        self._lock = asyncio.Lock()  # grants in the order of the calls
        self._failed = False

    async def work(self, batch: ImportBatch) -> BatchResult:
        """Import a batch and return its result. Raise Unavailable if an earlier batch has failed."""
        async with self._lock:
            if self._failed:
                raise Unavailable("An earlier part of this import failed; resume the job")
            try:
                programme = await self._programmes.refresh(batch.org_id)
                work = moving.import_batch if batch.kind.startswith(moving.PREFIX) else import_batch
                return await work(self._pool, programme, batch)
            except BaseException:
                self._failed = True
                raise


class ImportSubprocess:
    """An importer in its own process."""

    def __init__(self, url: str) -> None:
        self._process = ProcessPoolExecutor(1, mp_context=_context(), initializer=_initialise, initargs=(url,))

    async def work(self, batch: ImportBatch) -> BatchResult:
        """Import a batch and return its result. Raise Unavailable if the process has died or lost its connection."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._process, _work, batch)
        except BrokenProcessPool:
            raise Unavailable("An import process died; resume the job", code="helper_ended") from None

    async def ready(self) -> None:
        """Wait until the process is ready. A thread submits, since that blocks until the fork server has started."""
        await asyncio.wrap_future(await asyncio.to_thread(self._process.submit, _ready))

    def close(self) -> None:
        """Shut the process down after its current batch."""
        self._process.shutdown(wait=False, cancel_futures=True)


def _context() -> BaseContext:
    """Return how to start subprocesses: fork them from a server process that has only imported the modules."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


class ImportPool:
    """The subprocesses of one job: none at first, then about one for each core."""

    _in_use = False  # only one job at a time has subprocesses; others continue in this process

    def __init__(self, url: str) -> None:
        self._url = url
        self._all: list[ImportSubprocess] = []
        self._start_task: asyncio.Task[object] | None = None

    def start(self) -> None:
        """Start the subprocesses, unless they were started, another job has some, or there is no URL (a dry run)."""
        if not self._url or self._start_task is not None or ImportPool._in_use:
            return
        ImportPool._in_use = True
        self._start_task = asyncio.create_task(self._start_all())

    async def _start_all(self) -> None:
        def create() -> list[ImportSubprocess]:
            return [ImportSubprocess(self._url) for _ in range(subprocess_count())]

        try:  # in a thread, since creating the first one starts the fork server
            self._all = await asyncio.to_thread(create)
            await asyncio.gather(*(subprocess.ready() for subprocess in self._all))
        except Exception:
            log.exception("import_workers_not_started")  # the job continues in this process
            raise

    @property
    def starting(self) -> bool:
        """Return whether the subprocesses are being started."""
        return self._start_task is not None and not self._start_task.done()

    def ready(self) -> Sequence[ImportSubprocess]:
        """Return the subprocesses once they are ready; none before that, or if they could not be started."""
        task = self._start_task
        return self._all if task is not None and task.done() and task.exception() is None else ()

    def close(self) -> None:
        """Shut the subprocesses down."""
        if self._start_task is not None:
            self._start_task.cancel()
            ImportPool._in_use = False
        for subprocess in self._all:
            subprocess.close()


def subprocess_count() -> int:
    """Return how many subprocesses to start: one for each core, but at least two, so one decides while one writes."""
    return max(2, min(SUBPROCESSES_MAX, os.cpu_count() or 1))


# ------------------------------------------------------------------------------------------------- in the process

_runner: asyncio.Runner
_importer: LocalImporter


def _initialise(url: str) -> None:
    global _runner, _importer  # noqa: PLW0603 (set once, for the process's lifetime)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner handles Ctrl-C, and then ends this process
    # The owner is not always the parent: subprocesses are forked from a fork server, which ends with the owner.
    exit_with_parent()
    threading.Thread(target=_end_with_owner, daemon=True).start()
    tune_gc()
    _runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    _importer = _runner.run(_create_importer(url))


def _end_with_owner() -> None:
    """End this process with its owner. The fork server is its parent, so a pipe shows when the owner is gone."""
    owner = multiprocessing.parent_process()
    assert owner is not None
    owner.join()
    os._exit(1)


async def _create_importer(url: str) -> LocalImporter:
    pool = await create_pool(url, size=1, by_key=True)
    return LocalImporter(pool, Programmes(pool, url))


def _ready() -> None:
    pass


def _work(batch: ImportBatch) -> BatchResult:
    try:
        return _runner.run(_importer.work(batch))
    except PlauditError:
        raise
    except UNREACHABLE as error:
        raise Unavailable("The database cannot be reached") from error
    except Exception:  # a driver's error cannot be pickled for another process
        raise RuntimeError(traceback.format_exc(limit=-20)) from None
