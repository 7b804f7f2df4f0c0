"""Code pools: generate, import, and confirm redemption."""

import csv
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from plaudit import clock
from plaudit.api.operations import Call, Operation, decode_body
from plaudit.api.outside import Json, time_text
from plaudit.api.schemas import INTEGER, TEXT, TIME, object_of
from plaudit.documents.kinds import KINDS
from plaudit.engine import codes
from plaudit.errors import FieldError, Invalid, invalid_fields
from plaudit.reads.codes import totals
from plaudit.storage import documents
from plaudit.storage.postgres import Connection

KIND = KINDS["code_pool"]
IMPORT_CODES_MAX = 10_000
Code = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]


class GenerateBody(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How many codes, and how long they are without the pool's prefix."""

    quantity: Annotated[int, Meta(ge=1, le=100_000)]
    code_length: Annotated[int, Meta(ge=6, le=32)] = 12


class ImportBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """Codes from elsewhere."""

    codes: Annotated[list[Code], Meta(min_length=1, max_length=IMPORT_CODES_MAX)]


async def generate(call: Call) -> Json:
    """Draw new codes into a pool."""
    body: GenerateBody = call.body
    async with call.services.pool.acquire() as connection:
        pool = await documents.one(connection, call.org_id, KIND, call.path["poolId"])
        prefix = pool.doc.get("prefix") or ""
        if body.quantity > len(codes.ALPHABET) ** body.code_length // 100:
            raise invalid_fields([FieldError("codeLength", f"is too short for {body.quantity} codes")])
        made = await codes.generate(
            connection, call.org_id, pool.id, prefix, quantity=body.quantity, length=body.code_length
        )
        return await _counted(connection, call.org_id, pool.id, {"generated": made})


async def import_codes(call: Call) -> Json:
    """Take codes from JSON (`{"codes": […]}`) or CSV (one a line, or in a column named `code`)."""
    given = _codes_in(call)
    async with call.services.pool.acquire() as connection:
        pool = await documents.one(connection, call.org_id, KIND, call.path["poolId"])
        added = await codes.add(connection, call.org_id, pool.id, given)
        counts = {"imported": added, "duplicates": len(given) - added}
        return await _counted(connection, call.org_id, pool.id, counts)


def _codes_in(call: Call) -> list[str]:
    if not call.headers.get("content-type", "").lower().startswith("text/csv"):
        return decode_body(call.raw, ImportBody).codes
    try:
        rows = [row for row in csv.reader(call.raw.decode("utf-8-sig").splitlines(), strict=True) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"The body is not CSV: {error}", code="bad_csv") from None
    column = 0
    if rows and "code" in [cell.strip().lower() for cell in rows[0]]:
        column = [cell.strip().lower() for cell in rows.pop(0)].index("code")
    short = [i for i, row in enumerate(rows, 1) if len(row) <= column]
    if short:
        raise invalid_fields([FieldError(f"line {short[0]}", "has no code")])
    try:
        return msgspec.convert({"codes": [row[column].strip() for row in rows]}, ImportBody).codes
    except msgspec.ValidationError as error:
        raise invalid_fields([FieldError("codes", f"are not right: {error}")]) from None


async def _counted(connection: Connection, org_id: UUID, pool_id: str, counts: Json) -> Json:
    states = (await totals(connection, org_id, [pool_id])).get(pool_id, {})
    available = states.get("available", 0)
    return {"poolId": pool_id, **counts, "totalCodes": sum(states.values()), "availableCodes": available}


async def redeem(call: Call) -> Json:
    """A shop confirms that a code was used."""
    pool_id, code = call.path["poolId"], call.path["code"]
    async with call.services.pool.acquire() as connection:
        at = await codes.redeem(connection, call.org_id, pool_id, code, clock.now())
    return {"poolId": pool_id, "code": code, "status": "redeemed", "redeemedAt": time_text(at)}


async def expire(call: Call) -> Json:
    """Let the codes that nobody has expire; those in members' hands stay."""
    pool_id = call.path["poolId"]
    async with call.services.pool.acquire() as connection:
        await documents.one(connection, call.org_id, KINDS["code_pool"], pool_id)
        expired = await codes.expire(connection, call.org_id, pool_id)
        return await _counted(connection, call.org_id, pool_id, {"expired": expired})


_COUNTS = {"poolId": TEXT, "totalCodes": INTEGER, "availableCodes": INTEGER}

OPERATIONS = [
    Operation(
        method="POST",
        path="/v1/code-pools/{poolId}/generate",
        summary="Generate up to 100,000 codes",
        run=generate,
        scope="admin:write",
        tag="Code pools",
        body=GenerateBody,
        answer=object_of(_COUNTS | {"generated": INTEGER}),
        enveloped=False,
        status=201,
        errors=(400, 404, 413),
    ),
    Operation(
        method="POST",
        path="/v1/code-pools/{poolId}/import",
        summary="Import up to 10,000 codes, as JSON or CSV",
        run=import_codes,
        scope="admin:write",
        tag="Code pools",
        body={"$of": ImportBody},
        media="any",
        answer=object_of(_COUNTS | {"imported": INTEGER, "duplicates": INTEGER}),
        enveloped=False,
        status=201,
        errors=(400, 404, 413),
    ),
    Operation(
        method="POST",
        path="/v1/code-pools/{poolId}/expire",
        summary="Let the codes that nobody has expire",
        run=expire,
        scope="admin:write",
        tag="Code pools",
        answer=object_of(_COUNTS | {"expired": INTEGER}),
        enveloped=False,
        errors=(400, 404),
    ),
    Operation(
        method="POST",
        path="/v1/code-pools/{poolId}/codes/{code}/redeem",
        summary="Confirm that a code was used",
        run=redeem,
        scope="admin:write",
        tag="Code pools",
        answer=object_of({"poolId": TEXT, "code": TEXT, "status": TEXT, "redeemedAt": TIME}),
        enveloped=False,
        errors=(400, 404, 409),
    ),
]
