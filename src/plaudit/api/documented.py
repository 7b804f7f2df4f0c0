"""Where the documents show a kind of document otherwise than the envelope has it: in one table."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from plaudit.reads import codes
from plaudit.storage.postgres import Connection

from .outside import Json
from .schemas import INTEGER, TEXT, object_of

Counts = Callable[[Connection, UUID, Sequence[str]], Awaitable[dict[str, Json]]]


class Documented(Struct, frozen=True, kw_only=True):
    """`bare` documents come without envelope; `counts` adds what the document does not keep itself."""

    bare: bool = False
    counts: Counts | None = None
    created: Callable[[Json], Any] = lambda shown: shown
    created_schema: Callable[[dict[str, Any]], dict[str, Any]] = lambda schema: schema


async def _pool_counts(connection: Connection, org_id: UUID, ids: Sequence[str]) -> dict[str, Json]:
    totals = await codes.totals(connection, org_id, ids)
    counts: dict[str, Json] = {
        one: {"totalCodes": sum(totals.get(one, {}).values())}
        | {f"{state}Codes": totals.get(one, {}).get(state, 0) for state in POOL_STATES}
        for one in ids
    }
    return counts


async def _product_counts(connection: Connection, org_id: UUID, ids: Sequence[str]) -> dict[str, Json]:
    taken = await codes.stock_taken(connection, org_id, ids)
    return {one: {"redeemedStock": taken.get(one, 0)} for one in ids}


def _created_reward(shown: Json) -> Json:
    reward = shown | {"orgStatusKey": f"{shown['orgId']}#{shown['status']}"}
    return {"message": "Reward created successfully", "reward": reward}


def _created_reward_schema(schema: dict[str, Any]) -> dict[str, Any]:
    return object_of({"message": TEXT, "reward": {"allOf": [schema, object_of({"orgStatusKey": TEXT})]}})


def _counted(names: Sequence[str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda schema: {"allOf": [schema, object_of(dict.fromkeys(names, INTEGER))]}


POOL_STATES = ("available", "allocated", "redeemed", "expired")
_POOL_COUNTS = ("totalCodes", *(f"{state}Codes" for state in POOL_STATES))

DOCUMENTED: dict[str, Documented] = {
    "reward": Documented(created=_created_reward, created_schema=_created_reward_schema),
    "code_pool": Documented(bare=True, counts=_pool_counts, created_schema=_counted(_POOL_COUNTS)),
    "product": Documented(counts=_product_counts, created_schema=_counted(["redeemedStock"])),
}
