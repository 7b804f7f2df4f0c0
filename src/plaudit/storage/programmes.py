"""The compiled Program of each organisation, cached in memory, and replaced as a whole when a document changes.

    a change is committed ──NOTIFY──► every process reads the documents again, compiles, swaps one reference

A batch uses one reference throughout, so exactly one version decides each event. A notification takes a moment, so the
engine first compares versions with the database (`changed`, `cached`): a change applies to every event that is sent
after the response to the change. Versions are also compared every few seconds.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from plaudit.clock import WALL, Move, OrgClock
from plaudit.core.ids import derived_id
from plaudit.core.program import Program
from plaudit.documents.campaign import Campaign
from plaudit.documents.custom_field import CustomField
from plaudit.documents.in_force import Named, compile_in_force
from plaudit.documents.kinds import KINDS
from plaudit.documents.metric import Metric
from plaudit.documents.product import Product
from plaudit.documents.profile import ProfileValidator, validator_for
from plaudit.documents.profile_schema import ProfileSchema
from plaudit.documents.reward import Reward
from plaudit.documents.rule import Rule
from plaudit.documents.settings import Settings
from plaudit.documents.template import MessageTemplate
from plaudit.documents.trigger import Trigger
from plaudit.documents.webhook import Webhook
from plaudit.errors import NotFound, Unavailable
from plaudit.guard import in_hand, known
from plaudit.mechanics.registry import MECHANICS
from plaudit.tasks import run_together

from .erasure import CHANNEL as ERASURES
from .postgres import UNREACHABLE, Connection, Pool, listen, run_forever, snapshot
from .queries import queries_beside

_SQL = queries_beside(__file__)

CHANNEL = "plaudit_programs"
COMPARE_SECONDS = 5
STOPPED = "programme_stopped"

log = structlog.get_logger(__name__)


class Programme(Struct, frozen=True):
    """An organisation's compiled programme, with the documents that ingestion, the API and explanations read."""

    compiled: Program
    triggers: dict[str, Trigger]
    campaigns: dict[str, Campaign]
    rules: dict[str, Rule]
    settings: Settings
    profiles: ProfileValidator
    webhooks: dict[str, Webhook]
    metrics: dict[str, Metric]
    products: dict[str, Product]
    rewards: dict[str, Reward]
    templates: dict[str, MessageTemplate]
    mechanics: Mapping[str, Mapping[str, Any]]  # by mechanic and document id, including the parts of campaigns
    clock: OrgClock
    out_of_force: Mapping[Named, str]  # the documents that cannot be compiled, with the reason

    def now(self) -> datetime:
        """Return the time by the organisation's clock: the wall clock plus the time that tests have advanced it by."""
        return self.clock.now()


class Programmes:
    """The programmes of all organisations that this process has used."""

    def __init__(self, pool: Pool, url: str) -> None:
        self._pool = pool
        self.url = url  # of the database, for callers that need their own connections
        self._current: dict[UUID, Programme] = {}
        self._forgetting: list[Callable[[UUID | None], None]] = []
        self._locks: dict[UUID, asyncio.Lock] = {}

    async def current(self, org_id: UUID) -> Programme:
        """Return the current programme. Raise NotFound if the organisation does not exist."""
        return self._current.get(org_id) or await self.refresh(org_id)

    async def cached(self, org_id: UUID) -> Programme:
        """Return the programme as of now in the database, even if another process has just changed it."""
        async with self._pool.acquire() as connection:
            changed = await self.changed(connection, [org_id])
        return await (self.refresh(org_id) if changed else self.current(org_id))

    async def changed(self, connection: Connection, org_ids: Collection[UUID]) -> set[UUID]:
        """Return which of these organisations have a newer programme than this process, and need `refresh`."""
        rows = await connection.fetch(_SQL.program_versions, org_ids)
        return {
            row["org_id"]
            for row in rows
            if (known := self._current.get(row["org_id"])) is not None and not _is_of(known, row)
        }

    async def current_unless_stopped(self, org_id: UUID) -> Programme | None:
        """Return the programme, or None if compiling it has stopped a process: users must still be able to repair it."""
        try:
            return await self.current(org_id)
        except Unavailable as problem:
            if problem.code != STOPPED:
                raise
            return None

    async def refresh(self, org_id: UUID) -> Programme:
        """Load and compile the programme if it has changed, and replace the cached one."""
        async with self._locks.setdefault(org_id, asyncio.Lock()), self._pool.acquire() as connection:
            try:
                row = await fetch_version(connection, org_id)
            except NotFound:
                self._current.pop(org_id, None)
                raise
            known = self._current.get(org_id)
            if known is not None and _is_of(known, row):
                return known
            programme = await load_programme(connection, org_id)
            self._current[org_id] = programme
            for (kind, document_id), reason in programme.out_of_force.items():
                log.warning("document_out_of_force", org_id=str(org_id), kind=kind, id=document_id, reason=reason)
            return programme

    def apart(self, pool: Pool) -> "Programmes":
        """Return a copy that only follows the changes visible in `pool`, such as those of a dry run."""
        copy = Programmes(pool, "")
        copy._current = dict(self._current)
        return copy

    def on_erasure(self, forget: Callable[[UUID | None], None]) -> None:
        """Register a callback for organisations in which a member was erased (None: possibly any)."""
        self._forgetting.append(forget)

    async def listen(self) -> None:
        """Follow other processes' changes until cancelled."""
        changed: asyncio.Queue[UUID | None] = asyncio.Queue()  # None: possibly any organisation

        def connected() -> None:
            self._forget(None)
            changed.put_nowait(None)

        async def follow() -> None:
            org_id = None
            with suppress(TimeoutError):
                org_id = await asyncio.wait_for(changed.get(), COMPARE_SECONDS)
            try:
                await self._catch_up(org_id)
            except BaseException:
                changed.put_nowait(None)
                raise

        def on_notify(org_id: str) -> None:
            changed.put_nowait(UUID(org_id))

        def erased(org_id: str) -> None:
            self._forget(UUID(org_id))

        listening = listen(self.url, {CHANNEL: on_notify, ERASURES: erased}, connected)
        await run_together(listening, run_forever("follow_programmes", follow, every=0))

    async def _catch_up(self, org_id: UUID | None) -> None:
        """Refresh one organisation, or all that have changed."""
        if org_id is not None:
            if org_id in self._current:
                await self._refresh_quietly(org_id)
            return
        async with self._pool.acquire() as connection:
            changed = await self.changed(connection, list(self._current))
        for id_ in changed:
            await self._refresh_quietly(id_)

    def _forget(self, org_id: UUID | None) -> None:
        for forget in self._forgetting:
            forget(org_id)

    async def _refresh_quietly(self, org_id: UUID) -> None:
        """Refresh an organisation, and log a failure: it must not keep the others from being refreshed."""
        try:
            await self.refresh(org_id)
        except UNREACHABLE:
            raise
        except Exception:
            log.exception("programme_not_compiled", org_id=str(org_id))


def _is_of(programme: Programme, row: asyncpg.Record) -> bool:
    return (programme.compiled.version, programme.clock.offset) == (row["program_version"], row["clock_offset"])


async def fetch_version(connection: Connection, org_id: UUID) -> asyncpg.Record:
    """Return an organisation's current `program_version` and `clock_offset`. Raise NotFound."""
    row = await connection.fetchrow(_SQL.program_versions, [org_id])
    if row is None:
        raise NotFound("Organisation not found", code="org_not_found")
    return row


async def reach_version(connection: Connection, org_id: UUID, version: int) -> None:
    """Raise an organisation's version to one that its log or its documents have, so that later changes have later ones."""
    await connection.execute(_SQL.reach_version, org_id, version)


async def announce_change(connection: Connection, org_id: UUID) -> None:
    """Notify every process, when the transaction commits, that an organisation's programme has changed."""
    await connection.execute(_SQL.announce_change, CHANNEL, org_id)


async def load_programme(connection: Connection, org_id: UUID) -> Programme:
    """Return an organisation's current programme, compiled."""
    async with snapshot(connection):
        row = await fetch_version(connection, org_id)
        rows = await fetch_documents(connection, org_id)
        org_clock = await clock_of(connection, org_id)
    return _compiled(org_id, row["program_version"], rows, org_clock)


async def fetch_documents(connection: Connection, org_id: UUID, version: int | None = None) -> list[asyncpg.Record]:
    """Return the kind, id and doc of all documents in order, as of now or of a version of the programme."""
    if version is None:
        return await connection.fetch(_SQL.all_now, org_id)
    return await connection.fetch(_SQL.all_at_version, org_id, version)


async def clock_of(connection: Connection, org_id: UUID) -> OrgClock:
    """Return an organisation's clock."""
    offset = await connection.fetchval(_SQL.clock_offset, org_id)
    if not offset:
        return WALL
    moves = await connection.fetch(_SQL.clock_moves, org_id)
    return OrgClock(offset, tuple(Move(*row) for row in moves))


async def load_at_version(connection: Connection, org_id: UUID, version: int) -> Programme:
    """Return an organisation's programme as of one of its versions, compiled."""
    return _compiled(org_id, version, await fetch_documents(connection, org_id, version))


def programme_from_documents(org_id: UUID, version: int, docs: Mapping[tuple[str, str], Any]) -> Programme:
    """Return a programme compiled from canonical documents, whether or not they are the current ones."""
    rows = [{"kind": kind, "id": name, "doc": msgspec.json.encode(doc)} for (kind, name), doc in docs.items()]
    return _compiled(org_id, version, rows)


def _compiled(org_id: UUID, version: int, rows: list[Any], org_clock: OrgClock = WALL) -> Programme:
    programme_id = derived_id(org_id, f"programme:{version}")
    stopped = known.stopped(programme_id)
    if stopped is not None:
        raise Unavailable(
            f"Version {version} of the programme is not compiled again: the last time, {stopped.reason}",
            code=STOPPED,
        )
    with in_hand.doing("programme", programme_id, org_id):
        compiled = compile_in_force(org_id, version, [(row["kind"], row["id"], row["doc"]) for row in rows])
    documents, out = compiled.readable, compiled.out
    by_kind: dict[str, dict[str, Any]] = {
        kind: {
            item.id: item.document
            for item in documents
            if item.kind == kind and (kind in _READ_ANYWAY or (kind, item.id) not in out)
        }
        for kind in (*_READ, *MECHANICS)
    }
    settings = next((item.document for item in documents if item.kind == "settings"), Settings(name="Settings"))
    assert isinstance(settings, Settings)
    profiles = validator_for(
        next((item.document for item in documents if isinstance(item.document, ProfileSchema)), None),
        [item.document for item in documents if isinstance(item.document, CustomField)],
    )
    rules = {item.id: item.document for item in documents if isinstance(item.document, Rule)}
    return Programme(
        compiled=compiled.program, rules=rules, settings=settings, profiles=profiles, clock=org_clock,
        out_of_force=out, mechanics={kind: mechanic.all_documents(by_kind) for kind, mechanic in MECHANICS.items()},
        **{KINDS[kind].list_name: cast("Any", by_kind[kind]) for kind in _READ},
    )  # fmt: skip


# Kinds whose documents a `Programme` holds, apart from the mechanics.
_READ = ("trigger", "campaign", "webhook", "metric", "product", "reward", "template")
# Kinds that members' stored data refers to: their documents are kept even when they are out of force.
_READ_ANYWAY = frozenset({"trigger", "metric", "template"})
