"""The interface of the commands' work: on a database, or through a running server's API. Both show the same.

command ──► Target ──► Place: Local (on_database): the database
                            └ Remote (over_api): --url, --key
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

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
