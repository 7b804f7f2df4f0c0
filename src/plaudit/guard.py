"""Records what a process is working on where its parent can read it, so a hang or a crash has a known cause.

    worker ──beats, and the event that it decides──► a small file in memory ◄──looks── its parent
                                                              │
    silent for too long, or gone ──► its successor reads what was in hand, and notes it in the table `suspects`

While an event is decided, that costs one write of 16 bytes. What is noted as a suspect is decided alone; when that is
fatal again, or the process hung on exactly this, it is set aside (docs/decisions/0025).
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

SLOT = "PLAUDIT_SLOT"  # names the file that a child and its parent share
BEAT_SECONDS = 0.5
TRIES_MAX = 2
BATCHES_MAX = 16  # that a process has in hand at the same time

_BEATS = 0
_READY = 8
_HUNG = 9
_EVENT = slice(16, 32)
_KIND_BYTES = 16
_STEP = slice(32, 80)  # the kind and the id, then whose it is
_REASON, _REASON_BYTES = 80, 944
_DOING, _DOING_BYTES = 1024, (4 << 20) - 1024
_BATCHES, _BATCH_BYTES = 4 << 20, 16 << 10
_SIZE = _BATCHES + BATCHES_MAX * _BATCH_BYTES
_IN_BATCH = (_BATCH_BYTES - 4) // 16
_NOTHING = bytes(16)
_NO_STEP = bytes(48)
# The kinds of suspects that are no chores: a worker's chores, each for one document, have kinds of their own.
NOT_CHORES = ("event", "tick", "programme", "document", "message")
_COUNT = struct.Struct("<I")
_NUMBER = struct.Struct("<Q")


class Doing(Struct, frozen=True):
    """Something that a process does without waiting: `id` names it; `given` is an arrival that is not in the inbox."""

    kind: str  # as the table `suspects` has it
    id: UUID
    org_id: UUID | None = None
    given: Raw = Raw(b"null")


class Left(Struct, frozen=True, kw_only=True):
    """What a process left when it ended: the reason, its current work, and everything else that was in progress."""

    reason: str
    hung: bool
    event_id: UUID | None
    doing: Doing | None
    in_hand: list[UUID]

    @property
    def nothing(self) -> bool:
        """Return whether it had nothing in progress."""
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
        """Record an event that is not in the inbox: if the process ends, there is no other trace of it."""
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
        """Do some work, recorded while it runs, not while it waits and other tasks run."""
        return await _Steps(self._map, _mark(kind, id, org_id), work)

    @contextmanager
    def batch(self, event_ids: Iterable[UUID]) -> Generator[None]:
        """Record events in progress, among others."""
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
        """Show forever that the loop of this process runs."""
        beats = self.beats
        while True:
            beats += 1
            _NUMBER.pack_into(self._map, _BEATS, beats)
            await asyncio.sleep(BEAT_SECONDS)

    def is_ready(self) -> None:
        """Record that the process is ready."""
        self._map[_READY] = 1

    def left(self) -> Left | None:
        """Return what the predecessor of this process left; None when that was nothing."""
        event = self._map[_EVENT]
        doing = None
        with suppress(msgspec.DecodeError):
            doing = _DECODER.decode(self._read(_DOING, _DOING_BYTES))
        event_id = None if event == _NOTHING else UUID(bytes=event)
        if doing is not None and doing.kind == "event" and doing.id != event_id:
            doing = None
        step = self._map[_STEP]
        if doing is None and step != _NO_STEP:  # else it is done within the step
            doing = _doing(step)
        in_hand: list[UUID] = []
        for number in range(BATCHES_MAX):
            at = _BATCHES + number * _BATCH_BYTES
            (count,) = _COUNT.unpack_from(self._map, at)
            in_hand += [UUID(bytes=self._map[at + 4 + 16 * i : at + 20 + 16 * i]) for i in range(min(count, _IN_BATCH))]
        reason = self._read(_REASON, _REASON_BYTES).decode(errors="replace") or "the server was killed"
        found = Left(reason=reason, hung=self._map[_HUNG] == 1, event_id=event_id, doing=doing, in_hand=in_hand)
        return None if found.nothing else found

    def forget(self) -> None:
        """Start with nothing in progress."""
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
        """Return how often the process has shown that it runs."""
        return _NUMBER.unpack_from(self._map, _BEATS)[0]

    @property
    def ready(self) -> bool:
        """Return whether the process is ready."""
        return self._map[_READY] == 1

    def begin(self) -> None:
        """Start with nothing of the predecessor's except what it left."""
        _NUMBER.pack_into(self._map, _BEATS, 0)
        self._map[_READY] = 0

    def ended(self, reason: str, *, hung: bool) -> None:
        """Record why the process has ended, or is being ended; the first reason counts."""
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
    """A task's work, each step of which is recorded."""

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


_ENCODER = msgspec.json.Encoder(enc_hook=str)  # the driver's ids
_DECODER = msgspec.json.Decoder(Doing)


class Suspect(Struct, frozen=True, kw_only=True):
    """Something that may have stopped a process. `reason` says why it ended."""

    suspect_id: UUID
    kind: str
    org_id: UUID | None
    member_id: UUID | None
    tries: int
    reason: str
    noted_at: datetime

    @property
    def is_stopped(self) -> bool:
        """Return whether it is not tried again."""
        return self.tries >= TRIES_MAX


STOPPED_ORG = 3  # events, or chores, of one organisation


class Known:
    """The suspects that this process knows: the table `suspects` as of a moment ago."""

    def __init__(self) -> None:
        self.all: dict[UUID, Suspect] = {}
        self.members: dict[UUID, Suspect] = {}  # whose timers are stopped
        self.orgs: dict[UUID, Suspect] = {}  # of which several events are
        self._chores: set[UUID] = set()  # left out
        self._chores_of: set[UUID] = set()  # the organisations that have all of theirs left out

    def learn(self, found: Iterable[Suspect], since: datetime) -> None:
        """Replace the suspects by the table's. Organisations and chores count records since an instant."""
        self.all = {suspect.suspect_id: suspect for suspect in found}
        stopped = [suspect for suspect in self.all.values() if suspect.is_stopped]
        self.members = {
            suspect.member_id: suspect
            for suspect in stopped
            if suspect.member_id is not None and suspect.kind == "tick"
        }
        lately = [suspect for suspect in stopped if suspect.noted_at >= since]
        self.orgs = _of_which_several(suspect for suspect in lately if suspect.kind in ("event", "tick"))
        chores = [suspect for suspect in lately if suspect.kind not in NOT_CHORES]
        self._chores = {chore.suspect_id for chore in chores}
        self._chores_of = set(_of_which_several(chores))

    def stopped(self, suspect_id: UUID) -> Suspect | None:
        """Return the suspect if it is not to be tried again."""
        found = self.all.get(suspect_id)
        return found if found is not None and found.is_stopped else None

    def leaves_out(self, chore_id: UUID, org_id: UUID) -> bool:
        """Return whether a chore is not tried at present."""
        return chore_id in self._chores or org_id in self._chores_of


def _of_which_several(found: Iterable[Suspect]) -> dict[UUID, Suspect]:
    """Return the organisations with several, each with that one of its last few whose age ends it."""
    by_org: dict[UUID, list[Suspect]] = {}
    for suspect in found:
        if suspect.org_id is not None:
            by_org.setdefault(suspect.org_id, []).append(suspect)
    return {org_id: value[-STOPPED_ORG] for org_id, value in by_org.items() if len(value) >= STOPPED_ORG}


def _own_slot() -> Slot:
    path = os.environ.pop(SLOT, None)  # it is not that of the processes that this one starts
    return Slot(None if path is None else Path(path))


in_hand = _own_slot()
known = Known()
