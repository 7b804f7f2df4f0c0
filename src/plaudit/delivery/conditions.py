"""Evaluate webhooks' conditions, one organisation after the other, each within its time, whatever the conditions do.

hand_out ──► a delivery to be judged ──► its conditions hold: it may be tried
                                     ├─► they do not: it is dropped
                                     └─► nobody can say: it is dead, with the reason

What ends the process cannot be caught. The guard tells who did it, where it has seen it (docs/decisions/0025). Besides,
each look is counted before it is made: those at which a process ended are looked at again one by one, and the one that
does it a second time is given up.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any
from uuid import UUID

from plaudit.guard import in_hand, known
from plaudit.storage.postgres import Connection, atomic
from plaudit.storage.queries import queries_beside

from .attempts import suspect_id_of
from .listeners import Listener, Listeners, Row, columns
from .webhooks import error_of

_SQL = queries_beside(__file__)

LEASE = timedelta(seconds=5)
AT_ONCE, OF_ORG_AT_ONCE = 500, 200
OF_ORG_SECONDS = 0.05  # of one pass
TRIES_MAX = 2
ENDED_PROCESS = "the conditions could not be evaluated: the process ended twice while evaluating them"


async def evaluate_conditions(connection: Connection, listeners: Listeners, at: datetime) -> int:
    """Evaluate the conditions of deliveries that wait for it. Return how many were evaluated."""
    done = 0
    for size, again in ((AT_ONCE, False), (1, True)):
        rows = await connection.fetch(_SQL.begin, at, at + LEASE, min(size, OF_ORG_AT_ONCE), size, again)
        if rows:
            done += await _judge_those(connection, listeners, sorted(map(dict, rows), key=_number), at)
    return done


async def _judge_those(connection: Connection, listeners: Listeners, rows: list[dict[str, Any]], at: datetime) -> int:
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    spent: dict[UUID, float] = defaultdict(float)
    for row in rows:
        key = (row["org_id"], row["webhook_id"], row["message_id"])
        if spent[row["org_id"]] > OF_ORG_SECONDS:
            found["put_back"].append(key)
            continue
        listener = (await listeners.of(row["org_id"])).get(row["webhook_id"])
        started = perf_counter()
        verdict = _verdict(listener, row)
        spent[row["org_id"]] += perf_counter() - started
        if isinstance(verdict, str):
            found["fail"].append((*key, verdict))
        else:
            found["hold" if verdict else "drop"].append(key)
    async with atomic(connection):
        for name, keys in found.items():
            given = columns(keys)
            await connection.execute(_SQL.by_name[name], *given, *([] if name == "drop" else [at]))
    return len(rows) - len(found["put_back"])


def _verdict(listener: Listener | None, row: Row) -> bool | str:
    if listener is None or row["payload"] is None:  # it is gone, or the message is (erased)
        return False
    suspect_id = suspect_id_of(row["message_id"], row["webhook_id"])
    stopped = known.stopped(suspect_id)
    if stopped is not None:
        return f"while the webhook's conditions were evaluated, {stopped.reason}"
    if row["judging"] > TRIES_MAX:
        return ENDED_PROCESS
    with in_hand.doing("message", suspect_id, row["org_id"]):
        try:
            return listener.verdict(row)
        except BaseException as problem:
            return f"the conditions could not be evaluated: {error_of(problem)}"


def _number(row: Row) -> int:
    return row["number"]
