"""The server's signing keys (RSA, for RS256): created on first use, replaced on request.

Each token names its key. So a new key can sign immediately, and old keys stay published until their last tokens expire.
"""

import asyncio
import secrets
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec import Struct

from .postgres import Connection, atomic
from .queries import queries_beside

_SQL = queries_beside(__file__)

KEY_BITS = 2048
TOKEN_SECONDS_MAX = 24 * 3_600  # the longest lifetime of a token


class SigningKey(Struct, frozen=True):
    """A key and its id."""

    kid: str
    private: rsa.RSAPrivateKey


async def signing_keys(connection: Connection, at: datetime) -> list[SigningKey]:
    """Return the keys whose tokens are valid; the first one signs. If none exists, create one."""
    rows = await connection.fetch(_SQL.keys)
    if not rows:
        async with atomic(connection):
            await connection.execute(_SQL.lock)
            rows = await connection.fetch(_SQL.keys)
            if not rows:
                await _insert(connection, at)
                rows = await connection.fetch(_SQL.keys)
    return [_read(row["kid"], row["private_key"]) for row in rows]


async def rotate(connection: Connection, at: datetime) -> str:
    """Create a new signing key; the others end with their tokens. Return its id."""
    async with atomic(connection):
        await connection.execute(_SQL.lock)
        kid = await _insert(connection, at)
        await connection.execute(_SQL.retire_others, kid, at + timedelta(seconds=TOKEN_SECONDS_MAX))
    return kid


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """Return a private key as text (PKCS #8)."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


async def _insert(connection: Connection, at: datetime) -> str:
    kid = secrets.token_urlsafe(12)
    key = await asyncio.to_thread(rsa.generate_private_key, 65_537, KEY_BITS)
    await connection.execute(_SQL.insert_key, kid, pem_of(key), at)
    return kid


def _read(kid: str, text: str) -> SigningKey:
    key = serialization.load_pem_private_key(text.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return SigningKey(kid, key)
