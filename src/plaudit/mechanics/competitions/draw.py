"""Verifiable draws: a function of the entries and of a seed whose hash is published in advance, so anyone can repeat one."""

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
    """Return the SHA-256 of a seed in hexadecimal, which is published before the draw."""
    return sha256(seed).hexdigest()


def tickets_digest(tickets: Iterable[Ticket]) -> str:
    """Return the SHA-256 of a draw's tickets: of the lines `user_id<TAB>entries`, in the given order."""
    tickets_hash = sha256()
    for ticket in tickets:
        tickets_hash.update(f"{ticket.user_id}\t{ticket.entries}\n".encode())
    return tickets_hash.hexdigest()


def draw_order(tickets: Iterable[Ticket]) -> list[Ticket]:
    """Return the tickets in the order of a draw: by the UTF-8 bytes of the user id."""
    return sorted(tickets, key=lambda ticket: ticket.user_id.encode())


def draw(seed: bytes, tickets: Sequence[Ticket], winners: int) -> list[Ticket]:
    """Return the winning tickets, in order. Nobody wins twice.

    The n-th winner (from 0) holds entry number HMAC-SHA256(seed, "n") modulo the number of remaining entries. Entries
    are numbered from 0, through the remaining tickets in `draw_order`. The bias of the modulo is negligible.
    """
    remaining = draw_order(tickets)
    drawn: list[Ticket] = []
    for n in range(min(winners, len(remaining))):
        total = sum(ticket.entries for ticket in remaining)
        number = int.from_bytes(digest(seed, str(n).encode(), "sha256"), "big") % total
        for index, ticket in enumerate(remaining):
            if number < ticket.entries:
                drawn.append(ticket)
                del remaining[index]
                break
            number -= ticket.entries
    return drawn
