"""Exports: members, their history and the rest of an organisation, streamed by line, for import into another server."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from uuid import UUID

from plaudit.api.http.operations import Call, Operation, OperationResult, Parameter
from plaudit.api.http.schemas import TEXT
from plaudit.documents.export_lines import LINES, as_csv, as_ndjson, header_of
from plaudit.errors import FieldError, invalid_fields
from plaudit.reads import exports

FORMATS = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
# Exports that contain secrets: unissued codes, seeds of draws, headers of webhooks.
SCOPES = {"organisation": "admin:write", "audit": "admin:write"}


async def export_lines(call: Call) -> OperationResult:
    """Stream all lines of a kind, or those after the cursor. Errors are raised before the first line."""
    kind = call.query.get("kind", "members")
    if kind not in LINES:
        raise invalid_fields([FieldError("kind", f"must be one of {', '.join(LINES)} (got {kind[:64]!r})")])
    format_ = _format(call)
    assert call.caller is not None
    if kind in SCOPES:
        call.caller.require(SCOPES[kind], f"An export of kind {kind}")
    cursor, position = call.query.get("cursor"), None
    pool, org_id = call.services.pool, UUID(bytes=call.org_id.bytes)
    if cursor is not None:
        async with pool.acquire() as connection:
            position = await exports.place_of(connection, org_id, kind, cursor)
    pages = exports.lines_after(pool, org_id, kind, position)
    first = await anext(pages, list[Any]())
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{kind}.{format_}"',
        "X-Accel-Buffering": "no",
    }
    header = header_of(kind) if format_ == "csv" and cursor is None else b""
    parts = _encode(first, pages, header, format_)
    return OperationResult(data=None, status=200, headers=headers, media=FORMATS[format_], parts=parts, whole=True)


def _format(call: Call) -> str:
    name = call.query.get("format")
    if name is None:
        return "csv" if "text/csv" in call.headers.get("accept", "").lower() else "ndjson"
    if name not in FORMATS:
        raise invalid_fields([FieldError("format", f"must be one of {', '.join(FORMATS)} (got {name[:64]!r})")])
    return name


async def _encode(
    first: list[Any], pages: AsyncGenerator[list[Any]], header: bytes, format_: str
) -> AsyncIterator[bytes]:
    write = as_csv if format_ == "csv" else as_ndjson
    try:
        if header or first:
            yield header + b"".join(map(write, first))
        async for lines in pages:
            yield b"".join(map(write, lines))
    finally:
        await pages.aclose()


OPERATIONS = [
    Operation(
        name="exportRecords", method="GET", path="/v1/bulk/export",
        summary="Export all records of a kind as NDJSON or CSV",
        description="Streamed, of any size. Continue after an interruption with the last `cursor`.", run=export_lines,
        streams_response=True, scope="members:read", tag="Bulk jobs", other_media=tuple(FORMATS.values()), errors=(400,),
        query=(
            Parameter("kind", "What to export.", {"enum": list(LINES), "default": "members"}),
            Parameter("format", "NDJSON or CSV; without it, CSV is what `Accept: text/csv` asks for.", {"enum": list(FORMATS)}),
            Parameter("cursor", "The cursor of the last complete line of an interrupted stream, to continue after it.", TEXT),
        ),
    )
]  # fmt: skip
