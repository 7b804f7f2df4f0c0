"""Where the documents show a kind of document otherwise than the envelope has it: in one table."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from plaudit.api.views.base import View
from plaudit.api.views.rewards import RewardCreated
from plaudit.reads import codes
from plaudit.storage.postgres import Connection

Counts = Callable[[Connection, UUID, Sequence[str]], Awaitable[Mapping[str, Mapping[str, Any]]]]


class Documented(Struct, frozen=True, kw_only=True):
    """`bare` documents come without envelope; `counts` are fields of its view that the document does not keep itself.

    `complete` adds what only some responses have; `created` is the response to a document that has been created, of
    `created_type` where that is not the document. `unpaged` lists have everything unless a limit is given, since their
    pages know of no paging.
    """

    bare: bool = False
    unpaged: bool = False
    counts: Counts | None = None
    complete: Callable[[View], View] = lambda shown: shown
    created: Callable[[View], View] = lambda shown: shown
    created_type: type[View] | None = None


async def _pool_counts(connection: Connection, org_id: UUID, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    totals = await codes.totals(connection, org_id, ids)
    return {name: _counts_of(totals.get(name, {})) for name in ids}


def _counts_of(by_state: Mapping[str, int]) -> Mapping[str, Any]:
    """Return a pool's counts; the page knows of none that were revoked, so these are shown where there are any."""
    always = {f"{state}_codes": by_state.get(state, 0) for state in POOL_STATES if state != REVOKED}
    revoked = {f"{REVOKED}_codes": by_state[REVOKED]} if REVOKED in by_state else {}
    return {"total_codes": sum(by_state.values()), **always, **revoked}


async def _product_counts(connection: Connection, org_id: UUID, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    taken = await codes.stock_taken(connection, org_id, ids)
    return {name: {"redeemed_stock": taken.get(name, 0)} for name in ids}


def _with_status_key(shown: Any) -> View:
    return structs.replace(shown, org_status_key=f"{shown.org_id}#{shown.status}")


def _created_reward(shown: View) -> View:
    return RewardCreated(message="Reward created successfully", reward=_with_status_key(shown))


REVOKED = "revoked"
POOL_STATES = ("available", "allocated", "redeemed", REVOKED, "expired")

DOCUMENTED: dict[str, Documented] = {
    "reward": Documented(complete=_with_status_key, created=_created_reward, created_type=RewardCreated, unpaged=True),
    "custom_field": Documented(unpaged=True),
    "code_pool": Documented(bare=True, counts=_pool_counts),
    "product": Documented(counts=_product_counts),
}
