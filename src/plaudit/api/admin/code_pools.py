"""The operations of code pools in addition to CRUD: generate, import, redeem, list and expire codes."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from plaudit.api.http.operations import PAGING, Call, Operation, Parameter, decode_body
from plaudit.api.http.schemas import TEXT
from plaudit.api.http.wire import optional_time
from plaudit.api.views.base import Page
from plaudit.api.views.code_pools import Code, CodeList, CodesExpired, CodesGenerated, CodesImported
from plaudit.api.views.coupon import worth_of
from plaudit.bounds import NOT_DOTS
from plaudit.core.ids import member_id_of
from plaudit.documents.kinds import KINDS
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.imports.code_files import codes_of_csv
from plaudit.imports.reader import is_csv_type
from plaudit.reads.codes import Row, codes_of, named, totals
from plaudit.storage import code_pools, documents
from plaudit.storage.postgres import Connection
from plaudit.storage.programmes import Programme
from plaudit.view import time_text

from .documented import POOL_STATES

KIND = KINDS["code_pool"]
IMPORT_CODES_MAX = 10_000
NewCode = Annotated[str, Meta(min_length=1, max_length=64, pattern=rf"^{NOT_DOTS}[\x21-\x7e]+$")]


class CodeGenerationRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How many codes to generate, and their length without the pool's prefix."""

    quantity: Annotated[int, Meta(ge=1, le=100_000)]
    code_length: Annotated[int, Meta(ge=6, le=32)] = 12


class CodeImport(Struct, kw_only=True, forbid_unknown_fields=True):
    """Codes to add to the pool."""

    codes: Annotated[list[NewCode], Meta(min_length=1, max_length=IMPORT_CODES_MAX)]


async def generate(call: Call) -> CodesGenerated:
    """Generate random codes in a pool."""
    body: CodeGenerationRequest = call.body
    async with call.connection() as connection:
        pool = await documents.fetch(connection, call.org_id, KIND, call.path["poolId"])
        prefix = pool.doc.get("prefix") or ""
        if body.quantity > len(code_pools.ALPHABET) ** body.code_length // 100:
            raise invalid_fields([FieldError("codeLength", f"is too short for {body.quantity:,} distinct codes")])
        count = await code_pools.generate(
            connection, call.org_id, pool.id, prefix, quantity=body.quantity, length=body.code_length
        )
        return CodesGenerated(generated=count, **await _counts(connection, call.org_id, pool.id))


async def import_codes(call: Call) -> CodesImported:
    """Import codes from JSON (`{"codes": […]}`) or CSV (one per line, or in a column named `code`)."""
    codes = await _codes_in(call)
    async with call.connection() as connection:
        pool = await documents.fetch(connection, call.org_id, KIND, call.path["poolId"])
        added = await code_pools.add(connection, call.org_id, pool.id, codes)
        counts = await _counts(connection, call.org_id, pool.id)
    return CodesImported(imported=added, duplicates=len(codes) - added, **counts)


async def _codes_in(call: Call) -> list[str]:
    if not is_csv_type(call.headers.get("content-type", "")):
        return decode_body(call.raw, CodeImport).codes
    codes = await codes_of_csv(call.raw, IMPORT_CODES_MAX)
    try:
        return msgspec.convert({"codes": codes}, CodeImport).codes
    except msgspec.ValidationError as error:
        raise invalid_fields([FieldError("codes", f"do not form a valid pool: {error}")]) from None


async def _counts(connection: Connection, org_id: UUID, pool_id: str) -> dict[str, Any]:
    states = (await totals(connection, org_id, [pool_id])).get(pool_id, {})
    available = states.get("available", 0)
    return {"pool_id": pool_id, "total_codes": sum(states.values()), "available_codes": available}


async def redeem(call: Call) -> Code:
    """Mark a code as redeemed, and return what it is worth."""
    pool_id = call.path["poolId"]
    programme = await call.programme()
    async with call.connection() as connection:
        row = await _code(connection, call)
        await code_pools.redeem(connection, call.org_id, pool_id, row["code"], programme.now())
        row = await _code(connection, call)
    return _code_view(call, programme, row)


async def list_codes(call: Call) -> Page:
    """Return a pool's codes, filtered by state and member."""
    pool_id, user_id = call.path["poolId"], call.query.get("userId")
    if user_id is not None:
        assert call.caller is not None
        call.caller.require("members:read", "A list of a member's codes")
    page = call.page(tuple[int], (0,))
    programme = await call.programme()
    async with call.connection() as connection:
        await documents.fetch(connection, call.org_id, KIND, pool_id)
        rows = await codes_of(
            connection, call.org_id, pool_id, after=page.start[0], state=call.query.get("state"),
            member_id=None if user_id is None else member_id_of(call.org_id, user_id), size=page.limit,
        )  # fmt: skip
    rows, cursor = page.cut(rows, lambda row: (row["ordinal"],))
    return CodeList.of([_code_view(call, programme, row) for row in rows], cursor=cursor)


async def get_code(call: Call) -> Code:
    """Return a code's state, holder and value."""
    programme = await call.programme()
    async with call.connection() as connection:
        return _code_view(call, programme, await _code(connection, call))


async def _code(connection: Connection, call: Call) -> Row:
    row = await named(connection, call.org_id, call.path["poolId"], call.path["code"])
    if row is None:
        raise NotFound("Code not found", code="code_not_found")
    return row


def _code_view(call: Call, programme: Programme, row: Row) -> Code:
    allocated_at, origin_id = row["allocated_at"], row["origin_id"]
    worth = {} if origin_id is None else worth_of(programme, origin_id, msgspec.json.decode(row["terms"]))
    return Code(
        pool_id=call.path["poolId"],
        code=row["code"],
        status=row["state"],
        user_id=row["user_id"] if "members:read" in call.scopes else None,
        coupon_id=None if row["coupon_id"] is None else str(row["coupon_id"]),
        allocated_at=None if allocated_at is None else time_text(programme.clock.from_wall(allocated_at)),
        redeemed_at=optional_time(row["redeemed_at"]),
        revoked_at=optional_time(row["revoked_at"]),
        expires_at=optional_time(row["expires_at"]),
        **worth,
    )


async def expire(call: Call) -> CodesExpired:
    """Expire a pool's unissued codes. Issued codes stay valid."""
    pool_id = call.path["poolId"]
    async with call.connection() as connection:
        await documents.fetch(connection, call.org_id, KINDS["code_pool"], pool_id)
        expired = await code_pools.expire(connection, call.org_id, pool_id)
        return CodesExpired(expired=expired, **await _counts(connection, call.org_id, pool_id))


OPERATIONS = [
    Operation(
        name="generateCodes",
        method="POST",
        path="/v1/code-pools/{poolId}/generate",
        summary="Generate up to 100,000 codes",
        run=generate,
        scope="admin:write",
        tag="Code pools",
        body=CodeGenerationRequest,
        response=CodesGenerated,
        enveloped=False,
        status=201,
        errors=(400, 404, 413),
    ),
    Operation(
        name="importCodes",
        method="POST",
        path="/v1/code-pools/{poolId}/import",
        summary="Import up to 10,000 codes",
        run=import_codes,
        scope="admin:write",
        tag="Code pools",
        body={"$of": CodeImport},
        media="any",
        response=CodesImported,
        enveloped=False,
        status=201,
        errors=(400, 404, 413),
    ),
    Operation(
        name="expireCodes",
        method="POST",
        path="/v1/code-pools/{poolId}/expire",
        summary="Expire a pool's unissued codes",
        run=expire,
        scope="admin:write",
        tag="Code pools",
        response=CodesExpired,
        enveloped=False,
        errors=(400, 404),
    ),
    Operation(
        name="redeemCode",
        method="POST",
        path="/v1/code-pools/{poolId}/codes/{code}/redeem",
        summary="Mark a code as redeemed",
        run=redeem,
        scope="admin:write",
        tag="Code pools",
        response=Code,
        enveloped=False,
        errors=(400, 404, 409),
    ),
    Operation(
        name="listCodes",
        method="GET",
        path="/v1/code-pools/{poolId}/codes",
        summary="List a pool's codes and who has them",
        run=list_codes,
        scope="admin:read",
        tag="Code pools",
        response=CodeList,
        query=(
            Parameter("state", "Only those in this state.", {"enum": list(POOL_STATES)}),
            Parameter("userId", "Only those that this member has.", TEXT),
            *PAGING,
        ),
        enveloped=False,
        errors=(400, 404),
    ),
    Operation(
        name="getCode",
        method="GET",
        path="/v1/code-pools/{poolId}/codes/{code}",
        summary="Get a code: its state, holder and value",
        run=get_code,
        scope="admin:read",
        tag="Code pools",
        response=Code,
        enveloped=False,
        errors=(400, 404),
    ),
]
