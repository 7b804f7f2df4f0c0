"""What the commands share: where the data is, how they print, how they run."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer
import uvloop
from rich.console import Console

from plaudit.errors import PlauditError
from plaudit.processes import end_with_parent
from plaudit.settings import Settings

if TYPE_CHECKING:
    from plaudit.storage.postgres import Connection

console = Console()
errors = Console(stderr=True)

T = TypeVar("T")

Data = Annotated[Path, typer.Option("--data", envvar="PLAUDIT_DATA", help="The data folder.")]
Url = Annotated[str, typer.Option("--database-url", envvar="PLAUDIT_DATABASE_URL", help="A PostgreSQL of your own.")]
Org = Annotated[str, typer.Option("--org", help="The organisation; the first one unless said.")]


def _end_with_parent(given: bool) -> None:
    if given:
        end_with_parent()


Child = Annotated[bool, typer.Option("--child", hidden=True, callback=_end_with_parent)]
FOLDER = Path(".plaudit")


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run until it is done."""

    async def working() -> T:
        return await work()

    return uvloop.run(working())


def in_org(work: Callable[["Connection", UUID], Awaitable[T]], org: str, data: Path, database_url: str) -> T:
    """Do something in an organisation: the one named, or the first."""
    from plaudit.storage import orgs
    from plaudit.storage.postgres import connect

    url = url_of(data, database_url)

    async def working() -> T:
        connection = await connect(url)
        try:
            if org:
                return await work(connection, UUID(org))
            row = await connection.fetchrow(orgs.SQL.oldest_org)
            if row is None:
                raise PlauditError("There is no organisation yet: plaudit org create NAME")
            return await work(connection, row["org_id"])
        finally:
            await connection.close()

    return run(working)


def url_of(data: Path, database_url: str) -> str:
    """The database's URL: the one given, or that of the embedded server in the data folder."""
    return Settings(data=str(data), database_url=database_url).url()
