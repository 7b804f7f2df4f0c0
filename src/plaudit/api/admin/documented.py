"""The kinds of documents whose documented responses differ from the general form, in one table."""

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
    """How the responses of a kind differ. `bare`: there is no envelope. `counts` returns fields that are not stored.

    `complete` adds fields that only some responses have. `created` returns the response to a create request, of the type
    `created_type` if that is not the document. `unpaged` lists are complete unless the request has a limit, because
    their documentation has no paging.
    """

    bare: bool = False
    unpaged: bool = False
    counts: Counts | None = None
    complete: Callable[[View], View] = lambda view: view
    created: Callable[[View], View] = lambda view: view
    created_type: type[View] | None = None


async def _pool_counts(connection: Connection, org_id: UUID, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    totals = await codes.totals(connection, org_id, ids)
    return {name: _counts_of(totals.get(name, {})) for name in ids}


def _counts_of(by_state: Mapping[str, int]) -> Mapping[str, Any]:
    """Return a pool's counts. Revoked codes are not documented, so they are only shown if there are any."""
    counts = {f"{state}_codes": by_state.get(state, 0) for state in POOL_STATES if state != REVOKED}
    revoked = {f"{REVOKED}_codes": by_state[REVOKED]} if REVOKED in by_state else {}
    return {"total_codes": sum(by_state.values()), **counts, **revoked}


async def _product_counts(connection: Connection, org_id: UUID, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    used = await codes.stock_taken(connection, org_id, ids)
    return {name: {"redeemed_stock": used.get(name, 0)} for name in ids}


def _with_status_key(view: Any) -> View:
    return structs.replace(view, org_status_key=f"{view.org_id}#{view.status}")


def _created_reward(view: View) -> View:
    return RewardCreated(message="Reward created successfully", reward=_with_status_key(view))


REVOKED = "revoked"
POOL_STATES = ("available", "allocated", "redeemed", REVOKED, "expired")

DOCUMENTED: dict[str, Documented] = {
    "reward": Documented(complete=_with_status_key, created=_created_reward, created_type=RewardCreated, unpaged=True),
    "custom_field": Documented(unpaged=True),
    "code_pool": Documented(bare=True, counts=_pool_counts),
    "product": Documented(counts=_product_counts),
}
