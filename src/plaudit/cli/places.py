"""Where commands work: on a database, or through a running server's API. Both return the same.

command ──► Target ──► Place: Local (on_database): the database
                            └ Remote (over_api): --url, --key
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

Json = dict[str, Any]
OnProgress = Callable[[int, str], None]  # called with the bytes read from a file, and a description


class SimulationInput(Struct, frozen=True, kw_only=True):
    """What to simulate: a whole programme, or a campaign with changes."""

    programme: Any = None
    campaign: str = ""
    changes: Json = {}
    days: float = 30
    sample: float = 1


class Place(Protocol):
    """An organisation, wherever it is. Results have the API's form. Methods raise PlauditError."""

    def programme(self) -> Json:
        """Return the whole programme, by sections."""
        ...

    def change(self, programme: Any, *, prune: bool, dry_run: bool) -> list[Json]:
        """Apply a programme document, or only return what would change."""
        ...

    def import_file(self, file: Path, kind: str, job: str, on_progress: OnProgress) -> Json:
        """Import a file. Return the job, with the first refused lines."""
        ...

    def simulate(self, inputs: SimulationInput, on_progress: Callable[[int, int], None]) -> Json:
        """Simulate another programme on past events. Call `on_progress` with the events so far and their total."""
        ...

    def verify(self) -> list[Json]:
        """Verify the ledger. Return each invariant with the numbers of checks and violations, and examples."""
        ...
