"""Erase a person from every table. Their transactions and balances stay as numbers, under a random pseudonym.

The member gets a random id and user id, which cannot be traced back to them. Transactions, balances and the log keep
their positions and amounts, so every sum still holds. Everything personal is deleted: payloads, outcomes, reasons,
profiles and notifications. The member leaves leaderboards, draws and segments. `verify` does not decide an erased
member's log again, as their payloads are gone.
"""

import re
import secrets
from datetime import datetime
from uuid import UUID

import msgspec

from plaudit.core.ids import bucket_of, derived_id, member_id_of

from .postgres import Connection, atomic
from .queries import queries_beside

_SQL = queries_beside(__file__)

CHANNEL = "plaudit_erased"


async def merged_into(connection: Connection, org_id: UUID, user_id: str) -> list[str]:
    """Return all users who were merged into this one, also through others. They are exported and erased with this one."""
    users = [user_id]
    for name in users:  # the list grows while it is read
        users += [row["user_id"] for row in await connection.fetch(_SQL.merged_into, org_id, name)]
    return users[1:]


async def erase(connection: Connection, org_id: UUID, user_id: str, at: datetime) -> bool:
    """Erase a member, and the members who were merged into them. Return False if they did not exist."""
    async with atomic(connection):
        everyone = [user_id, *await merged_into(connection, org_id, user_id)]
        if len(everyone) > 1:
            buckets = sorted({bucket_of(member_id_of(org_id, name)) for name in everyone})
            await connection.fetch(_SQL.lock_buckets, buckets)
        erased = [await _erase(connection, org_id, name, at) for name in everyone]
    return erased[0]


async def _erase(connection: Connection, org_id: UUID, user_id: str, at: datetime) -> bool:
    member_id = member_id_of(org_id, user_id)
    bucket = bucket_of(member_id)
    pseudonym = secrets.token_bytes(15) + member_id.bytes[-1:]  # the last byte is the bucket, which stays
    new_id, new_name = UUID(bytes=pseudonym), f"erased_{pseudonym.hex()}"
    async with atomic(connection):
        position = await connection.fetchval(_SQL.lock_bucket, bucket)
        if not await connection.fetchval(_SQL.member_exists, bucket, member_id):
            return False
        key = (bucket, member_id)
        old, new = _as_json(user_id), _as_json(new_name)
        event_id = derived_id(new_id, "erasure")
        names = [user_id, *(row["value"] for row in await connection.fetch(_SQL.names_of, *key))]
        for query, values in (
            (_SQL.rename_member, (*key, new_id, new_name, at)),
            *((query, key) for query in _FORGOTTEN),
            *((query, (*key, new_id)) for query in _RENAMED),
            (_SQL.rename_transactions, (*key, new_id, new_name)),
            (_SQL.rename_events, (*key, new_id, new_name)),
            (_SQL.rename_codes, (org_id, *key, new_id)),
            (_SQL.forget_deliveries, (org_id, *key)),
            (_SQL.forget_outbox, key),
            (_SQL.forget_responses, (org_id, user_id, member_id)),
            *((query, (org_id, old, new)) for query in _MENTIONING),
            (_SQL.leave_lists, (org_id, user_id)),
            (_SQL.leave_old_lists, (org_id, user_id)),
            (_SQL.leave_exclusions, (org_id, user_id)),
            (_SQL.leave_old_exclusions, (org_id, user_id)),
            (_SQL.forget_job_errors, (org_id, _pattern(names))),
            # The log records the erasure itself.
            (_SQL.log_id, (event_id, bucket, new_id, position + 1, at)),
            (_SQL.log_erasure, (bucket, position + 1, event_id, org_id, new_id, new_name, at)),
            (_SQL.move_position, (bucket, position + 1, at)),
            (_SQL.announce_erasure, (org_id,)),
        ):
            await connection.execute(query, *values)
    return True


_FORGOTTEN = (
    _SQL.forget_identities, _SQL.forget_consents, _SQL.forget_notifications, _SQL.forget_push, _SQL.forget_inbox, _SQL.forget_failed,
    _SQL.leave_segments, _SQL.leave_boards, _SQL.leave_draws,
)  # fmt: skip
_RENAMED = (
    _SQL.rename_balances, _SQL.rename_progress, _SQL.rename_holdings, _SQL.rename_coupons, _SQL.rename_event_ids,
)  # fmt: skip
_MENTIONING = (
    _SQL.rename_winners, _SQL.rename_rounds, _SQL.rename_mentions, _SQL.rename_waiting_mentions, _SQL.rename_failed_mentions,
    _SQL.rename_referrer,
)  # fmt: skip


def _as_json(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _pattern(names: list[str]) -> str:
    """Return a pattern that finds any of these names as whole words."""
    listed = "|".join(re.sub(r"(\W)", r"\\\1", name) for name in names)
    return f"(^|[^[:alnum:]_])({listed})($|[^[:alnum:]_])"
