"""Every setting: its type, its default, its unit. From the environment (PLAUDIT_*), or from options of the commands."""

import os
from pathlib import Path

from msgspec import Struct

from plaudit.errors import Unavailable


class Settings(Struct, frozen=True, kw_only=True):
    """`database_url` empty means the embedded PostgreSQL in `data`."""

    host: str = "127.0.0.1"
    port: int = 8000
    data: Path = Path(".plaudit")
    database_url: str = ""
    workers: int = 1
    demo: bool = True
    lease_seconds: float = 5.0

    @staticmethod
    def from_environment() -> "Settings":
        """What PLAUDIT_* say; defaults for the rest."""
        given = os.environ
        return Settings(
            host=given.get("PLAUDIT_HOST", "127.0.0.1"),
            port=int(given.get("PLAUDIT_PORT", "8000")),
            data=Path(given.get("PLAUDIT_DATA", ".plaudit")),
            database_url=given.get("PLAUDIT_DATABASE_URL", ""),
            workers=int(given.get("PLAUDIT_WORKERS", "1")),
            demo=given.get("PLAUDIT_DEMO", "true").lower() not in ("0", "false", "no"),
            lease_seconds=float(given.get("PLAUDIT_LEASE_SECONDS", "5")),
        )

    def url(self) -> str:
        """The database's URL: the one given, or that of the embedded server that runs in `data`."""
        if self.database_url:
            return self.database_url
        from plaudit.storage.embedded import running_url

        url = running_url(self.data / "postgres")
        if url is None:
            raise Unavailable(f"No server runs on {self.data}; start one with plaudit serve, or give --database-url")
        return url
