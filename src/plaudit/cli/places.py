"""Where a command does its work: on a database, or over a running server's API. Both show the same.

command ──► Place ──► Local (cli_local): the database
                 └──► Remote (cli_remote): --url, --key
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from plaudit.errors import Invalid, PlauditError

Json = dict[str, Any]
Heard = Callable[[int, str], None]  # how many bytes of a file have been read, and a word on how far it is


class Simulated(Struct, frozen=True, kw_only=True):
    """What to simulate: a whole programme, or a campaign with changes."""

    programme: Any = None
    campaign: str = ""
    changes: Json = {}
    days: float = 30
    sample: float = 1


class Place(Protocol):
    """The interface of both. Everything is shown as the API shows it. Raises PlauditError."""

    def programme(self) -> Json:
        """Return the whole programme, by sections."""
        ...

    def change(self, programme: Any, *, prune: bool, dry_run: bool) -> list[Json]:
        """Apply a programme document, or only return what would change."""
        ...

    def take_in(self, file: Path, kind: str, job: str, heard: Heard) -> Json:
        """Import a file. Return the job, with the first lines that were refused."""
        ...

    def simulate(self, wanted: Simulated, heard: Callable[[int, int], None]) -> Json:
        """Simulate another programme on the past. Call `heard` with the events done and their total."""
        ...

    def verify(self) -> list[Json]:
        """Verify the ledger: return the invariants, the number of checks and violations, and examples."""
        ...


class Target(Struct, frozen=True, kw_only=True):
    """Where a command works, by its options."""

    org: str
    data: Path
    database_url: str
    url: str
    key: str

    def place(self) -> Place:
        """Return the place that the options name. Raises PlauditError if they name none."""
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
