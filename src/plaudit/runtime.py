"""Set up a server's processes: limits, priorities, garbage collection, and children that end with their parent."""

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

PARENT_CHECK_SECONDS = 0.5
MEMORY_MAX = 4 << 30
_SESSION_NICENESS = Path("/proc/self/autogroup")
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
_PR_SET_PDEATHSIG = 1

PARENT = "PLAUDIT_PARENT"  # the parent's process id, as it may have ended before the child can query it


def child_environment() -> dict[str, str]:
    """Return the environment of a child that ends with this process (see `exit_with_parent`)."""
    return dict(os.environ) | {PARENT: str(os.getpid())}


def exit_with_parent(parent: int | None = None) -> None:
    """End this process immediately when its parent ends, so a killed server leaves no processes behind.

    `parent` is the id of the process that started this one, by default the one in the environment. On Linux the kernel
    ends this process, even if it hangs. On other systems a thread does it.
    """
    parent = parent or int(os.environ.pop(PARENT, "0")) or os.getppid()
    if sys.platform != "linux" or ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        threading.Thread(target=_watch, args=(parent,), daemon=True, name="parent-watch").start()
    if os.getppid() != parent:  # the parent ended before this call
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(1)


STOPPING = asyncio.Event()


async def wait_for_shutdown() -> None:
    """Wait until this process is asked to stop."""
    await STOPPING.wait()


def memory() -> int:
    """Return the memory of the machine, or of its container, in bytes."""
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no such file, or "max"
        size = min(size, int(_CONTAINER_LIMIT.read_text(encoding="ascii")))
    return size


def limit_memory(megabytes: int) -> None:
    """Limit this process's memory. 0 stands for half of the machine's memory, at most 4 GB.

    An allocation beyond the limit raises MemoryError or ends this process. Without it, the system could kill others.
    """
    import resource

    limit = megabytes << 20 if megabytes else min(memory() // 2, MEMORY_MAX)
    with suppress(OSError, ValueError):
        _, hard_limit = resource.getrlimit(resource.RLIMIT_DATA)
        if hard_limit != resource.RLIM_INFINITY:
            limit = min(limit, hard_limit)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard_limit))


def allow_files(number: int) -> None:
    """Set the limit of open files to `number`, or as far as the system allows. Each connection is an open file."""
    import resource

    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = number if hard_limit == resource.RLIM_INFINITY else min(number, hard_limit)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard_limit))


def tune_gc() -> None:
    """Run the garbage collector rarely: a batch creates thousands of objects, but hardly any reference cycles.

    By default the collector runs after every few hundred objects and took a third of the engine's time. Even every
    100,000 objects, it took a twentieth of a batch's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 50, 50)


def set_niceness(nice: int) -> None:
    """Set this process's niceness (-20 to 19). Negative values need CAP_SYS_NICE and are ignored without it.

    One worker keeps several PostgreSQL processes busy; if it waits for a core, they all wait. Linux may first divide
    its cores among sessions (sched(7), autogroup), so a session of the process's own gets the same niceness.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        if os.getsid(0) == os.getpid():
            _SESSION_NICENESS.write_text(str(nice), encoding="ascii")
