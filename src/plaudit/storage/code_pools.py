"""Add, generate, redeem and expire the codes of a pool. (`engine/claims` issues them to members.)"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from plaudit.errors import Conflict, NotFound

from .postgres import Connection, atomic
from .queries import queries_beside

_SQL = queries_beside(__file__)

# Codes are read aloud and typed at tills, so characters that are easily confused are left out (I, L, O, U, 0, 1).
ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
CHUNK_CODES = 10_000


def random_code(prefix: str, length: int) -> str:
    """Return a random code that cannot be guessed."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(length))


async def add(connection: Connection, org_id: UUID, pool_id: str, codes: Sequence[str]) -> int:
    """Add codes to a pool, except those it already has. Return the number of new ones."""
    return len(await connection.fetch(_SQL.add, org_id, pool_id, codes))


async def generate(
    connection: Connection, org_id: UUID, pool_id: str, prefix: str, *, quantity: int, length: int
) -> int:
    """Add `quantity` new random codes to a pool, all or none. Return their number."""
    made = 0
    async with atomic(connection):
        while made < quantity:
            count = min(CHUNK_CODES, quantity - made)
            made += await add(connection, org_id, pool_id, [random_code(prefix, length) for _ in range(count)])
    return made


async def redeem(connection: Connection, org_id: UUID, pool_id: str, code: str, at: datetime) -> datetime:
    """Mark a code as redeemed. Raise NotFound, or Conflict if it is unissued, redeemed, revoked or expired."""
    if await connection.fetchval(_SQL.redeem, org_id, pool_id, code, at) is not None:
        return at
    row = await connection.fetchrow(_SQL.one, org_id, pool_id, code)
    if row is None:
        raise NotFound("Code not found", code="code_not_found")
    if row["state"] == "redeemed":
        raise Conflict("The code was already redeemed", code="code_already_redeemed")
    if row["state"] == "allocated":
        raise Conflict("The code has expired", code="code_expired")
    if row["state"] == "revoked":
        raise Conflict("The code has been revoked", code="code_revoked")
    raise Conflict(f"The code is {row['state']}: it has not been issued", code="code_not_allocated")


async def expire(connection: Connection, org_id: UUID, pool_id: str) -> int:
    """Expire the unissued codes of a pool. Return their number."""
    return len(await connection.fetch(_SQL.expire, org_id, pool_id))


async def expire_due(connection: Connection) -> int:
    """Expire the unissued codes of every pool that is due by its organisation's clock. Return their number."""
    return len(await connection.fetch(_SQL.expire_due))
