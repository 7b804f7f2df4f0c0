"""What brought something about, as responses show it."""

from typing import Any

from plaudit.core import cause as core

from .base import View


class Cause(View):
    """What brought something about: a campaign, a ladder, a command by hand, an import … `id` is null for some kinds."""

    kind: str
    id: str | None


def cause_view(cause: core.Cause) -> dict[str, Any]:
    """Return the fields of a response that say what its cause is."""
    campaign_id = core.cause_fields(cause)["campaignId"]
    return {"campaign_id": campaign_id, "cause": Cause(kind=cause.kind, id=cause.id or None)}
