"""Verifiable draws: a function of a seed whose hash was published before. Anyone with the entries can repeat one."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from hmac import digest
from uuid import UUID

from msgspec import Struct


class Ticket(Struct, frozen=True):
    """A member's entries in a draw."""

    member_id: UUID
    user_id: str
    entries: int


def seed_hash(seed: bytes) -> str:
    """What is published of a seed before the draw: its SHA-256, in hexadecimal."""
    return sha256(seed).hexdigest()


def tickets_digest(tickets: Iterable[Ticket]) -> str:
    """What a draw was made from: the SHA-256 of lines `user_id<TAB>entries`, in the order of the draw."""
    found = sha256()
    for ticket in tickets:
        found.update(f"{ticket.user_id}\t{ticket.entries}\n".encode())
    return found.hexdigest()


def draw_order(tickets: Iterable[Ticket]) -> list[Ticket]:
    """The order in which tickets are drawn from: by user id, by its UTF-8 bytes."""
    return sorted(tickets, key=lambda ticket: ticket.user_id.encode())


def draw(seed: bytes, tickets: Sequence[Ticket], winners: int) -> list[Ticket]:
    """The winners, in order; nobody wins twice.

    The n-th (from 0) is who holds entry number HMAC-SHA256(seed, "n") modulo the number of entries that are left,
    counted from 0 through the tickets by user id. The bias of a modulus by 2^256 is beyond measuring.
    """
    left = draw_order(tickets)
    found: list[Ticket] = []
    for n in range(min(winners, len(left))):
        total = sum(ticket.entries for ticket in left)
        number = int.from_bytes(digest(seed, str(n).encode(), "sha256"), "big") % total
        for place, ticket in enumerate(left):
            if number < ticket.entries:
                found.append(ticket)
                del left[place]
                break
            number -= ticket.entries
    return found
