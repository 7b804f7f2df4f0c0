"""The commands `org create`, `org list`, `token` and `rotate-keys`."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import jwt
import msgspec
import typer
from rich.table import Table

from plaudit import clock

from .common import FOLDER, Data, Org, Url, console, org_id_in, run, url_of, with_org

if TYPE_CHECKING:
    from plaudit.storage.postgres import Connection

TOKEN_HOURS = 24


def add_org_commands(app: typer.Typer) -> None:
    """Add the commands of this module."""
    org_app = typer.Typer(no_args_is_help=True, help="Manage organisations.")
    org_app.command("create")(create)
    org_app.command("list")(list_orgs)
    app.add_typer(org_app, name="org")
    app.command()(token)
    app.command("rotate-keys")(rotate_keys)


def create(
    name: Annotated[str, typer.Argument(help="Name of the organisation")],
    data: Data = FOLDER,
    database_url: Url = "",
    slug: Annotated[str, typer.Option(help="Host name label for this organisation")] = "",
    test: Annotated[bool, typer.Option("--test", help="Make a test organisation, whose clock can be moved")] = False,
    org_id: Annotated[str, typer.Option("--id", help="Id of an organisation that moves here from another server")] = "",
) -> None:
    """Create an organisation and print its credentials (shown once)."""
    from plaudit.storage.orgs import create_org
    from plaudit.storage.postgres import connect

    url = url_of(data, database_url)

    async def work() -> None:
        connection = await connect(url)
        try:
            chosen_id = None if not org_id else org_id_in(org_id)
            credentials = await create_org(
                connection, name, clock.now(), is_test=test, slug=slug or None, org_id=chosen_id
            )
            print_credentials(credentials)
        finally:
            await connection.close()

    run(work)


def list_orgs(
    data: Data = FOLDER,
    database_url: Url = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON")] = False,
) -> None:
    """List the organisations, oldest first."""
    from plaudit.storage import orgs
    from plaudit.storage.postgres import connect

    url = url_of(data, database_url)

    async def work() -> list[orgs.Org]:
        connection = await connect(url)
        try:
            return await orgs.fetch_orgs(connection)
        finally:
            await connection.close()

    existing = run(work)
    if as_json:
        views = [
            {
                "orgId": str(org.org_id), "name": org.name, "slug": org.slug, "isTest": org.is_test,
                "createdAt": org.created_at,
            }
            for org in existing
        ]  # fmt: skip
        typer.echo(msgspec.json.encode(views).decode())
        return
    table = Table("id", "slug", "name", "")
    for org in existing:
        table.add_row(str(org.org_id), org.slug or "", org.name, "test" if org.is_test else "")
    console.print(table, markup=False)


def token(
    user: Annotated[str, typer.Argument(help="User id of the member")],
    org: Org = "",
    data: Data = FOLDER,
    database_url: Url = "",
) -> None:
    """Print a member's access token (JWT) for testing."""
    from plaudit.storage import orgs

    async def work(connection: "Connection", org_id: UUID) -> tuple[UUID, str]:
        return org_id, await orgs.jwt_secret_of(connection, org_id)

    org_id, secret = with_org(work, org, data, database_url)
    now = clock.now()
    claims = {"sub": user, "org": str(org_id), "iat": now, "exp": now + timedelta(hours=TOKEN_HOURS)}
    typer.echo(jwt.encode(claims, secret, algorithm="HS256"))


def rotate_keys(data: Data = FOLDER, database_url: Url = "") -> None:
    """Rotate the token signing key. Existing tokens stay valid until they expire."""
    from plaudit.storage.postgres import connect
    from plaudit.storage.signing_keys import rotate

    url = url_of(data, database_url)

    async def work() -> str:
        connection = await connect(url)
        try:
            return await rotate(connection, clock.now())
        finally:
            await connection.close()

    console.print(f"New signing key: {run(work)}", highlight=False)


def print_credentials(credentials: msgspec.Struct) -> None:
    """Print the credentials for an organisation's servers, one per line."""
    for name, value in msgspec.to_builtins(credentials).items():
        console.print(f"{name:<12} {value}", highlight=False, soft_wrap=True)
