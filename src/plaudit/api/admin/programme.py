"""Configuration as code: export, apply and restore the whole programme as one document."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from plaudit import clock
from plaudit.api.http.operations import BATCH_BYTES_MAX, Call, Operation, OperationResult, Parameter, decode_json
from plaudit.api.views.base import view_from
from plaudit.api.views.programme import PlannedChange, ProgrammeChanges, ProgrammeFile
from plaudit.documents.kinds import KINDS
from plaudit.documents.programme_file import DesiredDocuments, as_yaml, from_yaml, to_file
from plaudit.errors import FieldError, invalid_fields
from plaudit.storage import programme_changes
from plaudit.storage.programme_changes import describe_plan

from .document_operations import hidden_from

YAML = "application/yaml"


class RestoreRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The version of the programme to restore; with `dryRun` only the changes are returned."""

    program_version: Annotated[int, Meta(ge=0, le=2**53)]
    dry_run: bool = False


async def get_config(call: Call) -> Any:
    """Return the programme, or an earlier version of it, as JSON or YAML."""
    text = call.query.get("programVersion")
    if text is not None and not (text.isascii() and text.isdigit() and len(text) < 16):
        raise invalid_fields([FieldError("programVersion", "must be a whole number")])
    async with call.connection() as connection:
        docs = await programme_changes.current_documents(connection, call.org_id, None if text is None else int(text))
    if any(doc.get(name) for (kind, _), doc in docs.items() for name in hidden_from(call, KINDS[kind])):
        assert call.caller is not None  # leaving these fields out would change the programme when it is applied
        call.caller.require("members:read", "A configuration that lists members")
    config = to_file(docs)
    if "yaml" in call.headers.get("accept", "") or call.query.get("format") == "yaml":
        return OperationResult(data=None, status=200, content=as_yaml(config).encode(), media=YAML)
    return view_from(ProgrammeFile, config)


async def put_config(call: Call) -> ProgrammeChanges:
    """Apply a programme file, all or nothing."""
    is_yaml = "yaml" in call.headers.get("content-type", "")
    raw = from_yaml(call.raw) if is_yaml else decode_json(call.raw)
    async with call.connection() as connection:
        desired = await programme_changes.read(connection, call.org_id, raw)
    return await _apply(call, desired, prune=_flag(call, "prune"), dry_run=False)


async def restore(call: Call) -> ProgrammeChanges:
    """Restore a version of the programme, all or nothing. Newer documents are deleted; Conflict if one cannot be."""
    body: RestoreRequest = call.body
    async with call.connection() as connection:
        docs = await programme_changes.current_documents(connection, call.org_id, body.program_version)
    desired: DesiredDocuments = {key: msgspec.convert(doc, KINDS[key[0]].type) for key, doc in docs.items()}
    return await _apply(call, desired, prune=True, dry_run=body.dry_run)


async def _apply(call: Call, desired: DesiredDocuments, *, prune: bool, dry_run: bool) -> ProgrammeChanges:
    async with call.connection() as connection:
        if dry_run:
            changes = await programme_changes.plan(connection, call.org_id, desired, prune=prune)
        else:
            changes = await programme_changes.apply(
                connection, call.org_id, desired, prune=prune, by=call.caller_name, at=clock.now(), scopes=call.scopes
            )
    programme = await call.services.programmes.refresh(call.org_id)
    described = describe_plan(changes, personal="members:read" in call.scopes)
    return ProgrammeChanges(
        dry_run=dry_run or call.is_dry_run,
        changes=[view_from(PlannedChange, change) for change in described],
        program_version=programme.compiled.version,
    )


def _flag(call: Call, name: str) -> bool:
    text = call.query.get(name, "false").lower()
    if text not in ("true", "false"):
        raise invalid_fields([FieldError(name, "must be true or false")])
    return text == "true"


_FLAG = {"type": "boolean", "default": False}

OPERATIONS = [
    Operation(
        name="exportProgramme", method="GET", path="/v1/config", summary="Export the programme as JSON or YAML",
        run=get_config, scope="admin:read", tag="Programme", response=ProgrammeFile, errors=(400, 404),
        other_media=(YAML,), query=(
            Parameter("programVersion", "Programme version to export", {"type": "integer"}),
            Parameter("format", "Format of the response", {"enum": ["json", "yaml"]}),
        ),
    ),
    Operation(
        name="applyProgramme", method="PUT", path="/v1/config", summary="Apply a programme file, all or nothing",
        description="`dryRun` returns the changes only; `prune` deletes documents missing from the file.",
        run=put_config, scope="admin:write", tag="Programme", body={"type": "object"}, media="yaml",
        response=ProgrammeChanges, errors=(400, 409, 413), body_bytes_max=BATCH_BYTES_MAX,
        query=(
            Parameter("prune", "Delete documents missing from the file's collections", _FLAG),
        ),
    ),
    Operation(
        name="restoreProgramme", method="POST", path="/v1/config/restore",
        summary="Restore an earlier version of the programme", run=restore, scope="admin:write", tag="Programme",
        body=RestoreRequest, response=ProgrammeChanges, errors=(400, 404, 409, 413),
    ),
]  # fmt: skip
