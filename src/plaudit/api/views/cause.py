"""The cause of a transaction or grant in responses."""

from typing import Any

from plaudit.core import cause as core

from .base import View


class Cause(View):
    """Why something happened: a campaign, a segment, a manual command, an import … `id` is null for some kinds."""

    kind: str
    id: str | None


def cause_view(cause: core.Cause) -> dict[str, Any]:
    """Return the fields of a response that describe a cause."""
    return {"campaign_id": core.public_campaign_id(cause), "cause": Cause(kind=cause.kind, id=cause.id or None)}
