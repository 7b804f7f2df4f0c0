"""Keep child processes running: replace a child that has ended or hangs."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog
from msgspec import Struct

from plaudit.guard import SLOT, Slot
from plaudit.runtime import child_environment

STOP_SECONDS_MAX = 30.0
RESTART_SECONDS = 0.5
CHECK_SECONDS = 0.2
START_SECONDS_MAX = 120.0  # to import the modules, on a very slow machine

log = structlog.get_logger(__name__)


class Command(Struct, frozen=True):
    """A child's command: its arguments to `plaudit`, additional environment, and inherited file descriptors."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = {}
    files: Sequence[int] = ()


class _Child:
    """A running command. `slot` records what it is working on."""

    def __init__(self, command: Command, environment: Mapping[str, str], path: Path) -> None:
        self._command = command
        self._environment = dict(environment) | dict(command.environment) | {SLOT: str(path)}
        self.slot = Slot(path)
        self._restart_at = 0.0
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        self.slot.begin()
        self._beats, self._silent_checks = 0, 0
        # In its own session, the child does not receive Ctrl-C. The parent does, and stops the children in order.
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "plaudit", *self._command.arguments],
            env=child_environment() | self._environment,
            pass_fds=self._command.files,
            start_new_session=True,
        )

    def check(self, silent_seconds: float) -> None:
        """Restart the process if it has ended. Kill it if it hangs."""
        status = self.process.poll()
        if status is not None:
            if not self._restart_at:
                ending = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
                self.slot.ended(f"the process {ending}", hung=False)
                log.warning("process_ended", process=self._command.name, reason=f"it {ending}")
                self._restart_at = time.monotonic() + RESTART_SECONDS
            elif time.monotonic() >= self._restart_at:
                self._restart_at = 0.0
                self.process = self._start()
        elif self._is_silent(silent_seconds):
            reason = f"the process was silent for {silent_seconds:g} seconds"
            self.slot.ended(reason, hung=True)
            log.error("process_hangs", process=self._command.name, reason=reason)
            self.process.kill()

    def _is_silent(self, seconds: float) -> bool:
        """Return whether the process has been silent for this long, counted in checks: a sleeping parent makes none."""
        beats = self.slot.beats
        if beats != self._beats:
            self._beats, self._silent_checks = beats, 0
            return False
        self._silent_checks += 1
        allowed = seconds if beats else max(seconds, START_SECONDS_MAX)
        return seconds > 0 and self._silent_checks * CHECK_SECONDS >= allowed


class Supervisor:
    """Runs commands as child processes until SIGTERM or SIGINT, and calls `look_after` several times a second.

    A child that is silent for `silent_seconds` counts as hanging (0: never). The files in `folder` record what children
    are working on.
    """

    def __init__(
        self,
        commands: Sequence[Command],
        environment: Mapping[str, str],
        folder: Path,
        silent_seconds: float,
        look_after: Callable[[], None] = lambda: None,
    ) -> None:
        self._commands = commands
        self._environment = environment
        self._folder = folder
        self._silent_seconds = silent_seconds
        self._look_after = look_after
        self._children: dict[str, _Child] = {}
        self._stopping = threading.Event()

    def run(self) -> None:
        """Keep the children running until stopped; then stop them, and wait."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            for command in self._commands:
                self._children[command.name] = _Child(command, self._environment, self._folder / command.name)
            while not self._stopping.wait(CHECK_SECONDS):
                self._look_after()
                for child in self._children.values():
                    child.check(self._silent_seconds)
        finally:
            processes = [child.process for child in self._children.values()]
            for process in processes:
                process.terminate()
            deadline = time.monotonic() + STOP_SECONDS_MAX
            for process in processes:
                try:
                    process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def is_ready(self, name: str) -> bool:
        """Return whether a child is ready."""
        return name in self._children and self._children[name].slot.ready

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping.set()
