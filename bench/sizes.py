"""How much is measured. `PLAUDIT_BENCH_SIZE=tiny` only shows that every row can be: its figures mean nothing."""

import os
import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """The sizes of everything, as they are measured unless the environment says otherwise."""

    members: int = 100_000
    events: int = 60_000
    board: int = 1_000_000
    campaigns: int = 1_000
    rounds: int = 5  # of what is measured by turns
    pgbench_scale: int = 20
    pgbench_clients: tuple[int, ...] = (1, 8, 32)
    pgbench_seconds: int = 5
    connections: int = 48
    seconds: float = 6.0
    latency_seconds: float = 30.0  # a single stall of a tenth of a second is more than a hundredth of six seconds
    settle_seconds: float = 2.0
    batch: int = 500
    watched_every: int = 40  # watching costs queries of its own, which must not be what is measured
    looks: int = 300
    reads: int = 1_500
    streams: int = 5_000
    toasts: int = 400
    history_members: int = 2_000
    database_each: bool = True  # for each part: what one leaves behind is nothing to the next


TINY = Sizes(
    members=200, events=200, board=1_000, campaigns=10, rounds=1, pgbench_scale=1, pgbench_clients=(1,), pgbench_seconds=1,
    connections=4, seconds=0.3, latency_seconds=0.5, settle_seconds=0.1, batch=10, watched_every=1, looks=10, reads=30,
    streams=20, toasts=5, history_members=20, database_each=False,
)  # fmt: skip

SIZES = TINY if os.environ.get("PLAUDIT_BENCH_SIZE") == "tiny" else Sizes()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
