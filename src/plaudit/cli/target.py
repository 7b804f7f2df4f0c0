"""The place where a command works. Only the chosen one is imported, because both need memory and time to load."""

from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from plaudit.errors import Invalid, PlauditError

from .places import Place


class Target(Struct, frozen=True, kw_only=True):
    """The options that say where a command works."""

    org: str
    data: Path
    database_url: str
    url: str
    key: str

    def place(self) -> Place:
        """Return the place that the options name. Raise PlauditError if they contradict each other."""
        if self.url:
            from .over_api import Remote

            if not self.key:
                raise PlauditError("--url needs an API secret: pass --key, or set PLAUDIT_KEY")
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise Invalid(f"--url must be an address such as https://plaudit.example.com (got {self.url!r})")
            return Remote(self.url.rstrip("/"), self.key, self.org)
        if self.key:
            raise PlauditError("--key is for a running server: pass its address with --url, or set PLAUDIT_URL")
        from .on_database import Local

        return Local(self.org, self.data, self.database_url)
