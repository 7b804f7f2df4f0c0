"""The organisation's settings: one document, versioned like any other."""

from plaudit.api.http.operations import Call, Operation
from plaudit.api.views.base import View
from plaudit.api.views.documents import TYPES
from plaudit.documents.kinds import KINDS
from plaudit.documents.settings import SETTINGS_ID
from plaudit.storage import documents

from .document_operations import document_view, update_document

KIND = KINDS["settings"]


async def get_settings(call: Call) -> View:
    """Return the settings."""
    async with call.connection() as connection:
        stored = await documents.fetch(connection, call.org_id, KIND, SETTINGS_ID)
    return document_view(call, KIND, stored)


async def put_settings(call: Call) -> View:
    """Update the given fields of the settings."""
    return await update_document(call, KIND, SETTINGS_ID, call.body)


OPERATIONS = [
    Operation(
        name="getSettings", method="GET", path="/v1/settings", summary="Get the organisation's settings",
        run=get_settings, scope="admin:read", tag="Settings", response=TYPES[KIND.name].view, errors=(400, 404),
    ),
    Operation(
        name="updateSettings", method="PUT", path="/v1/settings", summary="Update the organisation's settings",
        run=put_settings, scope="admin:write", tag="Settings", body=TYPES[KIND.name].update, response=TYPES[KIND.name].view,
        errors=(400, 404, 409, 413),
    ),
]  # fmt: skip
