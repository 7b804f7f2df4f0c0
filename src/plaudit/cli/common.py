"""What commands share: options, printing, and running coroutines."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer
import uvloop
from rich.console import Console

from plaudit.errors import NotFound, PlauditError
from plaudit.guard import in_hand
from plaudit.runtime import exit_with_parent, limit_memory
from plaudit.settings import Settings

if TYPE_CHECKING:
    from plaudit.storage.postgres import Connection

console = Console()
errors = Console(stderr=True)

T = TypeVar("T")

Data = Annotated[Path, typer.Option("--data", envvar="PLAUDIT_DATA", help="Data folder")]
Url = Annotated[str, typer.Option("--database-url", envvar="PLAUDIT_DATABASE_URL", help="URL of your PostgreSQL")]
Org = Annotated[
    str, typer.Option("--org", envvar="PLAUDIT_ORG", help="Organisation id, slug or name (default: the oldest)")
]
Server = Annotated[
    str,
    typer.Option("--url", envvar="PLAUDIT_URL", help="Address of a running server to work on, instead of a database"),
]
Key = Annotated[str, typer.Option("--key", envvar="PLAUDIT_KEY", help="API secret to use with --url")]
Host = Annotated[str, typer.Option(envvar="PLAUDIT_HOST", help="Address to listen on")]
Port = Annotated[int, typer.Option(envvar="PLAUDIT_PORT", min=0, max=65_535, help="Port to listen on")]
Existing = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The file to read")]


def _as_child(is_child: bool) -> bool:
    if is_child:
        exit_with_parent()
        limit_memory(Settings.from_environment().memory_mb)
    return is_child


Child = Annotated[bool, typer.Option("--child", hidden=True, callback=_as_child)]
FOLDER = Path(".plaudit")


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine to its end. A heartbeat shows the parent process that the event loop is not stuck."""

    async def working() -> T:
        heartbeat = asyncio.create_task(in_hand.beat())
        try:
            return await work()
        finally:
            heartbeat.cancel()

    return uvloop.run(working())


def with_org(work: Callable[["Connection", UUID], Awaitable[T]], org: str, data: Path, database_url: str) -> T:
    """Run work for an organisation: the named one (by id, slug or name), or the oldest."""
    from plaudit.storage.postgres import connect

    url = url_of(data, database_url)

    async def working() -> T:
        connection = await connect(url)
        try:
            return await work(connection, await _org_id_of(connection, org))
        finally:
            await connection.close()

    return run(working)


def org_id_in(text: str) -> UUID:
    """Return the organisation id in a string. Raise PlauditError if it is not a UUID."""
    try:
        return UUID(text)
    except ValueError:
        raise PlauditError(f"The organisation must be named by its id, a UUID (got {text!r})") from None


async def _org_id_of(connection: "Connection", name: str) -> UUID:
    from plaudit.storage import orgs

    if not name:
        existing = await orgs.fetch_orgs(connection)
        if not existing:
            raise PlauditError("No organisation yet: create one with plaudit org create NAME")
        return existing[0].org_id
    org_ids = await orgs.org_ids_named(connection, name)
    if not org_ids:
        raise NotFound(f"No organisation has the id, slug or name {name!r}; plaudit org list shows them all")
    if len(org_ids) > 1:
        raise PlauditError(
            f"{len(org_ids)} organisations are called {name!r}: name one of {', '.join(map(str, org_ids))}"
        )
    return org_ids[0]


def url_of(data: Path, database_url: str) -> str:
    """Return the database's URL: the given one, or that of the embedded server in the data folder."""
    return Settings(data=str(data), database_url=database_url).url()
