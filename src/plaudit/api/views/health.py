"""What the checks of the server return."""

from msgspec import UNSET, UnsetType

from .base import View


class HealthWarning(View):
    """What does not keep the server from working yet."""

    code: str
    message: str


class Health(View):
    """Whether the process is alive, or the server ready. A server that is ready says how its parts are."""

    status: str
    database: str | UnsetType = UNSET
    workers: int | UnsetType = UNSET
    warnings: list[HealthWarning] | UnsetType = UNSET
