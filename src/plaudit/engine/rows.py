"""Convert decisions to rows of the log, the ledger, the members' state and the outbox.

Each decision becomes rows immediately, while its data is still in the processor's cache, and can then be freed
(docs/decisions/0022). A part of a member has changed if it is no longer the same object.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit.core.change_summary import summarise_decision
from plaudit.core.decision import Decision, IssuedCoupon, Transaction, TransactionDetails, Withdrawn
from plaudit.core.ids import bucket_of, member_id_of
from plaudit.core.member import STATE_LISTS, STATE_TABLES, Member, StateTable, states_by_kind
from plaudit.core.notifications import MESSAGE

from .arrival import Arrival, follow_up_arrival
from .load import Batch
from .outgoing import message_rows
from .processed import ProcessedEvent, outcome_of
from .tables import COPIED, UPDATED, WRITES, state_writes
from .totals import Totals, count_in

Row = tuple[Any, ...]

_ENCODER = msgspec.json.Encoder()
_NO_STATES: Mapping[str, Any] = {}
_NAMES = (
    *(table.name for table in COPIED), *(f"{table.name}_now" for table in UPDATED), *(write.name for write in WRITES),
)  # fmt: skip


class BatchRows:
    """The rows of a batch. `of` has them by table; `positions` has the last position of each bucket's log."""

    def __init__(self, batch: Batch, at: datetime) -> None:
        self._at = at
        self._watched = batch.watched_buckets
        self.positions = dict(batch.positions)
        self.of: dict[str, list[Row]] = {name: [] for name in _NAMES}
        for write in state_writes():
            self.of[write.name] = []
        self.failed: list[ProcessedEvent] = []
        self.identities: dict[tuple[UUID, str], tuple[Arrival, str | None]] = {}  # by member and kind
        self.follow_ups: list[Arrival] = []
        self.totals: Totals = {}
        self.changed: list[UUID] = []  # members in buckets with an open live stream

    def add(self, processed_event: ProcessedEvent) -> None:
        """Add an event's rows for the log and the ledger. Events must be added in order."""
        arrival, decision, program = processed_event.arrival, processed_event.decision, processed_event.program
        if processed_event.state == "failed":
            self.failed.append(processed_event)
            return
        assert decision is not None
        assert program is not None
        bucket = arrival.bucket
        position = self.positions[bucket] = self.positions[bucket] + 1
        of = self.of
        of["event_ids"].append(
            (arrival.event_id, bucket, arrival.member_id, position, self._at, arrival.fingerprint),
        )
        of["events"].append(
            (
                bucket, position, arrival.event_id, arrival.event_key, arrival.org_id, arrival.member_id,
                arrival.user_id, arrival.kind, arrival.trigger, arrival.occurred_at, arrival.received_at, self._at,
                arrival.source, processed_event.state, program.version, arrival.payload, json_text(outcome_of(decision, processed_event.refused)),
            )
        )  # fmt: skip
        if decision.transactions:
            of["transactions"] += _transaction_rows(arrival, decision.transactions, position, self._at)
            count_in(self.totals, program, decision.transactions)
        if decision.coupons:
            of["coupons"] += _coupon_rows(processed_event, decision.coupons)
        if decision.notifications:
            of["notifications"] += _notification_rows(arrival, decision)
        if program.outbound or decision.messages:
            of["outbox"] += message_rows(arrival, program, decision, position, self._at)
        if decision.identities:
            for kind, value in decision.identities.items():
                self.identities[arrival.member_id, kind] = (arrival, value)
        if decision.follow_ups:
            self.follow_ups += [follow_up_arrival(arrival, follow_up, self._at) for follow_up in decision.follow_ups]
        if decision.taken_over is not None:
            former_id = member_id_of(arrival.org_id, decision.taken_over)
            former = (bucket_of(former_id), former_id)
            of["take_over"].append((arrival.org_id, *former, bucket, arrival.member_id, arrival.user_id))
        if decision.withdrawn is not None:
            self._withdraw(arrival, decision.withdrawn)
        if bucket in self._watched:
            self.changed.append(arrival.member_id)

    def _withdraw(self, arrival: Arrival, withdrawn: Withdrawn) -> None:
        of, key = self.of, (arrival.bucket, arrival.member_id)
        of["withdraw_coupons"] += [(*key, coupon_id, arrival.occurred_at) for coupon_id in withdrawn.coupons]
        of["withdraw_notifications"] += [(*key, notification) for notification in withdrawn.notifications]
        of["give_back"] += [(arrival.org_id, kind.value, name, number) for kind, name, number in withdrawn.returned]

    def add_member(self, loaded: Member, arrival: Arrival, member: Member) -> None:
        """Add the rows of a member that differ from those that were `loaded`."""
        if member is loaded or member.enrolled_at is None:
            return
        of = self.of
        key = (arrival.bucket, member.member_id)
        if loaded.enrolled_at is None:
            named = (arrival.org_id, arrival.user_id, json_text(member.attributes), member.enrolled_at)
            of["members"].append((*key, *named, member.latest_at, member.active_at, member.sequence, member.due_at))
        else:
            of["members_now"].append((*key, member.latest_at, member.active_at, member.sequence, member.due_at))
            if member.merged_into != loaded.merged_into:
                of["close_members"].append((*key, arrival.org_id, member.merged_into))
            if member.attributes is not loaded.attributes:
                of["update_attributes"].append((*key, json_text(member.attributes)))
        for metric, balance in member.balances.items():
            if balance is not loaded.balances.get(metric):
                name = "balances_now" if metric in loaded.balances else "balances"
                book = None if balance.book is None else json_text(balance.book)
                of[name].append((*key, metric, balance.amount, balance.earned, book))
        before = states_by_kind(loaded)
        for kind, states in states_by_kind(member).items():
            if not states:
                continue
            old = before.get(kind, _NO_STATES)
            for name, state in states.items():
                if state is not old.get(name):
                    of["progress_now" if name in old else "progress"].append((*key, kind, name, json_text(state)))
        self._add_rest(loaded, arrival, member)

    def _add_rest(self, loaded: Member, arrival: Arrival, member: Member) -> None:
        """Add the rows of tables that few members change."""
        of = self.of
        key = (arrival.bucket, member.member_id)
        for product_id, held in member.holdings.items():
            if held is not loaded.holdings.get(product_id):
                of["upsert_holdings"].append((*key, product_id, held.quantity, held.first_at, held.last_at))
        if loaded.holdings:
            of["delete_holdings"] += [(*key, holding) for holding in loaded.holdings if holding not in member.holdings]
        for listing in STATE_LISTS.values():
            before = loaded.states.get(listing.kind, _NO_STATES)
            for document_id, state in member.states.get(listing.kind, _NO_STATES).items():
                state_before = before.get(document_id)
                if state is state_before:
                    continue
                if listing.is_in(state):
                    if state_before is None or listing.since(state) != listing.since(state_before):
                        row = listing.row(key, arrival.org_id, arrival.user_id, document_id, state)
                        of[f"upsert_{listing.name}"].append(row)
                elif state_before is not None and listing.is_in(state_before):
                    of[f"delete_{listing.name}"].append((*key, document_id))
        for table in STATE_TABLES.values():
            old, now = loaded.states.get(table.kind, _NO_STATES), member.states.get(table.kind, _NO_STATES)
            if old or now:
                self._add_own_table(table, old, now, arrival)

    def _add_own_table(
        self, table: StateTable, old: Mapping[str, Any], now: Mapping[str, Any], arrival: Arrival
    ) -> None:
        """Add the rows of states that have their own table."""
        key = (arrival.bucket, arrival.member_id)
        rows, removed = self.of[f"upsert_{table.name}"], self.of[f"delete_{table.name}"]
        for document_id, state in now.items():
            before, part = old.get(document_id), table.part(state)
            if part is None or state is before or (before is not None and part == table.part(before)):
                continue
            position = self.positions[arrival.bucket]
            rows.append(table.row(key, arrival.org_id, arrival.user_id, document_id, part, position))
        for document_id, state in old.items():
            after = now.get(document_id)
            if state is after or table.part(state) is None:
                continue
            if after is None or table.part(after) is None:
                removed.append((*key, document_id))


def _transaction_rows(
    arrival: Arrival, transactions: Sequence[Transaction], position: int, decided_at: datetime
) -> Iterator[Row]:
    for ordinal, transaction in enumerate(transactions):
        yield (
            arrival.bucket, arrival.member_id, position, ordinal, transaction.transaction_id, arrival.org_id,
            arrival.user_id, transaction.metric, transaction.amount, transaction.balance_after, transaction.cause.kind,
            transaction.cause.id, transaction.step, transaction.index, arrival.event_id, transaction.reason, transaction.occurred_at, decided_at, transaction.reverses,
            _details(transaction),
        )  # fmt: skip


def _details(transaction: Transaction) -> str | None:
    if transaction.postings is None and transaction.refusal is None and transaction.lifetime is None:
        return None
    return json_text(
        TransactionDetails(transaction.postings or (), transaction.refusal, transaction.next_at, transaction.lifetime)
    )


def _coupon_rows(processed_event: ProcessedEvent, coupons: Sequence[IssuedCoupon]) -> Iterator[Row]:
    arrival = processed_event.arrival
    for issue in coupons:
        code = issue.code if issue.code is not None else processed_event.codes[issue.coupon_id]
        yield (
            arrival.bucket, arrival.member_id, issue.coupon_id, arrival.org_id, issue.origin_id, issue.pool_id, code,
            json_text(issue.terms), issue.cause.kind, issue.cause.id, arrival.event_id, issue.issued_at, issue.expires_at, None,
        )  # fmt: skip


def _notification_rows(arrival: Arrival, decision: Decision) -> Iterator[Row]:
    for note in decision.notifications:
        yield (
            arrival.bucket, arrival.member_id, note.notification_id, note.type, note.cause.kind, note.cause.id,
            note.step, note.display,
            note.title, note.message, note.created_at, note.expires_at,
            None if note.type == MESSAGE else json_text(summarise_decision(decision, note.cause)),
        )  # fmt: skip


def json_text(value: Any) -> str:
    """Return a value as text for a JSON column."""
    return _ENCODER.encode(value).decode()
