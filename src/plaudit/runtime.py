"""The processes of a server: their limits and priorities, and children that end with their parent."""

import asyncio
import ctypes
import gc
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

PARENT_LOOK_SECONDS = 0.5
MEMORY_MAX = 4 << 30
_SESSION_NICENESS = Path("/proc/self/autogroup")
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
_PR_SET_PDEATHSIG = 1

PARENT = "PLAUDIT_PARENT"  # the process that a child belongs to: by the time the child can ask, it may be gone


def child_environment() -> dict[str, str]:
    """Return the environment of a child that ends with this process (see `exit_with_parent`)."""
    return dict(os.environ) | {PARENT: str(os.getpid())}


def exit_with_parent(parent: int | None = None) -> None:
    """End this process at once when its parent is gone: a killed server leaves nobody behind.

    `parent` is the process that started this one, unless the environment names it. On Linux the kernel does it,
    so a process that hangs also ends. Elsewhere a thread does it.
    """
    parent = parent or int(os.environ.pop(PARENT, "0")) or os.getppid()
    if sys.platform != "linux" or ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        threading.Thread(target=_watch, args=(parent,), daemon=True, name="parent-watch").start()
    if os.getppid() != parent:  # it was gone before we asked
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_LOOK_SECONDS)
    os._exit(1)


STOPPING = asyncio.Event()


async def wait_for_shutdown() -> None:
    """Return when this process has been asked to stop."""
    await STOPPING.wait()


def memory() -> int:
    """Return the memory of the machine, or of the container that this is, in bytes."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no such file, or "max"
        found = min(found, int(_CONTAINER_LIMIT.read_text(encoding="ascii")))
    return found


def limit_memory(megabytes: int) -> None:
    """Limit this process's memory; 0 is half of the machine's, 4 GB at most.

    An allocation beyond it raises MemoryError, or ends this process alone, rather than the machine's others.
    """
    import resource

    wanted = megabytes << 20 if megabytes else min(memory() // 2, MEMORY_MAX)
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        if most != resource.RLIM_INFINITY:
            wanted = min(wanted, most)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))


def allow_files(number: int) -> None:
    """Raise the limit of open files as far as the system allows, up to `number`: each connection is one."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if most == resource.RLIM_INFINITY else min(number, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def tune_gc() -> None:
    """Look for reference cycles seldom: a batch makes thousands of objects and hardly a cycle among them.

    By default the collector runs after every few hundred objects, and took a third of the engine's time; within a batch, even
    after a hundred thousand, a twentieth.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 50, 50)


def set_niceness(nice: int) -> None:
    """Set this process's niceness (-20 to 19). Negative values need CAP_SYS_NICE and are ignored without it.

    One worker keeps several PostgreSQL processes busy; if it waits for a core, they all wait. Linux may share its cores out
    by sessions first (sched(7), autogroup), so a session of the process's own gets the same niceness.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        if os.getsid(0) == os.getpid():
            _SESSION_NICENESS.write_text(str(nice), encoding="ascii")
