"""`Idempotency-Key`: a repeated request gets the first response, and nothing is done twice.

    new key        ──► claim its row ──► run the operation ──► store the response in the row
    repeated key   ──► the same caller gets the stored response
                       409 in_progress while the operation runs; 422 for a different body
                       409 already_done for another caller, or if the response was not stored

A response with a secret is never stored; only the id of what it created is. A 5xx response is not stored either, and
frees the key. Commands are also protected by the log: the key becomes the event's key (see `run_command`), so the event
counts once even if the process dies before the response is stored. Rows are deleted after a day (chores/retention.py).
"""

from hashlib import blake2b
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from plaudit import clock
from plaudit.errors import Conflict, FieldError, IdempotencyConflict, invalid_fields
from plaudit.storage.postgres import Pool
from plaudit.storage.queries import queries_beside

if TYPE_CHECKING:
    from plaudit.api.identity.callers import Caller

_SQL = queries_beside(__file__)

KEY_MAX = 128
REFUSED_FROM = 400  # from this status on, nothing was created


class StoredResponse(Struct, frozen=True):
    """The stored response to an earlier request."""

    status: int
    content: bytes


def key_in(header: str | None) -> str | None:
    """Return the key in the header, or None. Raise Invalid if it is malformed."""
    if header is None:
        return None
    if not 1 <= len(header) <= KEY_MAX or not header.isascii() or not header.isprintable():
        raise invalid_fields([FieldError("Idempotency-Key", f"must be 1 to {KEY_MAX} printable ASCII characters")])
    return header


def name_of(caller: "Caller") -> str:
    """Return a name that is unique per caller: the member's id, or the API key's id with its scopes."""
    if caller.member_id is not None:
        return str(caller.member_id)
    return f"{caller.key_id} {' '.join(sorted(caller.scopes))}"


async def begin(
    pool: Pool, org_id: UUID, key: str, operation: str, body: bytes, caller: str | None = None
) -> StoredResponse | None:
    """Claim a key for a request. Return the stored response if the request was already processed.

    Raise IdempotencyConflict for a different body. Raise Conflict while the first request runs, and if it is done but
    the response is not stored or belongs to another caller.
    """
    fingerprint = blake2b(operation.encode() + b"\n" + body, digest_size=16).digest()
    async with pool.acquire() as connection:
        row = None
        while row is None:  # a concurrent claim was not visible yet: try again
            row = await connection.fetchrow(_SQL.begin, org_id, key, fingerprint, clock.now())
            if row is None or row["mine"] or row["status"] is None or row["caller"] in (None, caller):
                continue
            if row["status"] >= REFUSED_FROM:  # another caller was refused, perhaps only for missing rights
                await connection.execute(_SQL.free, org_id, key)
                row = None
    if row["mine"]:
        return None
    if row["fingerprint"] != fingerprint:
        raise IdempotencyConflict("This Idempotency-Key was already used for a different request")
    if row["status"] is None:
        raise Conflict("A request with this Idempotency-Key is still in progress; retry shortly", code="in_progress")
    if row["content"] is None or row["caller"] not in (None, caller):
        why = "its response held a secret, which is shown once" if row["content"] is None else "by another caller"
        raise Conflict(f"This request was already processed: {why}", code="already_done", made=row["made"])
    return StoredResponse(row["status"], row["content"])


async def finish(
    pool: Pool,
    org_id: UUID,
    key: str,
    status: int,
    content: bytes | None,
    *,
    caller: str | None = None,
    made: str | None = None,
) -> None:
    """Store the response, or only the id `made` if `content` is None. A 5xx status frees the key instead."""
    async with pool.acquire() as connection:
        if status >= 500:
            await connection.execute(_SQL.free, org_id, key)
        else:
            await connection.execute(_SQL.finish, org_id, key, status, content, caller, made)
