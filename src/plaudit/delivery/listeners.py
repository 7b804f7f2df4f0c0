"""The webhooks of each organisation with their conditions, compiled once per version of its programme."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct

from plaudit.core.conditions import Condition, compile_conditions
from plaudit.core.event import ACTION, Event
from plaudit.core.fields import Scope
from plaudit.core.ids import derived_id
from plaudit.core.member import Member
from plaudit.documents.webhook import Webhook, wants
from plaudit.errors import NotFound
from plaudit.guard import in_hand, known
from plaudit.storage.postgres import UNREACHABLE, Connection
from plaudit.storage.programmes import Programme, Programmes

from .webhooks import error_of

NO_ID = UUID(int=0)
_ANY_MEMBER = Member(member_id=NO_ID, user_id="")

Row = Mapping[str, Any]

log = structlog.get_logger(__name__)


class Listener(Struct, frozen=True, kw_only=True):
    """A webhook that receives messages. `problem` says why its conditions cannot be evaluated."""

    webhook_id: str
    webhook: Webhook
    condition: Condition | None = None
    problem: str | None = None

    def may_want(self, row: Row) -> bool:
        """Return whether the webhook receives a message if its conditions hold."""
        if row["only_to"] is not None:
            return row["only_to"] == self.webhook_id
        return self.webhook.status == "active" and wants(self.webhook, row["type"])

    def is_conditional(self, row: Row) -> bool:
        """Return whether the webhook's conditions apply to a message."""
        return row["only_to"] is None and bool(self.webhook.conditions)

    def verdict(self, row: Row) -> bool | str:
        """Return whether the webhook's conditions hold for a message, or why they cannot be evaluated. Raise their errors."""
        if self.condition is None:
            return self.problem or True
        data = msgspec.json.decode(row["payload"])["data"]
        event = Event(
            event_id=NO_ID, member_id=NO_ID, user_id="", kind=ACTION, trigger=row["type"], occurred_at=row["created_at"],
            data=data,
        )  # fmt: skip
        return self.condition.holds(Scope(event, _ANY_MEMBER, {}, {}, {}), [])


def listener_of(programme: Programme, webhook_id: str, webhook: Webhook) -> Listener:
    """Return a webhook with its conditions compiled."""
    if not webhook.conditions:
        return Listener(webhook_id=webhook_id, webhook=webhook)
    org_id, version = programme.compiled.org_id, programme.compiled.version
    suspect_id = derived_id(org_id, f"webhook:{webhook_id}:{version}")
    stopped = known.stopped(suspect_id)
    if stopped is not None:
        reason = f"the conditions are not compiled again: the last time, {stopped.reason}"
        return Listener(webhook_id=webhook_id, webhook=webhook, problem=reason)
    try:
        with in_hand.doing("webhook", suspect_id, org_id):
            condition, _ = compile_conditions(webhook.conditions)
    except BaseException as problem:
        reason = f"the conditions could not be compiled: {error_of(problem)}"
        return Listener(webhook_id=webhook_id, webhook=webhook, problem=reason)
    return Listener(webhook_id=webhook_id, webhook=webhook, condition=condition)


class Listeners:
    """The webhooks of the organisations that this process has handled."""

    def __init__(self, programmes: Programmes) -> None:
        self._programmes = programmes
        self._known: dict[UUID, tuple[Programme, dict[str, Listener]]] = {}

    async def of(self, org_id: UUID) -> dict[str, Listener]:
        """Return an organisation's webhooks that have an address, or none if its programme cannot be loaded."""
        programme = await self.programme_of(org_id)
        if programme is None:
            return {}
        known = self._known.get(org_id)
        if known is None or known[0] is not programme:
            compiled = {
                name: listener_of(programme, name, webhook)
                for name, webhook in programme.webhooks.items()
                if webhook.url is not None
            }
            known = self._known[org_id] = (programme, compiled)
        return known[1]

    async def catch_up(self, connection: Connection, org_ids: Collection[UUID]) -> None:
        """Load the programmes that have changed, for the messages that are handed out from now on."""
        for org_id in await self._programmes.changed(connection, org_ids):
            await self.programme_of(org_id, refresh=True)

    async def programme_of(self, org_id: UUID, *, refresh: bool = False) -> Programme | None:
        """Return an organisation's programme, or None if it cannot be loaded. `refresh` loads it again.

        A failure affects only this organisation, whose messages are not handed out. `/replay` sends them later.
        """
        try:
            return await (self._programmes.refresh(org_id) if refresh else self._programmes.current(org_id))
        except NotFound:
            return None
        except UNREACHABLE:
            raise
        except BaseException as problem:
            log.exception("messages_not_handed_out", org_id=str(org_id), error=error_of(problem))
            return None


def columns(rows: Sequence[Any]) -> list[list[Any]]:
    """Return the columns of rows. There must be at least one row."""
    return [list(column) for column in zip(*rows, strict=True)]
