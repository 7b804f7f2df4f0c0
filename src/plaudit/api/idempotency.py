"""`Idempotency-Key`: the same request sent again gets the first answer again, and nothing is done twice.

    a key comes first ──► it is kept as begun ──► the call runs ──► its answer is kept beside the key
    it comes again    ──► the answer is given again; while the call still runs, 409; with another body, 422

An answer of 5xx is not kept: then the key is free again. What changes members' books is guarded by the log besides: the
key names the event (see `commands`), which counts once even if a process dies between the two.
"""

from hashlib import blake2b
from uuid import UUID

from msgspec import Struct

from plaudit import clock
from plaudit.errors import Conflict, FieldError, Mismatch, invalid_fields
from plaudit.storage.postgres import Pool
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)

KEY_MAX = 128


class Kept(Struct, frozen=True):
    """The answer to a request that came before."""

    status: int
    content: bytes


def key_in(given: str | None) -> str | None:
    """The request's key, checked. Raises Invalid."""
    if given is None:
        return None
    if not 1 <= len(given) <= KEY_MAX or not given.isascii() or not given.isprintable():
        raise invalid_fields([FieldError("Idempotency-Key", f"must have 1 to {KEY_MAX} printable ASCII characters")])
    return given


async def begin(pool: Pool, org_id: UUID, key: str, operation: str, body: bytes) -> Kept | None:
    """Claim a key for a request; or the answer that it got before. Raises Mismatch, or Conflict while it runs."""
    fingerprint = blake2b(operation.encode() + b"\n" + body, digest_size=16).digest()
    async with pool.acquire() as connection:
        row = None
        while row is None:  # somebody claimed it while the statement ran, which could not see it yet: the next one does
            row = await connection.fetchrow(SQL.begin, org_id, key, fingerprint, clock.now())
    if row["mine"]:
        return None
    if row["fingerprint"] != fingerprint:
        raise Mismatch("The Idempotency-Key came with another request before")
    if row["status"] is None:
        raise Conflict("A request with this Idempotency-Key is being answered right now", code="in_progress")
    return Kept(row["status"], row["content"])


async def finish(pool: Pool, org_id: UUID, key: str, status: int, content: bytes) -> None:
    """Keep the answer; or free the key, when it was our fault."""
    async with pool.acquire() as connection:
        if status >= 500:
            await connection.execute(SQL.free, org_id, key)
        else:
            await connection.execute(SQL.finish, org_id, key, status, content)
