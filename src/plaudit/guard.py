"""Records what a process is working on where its parent can read it, so a hang or a crash has a known cause.

    worker ──heartbeats, current event──► a small file in memory ◄──checks── its parent
                                                │
    it hangs or dies ──► its successor reads what was in progress, and records it in the table `suspects`

For each event, this costs one write of 16 bytes. A suspect event is decided alone. If that stops the process again, or
if the process hung on exactly this event, the event fails and is not retried (docs/decisions/0025).
"""

import asyncio
import mmap
import os
import struct
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

T = TypeVar("T")

SLOT = "PLAUDIT_SLOT"  # the environment variable with the file that a child and its parent share
BEAT_SECONDS = 0.5
TRIES_MAX = 2
BATCHES_MAX = 16  # that a process can record at the same time

_BEATS = 0
_READY = 8
_HUNG = 9
_EVENT = slice(16, 32)
_KIND_BYTES = 16
_STEP = slice(32, 80)  # the kind, the id and the organisation
_REASON, _REASON_BYTES = 80, 944
_DOING, _DOING_BYTES = 1024, (4 << 20) - 1024
_BATCHES, _BATCH_BYTES = 4 << 20, 16 << 10
_SIZE = _BATCHES + BATCHES_MAX * _BATCH_BYTES
_IN_BATCH = (_BATCH_BYTES - 4) // 16
_NOTHING = bytes(16)
_NO_STEP = bytes(48)
# The kinds of suspects that are not chores. All other kinds are a chore's work for one document.
NOT_CHORES = ("event", "tick", "programme", "document", "message")
_COUNT = struct.Struct("<I")
_NUMBER = struct.Struct("<Q")


class Doing(Struct, frozen=True):
    """Work that a process does without waiting. `id` identifies it; `given` is an arrival that is not in the inbox."""

    kind: str  # as in the table `suspects`
    id: UUID
    org_id: UUID | None = None
    given: Raw = Raw(b"null")


class Left(Struct, frozen=True, kw_only=True):
    """The record that a process left when it ended: the reason, its current work, and the events in progress."""

    reason: str
    hung: bool
    event_id: UUID | None
    doing: Doing | None
    in_hand: list[UUID]

    @property
    def nothing(self) -> bool:
        """Return whether the process had nothing in progress."""
        return self.event_id is None and self.doing is None and not self.in_hand


class Slot:
    """The memory shared by a process and its parent. Without a `path`, it is the process's own."""

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            self._map = mmap.mmap(-1, _SIZE)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.ftruncate(number, _SIZE)
                self._map = mmap.mmap(number, _SIZE)
            finally:
                os.close(number)
        self._free = list(range(BATCHES_MAX))

    # --------------------------------------------------------------------------------------------- by the process

    def event(self, event_id: UUID) -> None:
        """Record the event that is being decided, until `clear`."""
        self._map[_EVENT] = event_id.bytes

    def clear(self) -> None:
        """Record that no event is being decided."""
        self._map[_EVENT] = _NOTHING

    def arrival(self, event_id: UUID, given: Any) -> None:
        """Record an event that is decided inline. It is not in the inbox, so this is its only trace if the process ends."""
        self._write(_DOING, _DOING_BYTES, _ENCODER.encode(Doing("event", event_id, None, Raw(_ENCODER.encode(given)))))
        self._map[_EVENT] = event_id.bytes

    @contextmanager
    def doing(self, kind: str, id: UUID, org_id: UUID | None) -> Generator[None]:
        """Record work that is done without waiting."""
        self._write(_DOING, _DOING_BYTES, _ENCODER.encode(Doing(kind, id, org_id)))
        try:
            yield
        finally:
            self._write(_DOING, _DOING_BYTES, b"")

    async def steps(self, kind: str, id: UUID, org_id: UUID, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and return its result. It is recorded only while it runs, not while it waits."""
        return await _Steps(self._map, _mark(kind, id, org_id), work)

    @contextmanager
    def batch(self, event_ids: Iterable[UUID]) -> Generator[None]:
        """Record the events of a batch as in progress, in addition to those of other batches."""
        if not self._free:
            yield
            return
        number = self._free.pop()
        at = _BATCHES + number * _BATCH_BYTES
        ids = b"".join([event_id.bytes for event_id in event_ids])[: 16 * _IN_BATCH]
        self._map[at + 4 : at + 4 + len(ids)] = ids
        _COUNT.pack_into(self._map, at, len(ids) // 16)
        try:
            yield
        finally:
            _COUNT.pack_into(self._map, at, 0)
            self._free.append(number)

    async def beat(self) -> None:
        """Count up forever, as a sign that this process's event loop runs."""
        beats = self.beats
        while True:
            beats += 1
            _NUMBER.pack_into(self._map, _BEATS, beats)
            await asyncio.sleep(BEAT_SECONDS)

    def is_ready(self) -> None:
        """Record that the process is ready."""
        self._map[_READY] = 1

    def left(self) -> Left | None:
        """Return the record that this process's predecessor left, or None if nothing was in progress."""
        event = self._map[_EVENT]
        doing = None
        with suppress(msgspec.DecodeError):
            doing = _DECODER.decode(self._read(_DOING, _DOING_BYTES))
        event_id = None if event == _NOTHING else UUID(bytes=event)
        if doing is not None and doing.kind == "event" and doing.id != event_id:
            doing = None
        step = self._map[_STEP]
        if doing is None and step != _NO_STEP:  # `doing` is more specific: it runs within a step
            doing = _doing(step)
        in_hand: list[UUID] = []
        for number in range(BATCHES_MAX):
            at = _BATCHES + number * _BATCH_BYTES
            (count,) = _COUNT.unpack_from(self._map, at)
            in_hand += [UUID(bytes=self._map[at + 4 + 16 * i : at + 20 + 16 * i]) for i in range(min(count, _IN_BATCH))]
        reason = self._read(_REASON, _REASON_BYTES).decode(errors="replace") or "the server was killed"
        left = Left(reason=reason, hung=self._map[_HUNG] == 1, event_id=event_id, doing=doing, in_hand=in_hand)
        return None if left.nothing else left

    def forget(self) -> None:
        """Delete the predecessor's record: nothing is in progress."""
        self.clear()
        self._map[_STEP] = _NO_STEP
        self._map[_HUNG] = 0
        self._write(_REASON, _REASON_BYTES, b"")
        self._write(_DOING, _DOING_BYTES, b"")
        for number in range(BATCHES_MAX):
            _COUNT.pack_into(self._map, _BATCHES + number * _BATCH_BYTES, 0)

    # ---------------------------------------------------------------------------------------------- by the parent

    @property
    def beats(self) -> int:
        """Return the process's count of heartbeats."""
        return _NUMBER.unpack_from(self._map, _BEATS)[0]

    @property
    def ready(self) -> bool:
        """Return whether the process is ready."""
        return self._map[_READY] == 1

    def begin(self) -> None:
        """Reset the heartbeats and readiness for a new process. Keep the record that its predecessor left."""
        _NUMBER.pack_into(self._map, _BEATS, 0)
        self._map[_READY] = 0

    def ended(self, reason: str, *, hung: bool) -> None:
        """Record why the process has ended or is being killed. Only the first reason is kept."""
        if not self._read(_REASON, _REASON_BYTES):
            self._write(_REASON, _REASON_BYTES, reason.encode())
            self._map[_HUNG] = hung

    def _write(self, at: int, size: int, content: bytes) -> None:
        if len(content) > size - 4:
            content = b""
        _COUNT.pack_into(self._map, at, 0)
        self._map[at + 4 : at + 4 + len(content)] = content
        _COUNT.pack_into(self._map, at, len(content))

    def _read(self, at: int, size: int) -> bytes:
        (length,) = _COUNT.unpack_from(self._map, at)
        return self._map[at + 4 : at + 4 + min(length, size - 4)]


def _mark(kind: str, id: UUID, org_id: UUID) -> bytes:
    name = kind.encode()
    assert len(name) <= _KIND_BYTES
    return name.ljust(_KIND_BYTES, b"\0") + id.bytes + org_id.bytes


def _doing(mark: bytes) -> Doing:
    name, of = mark[:_KIND_BYTES], mark[_KIND_BYTES:]
    return Doing(name.rstrip(b"\0").decode(errors="replace"), UUID(bytes=of[:16]), UUID(bytes=of[16:]))


class _Steps:
    """A coroutine whose steps are recorded. A step runs from one wait to the next."""

    def __init__(self, shared: mmap.mmap, mark: bytes, work: Coroutine[Any, Any, Any]) -> None:
        self._shared = shared
        self._mark = mark
        self._work = work

    def __await__(self) -> Generator[Any, Any, Any]:
        shared, mark = self._shared, self._mark
        step: Callable[[Any], Any] = self._work.send
        given: Any = None
        while True:
            shared[_STEP] = mark
            try:
                waits_for = step(given)
            except StopIteration as ended:
                return ended.value
            finally:
                shared[_STEP] = _NO_STEP
            try:
                given, step = (yield waits_for), self._work.send
            except GeneratorExit:
                self._work.close()
                raise
            except BaseException as problem:  # such as a cancellation
                given, step = problem, self._work.throw


_ENCODER = msgspec.json.Encoder(enc_hook=str)  # for ids of the driver's own type
_DECODER = msgspec.json.Decoder(Doing)


class Suspect(Struct, frozen=True, kw_only=True):
    """An event or document that may have stopped a process. `reason` says why the process ended."""

    suspect_id: UUID
    kind: str
    org_id: UUID | None
    member_id: UUID | None
    tries: int
    reason: str
    noted_at: datetime

    @property
    def is_stopped(self) -> bool:
        """Return whether the suspect is not tried again."""
        return self.tries >= TRIES_MAX


STOPPED_ORG = 3  # stopped events (or chores) that make the whole organisation suspect


class Known:
    """The suspects that this process knows: the table `suspects` as of a moment ago."""

    def __init__(self) -> None:
        self.all: dict[UUID, Suspect] = {}
        self.members: dict[UUID, Suspect] = {}  # members whose timers are stopped
        self.orgs: dict[UUID, Suspect] = {}  # organisations with several stopped events
        self._chores: set[UUID] = set()  # chores that are skipped
        self._chores_of: set[UUID] = set()  # organisations whose chores are all skipped

    def learn(self, suspects: Iterable[Suspect], since: datetime) -> None:
        """Replace the suspects by those of the table. For organisations and chores, only those after `since` count."""
        self.all = {suspect.suspect_id: suspect for suspect in suspects}
        stopped = [suspect for suspect in self.all.values() if suspect.is_stopped]
        self.members = {
            suspect.member_id: suspect
            for suspect in stopped
            if suspect.member_id is not None and suspect.kind == "tick"
        }
        recent = [suspect for suspect in stopped if suspect.noted_at >= since]
        self.orgs = _orgs_with_several(suspect for suspect in recent if suspect.kind in ("event", "tick"))
        chores = [suspect for suspect in recent if suspect.kind not in NOT_CHORES]
        self._chores = {chore.suspect_id for chore in chores}
        self._chores_of = set(_orgs_with_several(chores))

    def stopped(self, suspect_id: UUID) -> Suspect | None:
        """Return the suspect if it is not to be tried again, or None."""
        suspect = self.all.get(suspect_id)
        return suspect if suspect is not None and suspect.is_stopped else None

    def leaves_out(self, chore_id: UUID, org_id: UUID) -> bool:
        """Return whether a chore's work is skipped for now."""
        return chore_id in self._chores or org_id in self._chores_of


def _orgs_with_several(suspects: Iterable[Suspect]) -> dict[UUID, Suspect]:
    """Return the organisations with several suspects, each with the suspect that must age before it is free again."""
    by_org: dict[UUID, list[Suspect]] = {}
    for suspect in suspects:
        if suspect.org_id is not None:
            by_org.setdefault(suspect.org_id, []).append(suspect)
    return {org_id: value[-STOPPED_ORG] for org_id, value in by_org.items() if len(value) >= STOPPED_ORG}


def _own_slot() -> Slot:
    path = os.environ.pop(SLOT, None)  # processes that this one starts must not share it
    return Slot(None if path is None else Path(path))


in_hand = _own_slot()
known = Known()
