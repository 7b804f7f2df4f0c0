"""Processes of one server: children that end with their parent, and a parent that keeps them running."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PARENT_LOOK_SECONDS = 1.0
STOP_SECONDS_MAX = 30.0
RESTART_SECONDS = 0.5
LOOK_SECONDS = 0.2
_SESSION_NICENESS = Path("/proc/self/autogroup")


def end_with_parent() -> None:
    """End this process when its parent is gone: a killed server leaves no orphans behind."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_SECONDS_MAX)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


STOPPING = "PLAUDIT_API_STOPPING"  # names a file that is there once the API is asked to stop


async def asked_to_stop() -> None:
    """Return when the process that started this one has been asked to stop (see the command `api`)."""
    path = os.environ.get(STOPPING)
    while path is None or not os.path.exists(path):  # noqa: ASYNC240, PTH110 (a look that costs nothing)
        await asyncio.sleep(LOOK_SECONDS)


class Supervisor:
    """Runs commands as children; one that ends by itself is started again. `run` ends on SIGTERM or SIGINT.

    `look_after` is called several times a second, for what must be kept running and is no child.
    """

    def __init__(
        self, commands: Sequence[Sequence[str]], environment: Mapping[str, str], look_after: Callable[[], None]
    ) -> None:
        self._commands = commands
        self._look_after = look_after
        self._environment = dict(os.environ) | dict(environment)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Keep the children running until asked to stop; then stop them, and wait."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        children = [self._start(command) for command in self._commands]
        try:
            while not self._stopping.wait(LOOK_SECONDS):
                self._look_after()
                for i, child in enumerate(children):
                    if child.poll() is not None:
                        time.sleep(RESTART_SECONDS)
                        children[i] = self._start(self._commands[i])
        finally:
            for child in children:
                child.terminate()
            deadline = time.monotonic() + STOP_SECONDS_MAX
            for child in children:
                try:
                    child.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    child.kill()

    def _asked_to_stop(self, _number: int, _frame: object) -> None:
        self._stopping.set()

    def _start(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        # A session of its own: Ctrl-C reaches the parent alone, which then stops the children in order.
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "plaudit", *command], env=self._environment, start_new_session=True
        )


def calm_garbage_collector() -> None:
    """Look for reference cycles seldom: a batch makes thousands of objects and hardly a cycle among them.

    By default the collector runs after every few hundred objects, and took a third of the engine's time; within a batch, even
    after a hundred thousand, a twentieth.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 50, 50)


def stand_in_line(nice: int) -> None:
    """Take a niceness (-20 to 19), as far as that is allowed: one below 0 takes a right to it (CAP_SYS_NICE).

    A worker feeds several of the database's processes. If it has to wait for a core like each of these, they are idle
    after it. Linux may share its cores out by sessions first (sched(7), autogroup), so a session of one's own
    takes the same niceness.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        if os.getsid(0) == os.getpid():
            _SESSION_NICENESS.write_text(str(nice), encoding="ascii")
