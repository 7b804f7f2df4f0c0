"""Where the documents show a kind of document otherwise than the envelope has it: in one table."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from plaudit.api.http.schemas import INTEGER, TEXT, object_of
from plaudit.api.http.wire import Json
from plaudit.reads import codes
from plaudit.storage.postgres import Connection

Counts = Callable[[Connection, UUID, Sequence[str]], Awaitable[dict[str, Json]]]


class Documented(Struct, frozen=True, kw_only=True):
    """`bare` documents come without envelope; `counts` adds what the document does not keep itself.

    `shown_only` fields are not the author's, `also` has those of them that only some responses have. `unpaged` lists have everything unless a limit is given, since their pages know of no paging.
    """

    bare: bool = False
    unpaged: bool = False
    counts: Counts | None = None
    shown_only: Sequence[str] = ()
    also: Callable[[Json], Json] = lambda _shown: {}
    created: Callable[[Json], Any] = lambda shown: shown
    created_schema: Callable[[dict[str, Any]], dict[str, Any]] = lambda schema: schema


async def _pool_counts(connection: Connection, org_id: UUID, ids: Sequence[str]) -> dict[str, Json]:
    totals = await codes.totals(connection, org_id, ids)
    return {name: _counts_view(totals.get(name, {})) for name in ids}


def _counts_view(of: dict[str, int]) -> Json:
    """Return a pool's counts; the page knows of none that were revoked, so these are shown where there are any."""
    always = {f"{state}Codes": of.get(state, 0) for state in POOL_STATES if state != REVOKED}
    return {"totalCodes": sum(of.values())} | always | ({_REVOKED_CODES: of[REVOKED]} if REVOKED in of else {})


async def _product_counts(connection: Connection, org_id: UUID, ids: Sequence[str]) -> dict[str, Json]:
    taken = await codes.stock_taken(connection, org_id, ids)
    return {name: {"redeemedStock": taken.get(name, 0)} for name in ids}


def _status_key(shown: Json) -> Json:
    return {"orgStatusKey": f"{shown['orgId']}#{shown['status']}"}


def _created_reward(shown: Json) -> Json:
    return {"message": "Reward created successfully", "reward": shown | _status_key(shown)}


def _created_reward_schema(schema: dict[str, Any]) -> dict[str, Any]:
    return object_of({"message": TEXT, "reward": {"allOf": [schema, object_of({"orgStatusKey": TEXT})]}})


def _counted(names: Sequence[str], *sometimes: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    counts = object_of(dict.fromkeys(names, INTEGER), dict.fromkeys(sometimes, INTEGER))
    return lambda schema: {"allOf": [schema, counts]}


REVOKED = "revoked"
POOL_STATES = ("available", "allocated", "redeemed", REVOKED, "expired")
_REVOKED_CODES = f"{REVOKED}Codes"
_POOL_COUNTS = ("totalCodes", *(f"{state}Codes" for state in POOL_STATES if state != REVOKED))

DOCUMENTED: dict[str, Documented] = {
    "reward": Documented(
        created=_created_reward,
        created_schema=_created_reward_schema,
        unpaged=True,
        shown_only=("orgStatusKey",),
        also=_status_key,
    ),
    "custom_field": Documented(unpaged=True),
    "code_pool": Documented(
        bare=True,
        counts=_pool_counts,
        created_schema=_counted(_POOL_COUNTS, _REVOKED_CODES),
        shown_only=(*_POOL_COUNTS, _REVOKED_CODES),
    ),
    "product": Documented(
        counts=_product_counts, created_schema=_counted(["redeemedStock"]), shown_only=("redeemedStock",)
    ),
}
