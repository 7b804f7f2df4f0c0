"""All settings with types, defaults and units. They come from the environment (PLAUDIT_*) or from commands' options."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from plaudit.errors import Invalid, Unavailable

PREFIX = "PLAUDIT_"


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of a process. Each is read from the variable `PLAUDIT_` plus its name in capitals."""

    host: Annotated[str, Meta(description="The address that the API listens on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="The port that the API listens on.", ge=0, le=65_535)] = 8000
    data: Annotated[
        str, Meta(description="Data folder: the embedded PostgreSQL, its lock file and the demo credentials.")
    ] = ".plaudit"
    database_url: Annotated[
        str, Meta(description="URL of your PostgreSQL. If empty, the embedded PostgreSQL is used.")
    ] = ""
    workers: Annotated[int, Meta(description="Number of engine workers that `plaudit serve` starts.", ge=1, le=64)] = 1
    demo: Annotated[bool, Meta(description="Create a demo organisation if the database is empty.")] = True
    private_networks: Annotated[
        bool,
        Meta(
            description="Allow webhooks and identity providers in private networks. Only safe if you trust everyone who can "
            "configure them."
        ),
    ] = False
    public_url: Annotated[
        str,
        Meta(
            description="Public base URL of the server, used as the issuer of access tokens. Default: `http://HOST:PORT`."
        ),
    ] = ""
    spaces_domain: Annotated[
        str, Meta(description="Parent domain for one host name per organisation: `<slug>.<domain>`.")
    ] = ""
    metrics_token: Annotated[
        str, Meta(description="The bearer token that `/metrics` requires. If empty, `/metrics` is public.")
    ] = ""
    metrics_by_org: Annotated[
        bool, Meta(description="Whether `/metrics` reports codes and stock of each organisation, by its id.")
    ] = False
    lease_seconds: Annotated[
        float,
        Meta(
            description="Lease time of a worker's buckets, in seconds. After a worker dies, its members wait at most this long.",
            gt=0,
        ),
    ] = 5.0
    worker_nice: Annotated[
        int,
        Meta(
            description="Niceness of workers, from -20 to 19. Negative values give them priority and need CAP_SYS_NICE.",
            ge=-20,
            le=19,
        ),
    ] = -5
    silent_seconds: Annotated[
        float,
        Meta(
            description="How long a process may be silent, in seconds, before it counts as hanging and is replaced; "
            "0 disables the check.",
            ge=0,
        ),
    ] = 5.0
    memory_mb: Annotated[
        int,
        Meta(
            description="How much memory each process may have, in MB (Linux). "
            "0 is half of the machine's or the container's, 4096 at most.",
            ge=0,
        ),
    ] = 0

    @staticmethod
    def from_environment() -> "Settings":
        """Return the settings from the environment, with defaults for the others. Raise Invalid naming the variable."""
        values = {
            name: os.environ[PREFIX + name.upper()]
            for name in Settings.__struct_fields__
            if PREFIX + name.upper() in os.environ
        }
        try:
            return msgspec.convert(values, Settings, strict=False)
        except msgspec.ValidationError as error:
            reason, _, name = str(error).partition(" - at `$.")
            raise Invalid(f"The setting {PREFIX}{name.rstrip('`').upper()} is wrong: {reason}") from None

    def space_url(self, slug: str | None = None) -> str:
        """Return the URL of an organisation's space, without a trailing slash: the issuer of its members' tokens."""
        base = (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
        if slug is None or not self.spaces_domain:
            return base
        return f"{base.partition('://')[0]}://{slug}.{self.spaces_domain}"

    def url(self) -> str:
        """Return the database's URL: the configured one, or that of the embedded server that runs in `data`."""
        if self.database_url:
            return self.database_url
        from plaudit.storage.embedded import running_url

        url = running_url(Path(self.data) / "postgres")
        if url is None:
            raise Unavailable(
                f"No embedded PostgreSQL is running in {self.data}: start plaudit serve, or pass --database-url"
            )
        return url
