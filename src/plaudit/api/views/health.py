"""Response types of the health checks."""

from msgspec import UNSET, UnsetType

from .base import View


class HealthWarning(View):
    """A problem that does not stop the server yet."""

    code: str
    message: str


class Health(View):
    """Whether the process is alive, or the server ready. A ready server reports its parts."""

    status: str
    database: str | UnsetType = UNSET
    workers: int | UnsetType = UNSET
    warnings: list[HealthWarning] | UnsetType = UNSET
