"""Erasing a person: gone from every table; what they had and did stays as numbers, under a name drawn by chance.

The member gets another id and user id, which nothing leads back from. Transactions, balances and the log keep their
places and amounts, so that every sum still holds; what the person said (payloads, outcomes, reasons, profiles,
notifications) is gone. The log of an erased member is not decided again by `verify`: there is nothing left to decide on.
"""

import secrets
from datetime import datetime
from uuid import UUID

import msgspec

from plaudit.core.ids import bucket_of, derived_id, member_id_of

from .postgres import Connection, atomic
from .queries import queries_beside

SQL = queries_beside(__file__)

CHANNEL = "plaudit_erased"


async def erase(connection: Connection, org_id: UUID, user_id: str, at: datetime) -> bool:
    """Erase a member. Answers whether there was one."""
    member_id = member_id_of(org_id, user_id)
    bucket = bucket_of(member_id)
    pseudonym = secrets.token_bytes(15) + member_id.bytes[-1:]  # of the same bucket, which is the last byte
    new_id, new_name = UUID(bytes=pseudonym), f"erased_{pseudonym.hex()}"
    async with atomic(connection):
        position = await connection.fetchval(SQL.lock_bucket, bucket)
        if not await connection.fetchval(SQL.is_there, bucket, member_id):
            return False
        key = (bucket, member_id)
        old, new = _as_json(user_id), _as_json(new_name)
        event_id = derived_id(new_id, "erasure")
        for query, values in (
            (SQL.rename_member, (*key, new_id, new_name, at)),
            *((query, key) for query in _FORGOTTEN),
            *((query, (*key, new_id)) for query in _RENAMED),
            (SQL.rename_segments, (*key, new_id, new_name)),
            (SQL.rename_standings, (*key, new_id, new_name, position + 1)),
            (SQL.rename_transactions, (*key, new_id, new_name)),
            (SQL.rename_events, (*key, new_id, new_name)),
            (SQL.rename_codes, (org_id, *key, new_id)),
            (SQL.forget_deliveries, (org_id, member_id)),
            (SQL.forget_outbox, (org_id, member_id)),
            (SQL.forget_answers, (org_id, user_id, member_id)),
            *((query, (org_id, old, new)) for query in _MENTIONING),
            (SQL.leave_lists, (org_id, user_id)),
            (SQL.leave_old_lists, (org_id, user_id)),
            # The log says that it was done; and boards, which follow the log, see the new name.
            (SQL.log_id, (event_id, bucket, new_id, position + 1, at)),
            (SQL.log_erasure, (bucket, position + 1, event_id, org_id, new_id, new_name, at)),
            (SQL.move_position, (bucket, position + 1, at)),
            (SQL.tell, (org_id,)),
        ):
            await connection.execute(query, *values)
    return True


_FORGOTTEN = (
    SQL.forget_identities, SQL.forget_consents, SQL.forget_notifications, SQL.forget_push, SQL.forget_inbox, SQL.forget_failed,
)  # fmt: skip
_RENAMED = (
    SQL.rename_balances, SQL.rename_progress, SQL.rename_holdings, SQL.rename_entries, SQL.rename_coupons,
    SQL.rename_event_ids,
)  # fmt: skip
_MENTIONING = (SQL.rename_winners, SQL.rename_rounds, SQL.rename_mentions, SQL.rename_referrer)


def _as_json(text: str) -> str:
    return msgspec.json.encode(text).decode()
