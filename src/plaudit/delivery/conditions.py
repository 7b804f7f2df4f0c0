"""Evaluate webhooks' conditions. Organisations take turns, each with limited time, so none can block the others.

hand_out ──► a delivery with conditions ──► they hold: it is attempted
                                        ├─► they do not hold: it is dropped
                                        └─► they cannot be evaluated: it is dead, with the reason

Conditions can end the process, for example in native code. The guard usually knows which delivery did
(docs/decisions/0025). As a fallback, each evaluation is counted before it starts: deliveries whose evaluation ended a
process are evaluated again one at a time, and one that ends the process a second time is dead.
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
BATCH_MAX, ORG_BATCH_MAX = 500, 200
ORG_SECONDS_MAX = 0.05  # per pass
TRIES_MAX = 2
ENDED_PROCESS = "the conditions could not be evaluated: the process ended twice while evaluating them"


async def evaluate_conditions(connection: Connection, listeners: Listeners, at: datetime) -> int:
    """Evaluate the conditions of deliveries that wait for it. Return how many were evaluated."""
    evaluated = 0
    for size, retry in ((BATCH_MAX, False), (1, True)):
        rows = await connection.fetch(_SQL.start, at, at + LEASE, min(size, ORG_BATCH_MAX), size, retry)
        if rows:
            evaluated += await _evaluate(connection, listeners, sorted(map(dict, rows), key=_number), at)
    return evaluated


async def _evaluate(connection: Connection, listeners: Listeners, rows: list[dict[str, Any]], at: datetime) -> int:
    keys_by_query: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    spent: dict[UUID, float] = defaultdict(float)
    for row in rows:
        key = (row["org_id"], row["webhook_id"], row["message_id"])
        if spent[row["org_id"]] > ORG_SECONDS_MAX:
            keys_by_query["put_back"].append(key)
            continue
        listener = (await listeners.of(row["org_id"])).get(row["webhook_id"])
        started = perf_counter()
        verdict = _verdict(listener, row)
        spent[row["org_id"]] += perf_counter() - started
        if isinstance(verdict, str):
            keys_by_query["fail"].append((*key, verdict))
        else:
            keys_by_query["hold" if verdict else "drop"].append(key)
    async with atomic(connection):
        for name, keys in keys_by_query.items():
            await connection.execute(_SQL.by_name[name], *columns(keys), *([] if name == "drop" else [at]))
    return len(rows) - len(keys_by_query["put_back"])


def _verdict(listener: Listener | None, row: Row) -> bool | str:
    if listener is None or row["payload"] is None:  # the webhook or the message was deleted
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
