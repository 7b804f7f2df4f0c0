"""`Idempotency-Key`: a request sent again gets the first response again, and nothing is done twice.

    a key is new       ──► its row is claimed ──► the call runs ──► the response is stored in the row
    it comes again     ──► the same caller gets the response again
                           409 in_progress while the call runs; 422 with another body
                           409 already_done where the response is not kept, or for another caller

A response that holds a secret is never stored, only what was made. A response of 5xx is not stored either: the key is
free again. What changes the ledger is also guarded by the log: the key names the event (see `commands`), which counts
once even if a process dies between the two. Rows are deleted after a day (chores/retention.py).
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
REFUSED_FROM = 400  # statuses from here on mean that nothing was made


class StoredResponse(Struct, frozen=True):
    """The stored response to an earlier request."""

    status: int
    content: bytes


def key_in(given: str | None) -> str | None:
    """Return the request's key, checked. Raise Invalid."""
    if given is None:
        return None
    if not 1 <= len(given) <= KEY_MAX or not given.isascii() or not given.isprintable():
        raise invalid_fields([FieldError("Idempotency-Key", f"must be 1 to {KEY_MAX} printable ASCII characters")])
    return given


def name_of(caller: "Caller") -> str:
    """Return what tells callers apart: the member; or the key with the scopes that it was used with."""
    if caller.member_id is not None:
        return str(caller.member_id)
    return f"{caller.key_id} {' '.join(sorted(caller.scopes))}"


async def begin(
    pool: Pool, org_id: UUID, key: str, operation: str, body: bytes, caller: str | None = None
) -> StoredResponse | None:
    """Claim a key for a request. Return the stored response if it came before.

    Raise IdempotencyConflict for another body; Conflict while it runs, or if it was done and the caller may not see the response.
    """
    fingerprint = blake2b(operation.encode() + b"\n" + body, digest_size=16).digest()
    async with pool.acquire() as connection:
        row = None
        while row is None:  # claimed by another statement that this one could not see yet: the next one does
            row = await connection.fetchrow(_SQL.begin, org_id, key, fingerprint, clock.now())
            if row is None or row["mine"] or row["status"] is None or row["caller"] in (None, caller):
                continue
            if row["status"] >= REFUSED_FROM:  # a refusal of another caller, who may have been allowed less
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
    """Store the response (None: only that it was done, and what was `made`); or free the key if the fault is ours."""
    async with pool.acquire() as connection:
        if status >= 500:
            await connection.execute(_SQL.free, org_id, key)
        else:
            await connection.execute(_SQL.finish, org_id, key, status, content, caller, made)
