"""Hand out messages: number each bucket's messages for the feed, in order, and queue them for webhooks.

A message's key is (bucket, position, ordinal). A bucket's rows are written under its lock, in the order of their
positions. So a reader that sees a row sees all rows before it: no message appears behind the position that was reached,
and positions mean the same in a copy of the database (docs/decisions/0023).
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit.documents.webhook import NOTIFICATION_CREATED
from plaudit.storage.postgres import Connection, atomic
from plaudit.storage.push_subscriptions import subscriptions
from plaudit.storage.queries import queries_beside

from .attempts import PUSH, delivery_row
from .listeners import Listeners, Row, columns

_SQL = queries_beside(__file__)

HAND_OUT_BATCH = 1_000
PER_BUCKET_MIN = 10


async def buckets_with_news(connection: Connection) -> set[int]:
    """Return the buckets that have messages to hand out."""
    return {row["bucket"] for row in await connection.fetch(_SQL.with_news)}


async def hand_out(
    connection: Connection, listeners: Listeners, buckets: Collection[int], at: datetime
) -> tuple[int, set[int]]:
    """Hand out the next messages of these buckets. Return their number, and the buckets that may have more.

    Buckets that another process works on are skipped. Conditions are not evaluated here but in `conditions`.
    """
    async with atomic(connection):
        reached = await connection.fetch(_SQL.lock_handed, list(buckets))
        if not reached:
            return 0, set()
        per_bucket = max(PER_BUCKET_MIN, HAND_OUT_BATCH // len(reached))
        rows = [dict(row) for row in await connection.fetch(_SQL.after, *columns(reached), per_bucket)]
        if not rows:
            return 0, set()
        await _number(connection, rows)
        await listeners.catch_up(connection, {row["org_id"] for row in rows})
        deliveries: list[tuple[Any, ...]] = []
        for row in rows:
            org_listeners = (await listeners.of(row["org_id"])).values()
            deliveries += [delivery_row(listener, row) for listener in org_listeners if listener.may_want(row)]
            deliveries += await _pushes(connection, listeners, row)
        if deliveries:
            await connection.execute(_SQL.insert_deliveries, *columns(deliveries), at)
        last = {row["bucket"]: (row["bucket"], row["position"], row["ordinal"]) for row in rows}
        await connection.execute(_SQL.move_handed, *columns(list(last.values())))
    counts = Counter(row["bucket"] for row in rows)
    return len(rows), {bucket for bucket, count in counts.items() if count == per_bucket}


async def _number(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Give each message the next number of its organisation."""
    migrated = [row["message_id"] for row in rows if row["position"] == 0]
    earlier = await connection.fetch(_SQL.numbered_before, migrated) if migrated else []
    known: dict[UUID, int] = {row["message_id"]: row["number"] for row in earlier}
    new = [row for row in rows if row["message_id"] not in known]
    counts = Counter(row["org_id"] for row in new)
    ends = await connection.fetch(_SQL.count_on, list(counts), list(counts.values())) if counts else []
    last = {row["org_id"]: row["number"] - counts[row["org_id"]] for row in ends}
    for row in rows:
        number = known.get(row["message_id"])
        if number is None:
            number = last[row["org_id"]] = last[row["org_id"]] + 1
        row["number"] = number
    if new:
        numbered = [(row["org_id"], row["number"], row["message_id"], row["created_at"]) for row in new]
        await connection.execute(_SQL.insert_feed, *columns(numbered))


async def _pushes(connection: Connection, listeners: Listeners, row: Row) -> list[tuple[Any, ...]]:
    """Return the deliveries of a notification to each browser of its member. None if it is not to be displayed."""
    if row["type"] != NOTIFICATION_CREATED:
        return []
    programme = await listeners.programme_of(row["org_id"])
    if programme is None or programme.settings.push is None:
        return []
    if msgspec.json.decode(row["payload"])["data"]["display"] == "none":
        return []
    return [
        (row["org_id"], f"{PUSH}{subscription.subscription_id}", row["message_id"], row["number"], None, None)
        for subscription in await subscriptions(connection, row["member_id"])
    ]
