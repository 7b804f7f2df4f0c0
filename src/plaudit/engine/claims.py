"""Claims on resources that are scarce across members: codes of a pool, stock, limits of a campaign. None is oversold.

`decide` assumes that every claim succeeds and lists its claims. This module locks and counts the rows. Claims that fail
are passed back as `refused`, and the event is decided again. Only the claims of the final decision are taken, in the
same transaction as its other results.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from plaudit.core.decision import Claim, ClaimKind
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

ScarceResource = tuple[UUID, ClaimKind, str]


class ClaimRequest(Struct, frozen=True):
    """A claim with the organisation and the member of the event that makes it."""

    org_id: UUID
    bucket: int
    member_id: UUID
    claim: Claim

    @property
    def resource(self) -> ScarceResource:
        return (self.org_id, self.claim.kind, self.claim.key)


class BatchClaims:
    """The claims of one batch, within its transaction."""

    def __init__(self, connection: Connection, at: datetime) -> None:
        self._connection = connection
        self._at = at
        self._used_counts: dict[ScarceResource, int] = {}  # how much of each cap and stock is used
        self._codes: dict[ScarceResource, list[str]] = defaultdict(list)  # locked codes, in order of issue
        self._codes_used: dict[ScarceResource, int] = defaultdict(int)  # how many of the locked codes are granted
        self._granted: dict[UUID, str] = {}  # the code of each claim ("" for caps and stocks)
        self._refused: set[UUID] = set()

    async def lock_and_refuse(self, requests: Iterable[ClaimRequest]) -> frozenset[UUID]:
        """Lock the claimed resources, and grant or refuse the claims. Return all claims refused so far in this batch."""
        new: dict[ScarceResource, list[ClaimRequest]] = defaultdict(list)
        for request in requests:
            if request.claim.claim_id not in self._granted and request.claim.claim_id not in self._refused:
                new[request.resource].append(request)
        await self._lock_counts([resource for resource in new if resource[1] in (ClaimKind.cap, ClaimKind.stock)])
        for resource in sorted(new, key=_lock_order):
            if resource[1] is ClaimKind.code:
                await self._lock_codes(resource, len(new[resource]))
            elif resource[1] is ClaimKind.unused:
                await self._lock_unused(resource)
            for request in new[resource]:
                self._grant_or_refuse(resource, request.claim)
        return frozenset(self._refused)

    def code(self, claim_id: UUID) -> str:
        """Return the code granted to a claim."""
        return self._granted[claim_id]

    async def take(self, requests: Iterable[ClaimRequest]) -> None:
        """Store the claims that the final decisions still make. Claims of other decisions are not stored."""
        counts: dict[ScarceResource, int] = defaultdict(int)
        codes: list[tuple[UUID, str, str, int, UUID, UUID]] = []
        for request in requests:
            claim = request.claim
            if claim.claim_id not in self._granted:
                continue
            if claim.kind is ClaimKind.unused:
                continue  # withdrawn with the coupon (see `commit`)
            if claim.kind is ClaimKind.code:
                code = self._granted[claim.claim_id]
                codes.append((request.org_id, claim.key, code, request.bucket, request.member_id, claim.claim_id))
            else:
                counts[request.resource] += claim.quantity
        if counts:
            quantities = [(org, kind.value, key, count) for (org, kind, key), count in counts.items()]
            await self._connection.execute(_SQL.add_claimed, *_columns(quantities))
        if codes:
            await self._connection.execute(_SQL.allocate_codes, self._at, *_columns(codes))

    async def _lock_counts(self, resources: list[ScarceResource]) -> None:
        unknown = sorted((resource for resource in resources if resource not in self._used_counts), key=_lock_order)
        if not unknown:
            return
        columns = _columns([(org, kind.value, key) for org, kind, key in unknown])
        await self._connection.execute(_SQL.open_claimed, *columns)
        for row in await self._connection.fetch(_SQL.lock_claimed, *columns):
            resource = (row["org_id"], ClaimKind(row["kind"]), row["key"])
            self._used_counts[resource] = row["quantity"]  # the maximum is part of the claim

    async def _lock_codes(self, resource: ScarceResource, count: int) -> None:
        org_id, _, pool_id = resource
        locked = self._codes[resource]
        free = len(locked) - self._codes_used[resource]
        for query in (_SQL.free_codes, _SQL.last_codes):
            if free >= count:
                break
            rows = await self._connection.fetch(query, org_id, pool_id, locked, count - free)
            locked += [row["code"] for row in rows]
            free = len(locked) - self._codes_used[resource]

    async def _lock_unused(self, resource: ScarceResource) -> None:
        org_id, _, key = resource
        pool_id, _, code = key.partition("/")
        is_unused = await self._connection.fetchval(_SQL.lock_unused, org_id, pool_id, code)
        self._used_counts[resource] = 0 if is_unused else 1

    def _grant_or_refuse(self, resource: ScarceResource, claim: Claim) -> None:
        if claim.kind is ClaimKind.code:
            locked, used = self._codes[resource], self._codes_used[resource]
            if used < len(locked):
                self._codes_used[resource] = used + 1
                self._granted[claim.claim_id] = locked[used]
                return
        elif claim.kind is ClaimKind.unused:
            if not self._used_counts[resource]:
                self._granted[claim.claim_id] = ""
                return
        elif claim.maximum is not None and self._used_counts[resource] + claim.quantity <= claim.maximum:
            self._used_counts[resource] += claim.quantity
            self._granted[claim.claim_id] = ""
            return
        self._refused.add(claim.claim_id)


def _lock_order(resource: ScarceResource) -> tuple[str, str, str]:
    return (str(resource[0]), resource[1].value, resource[2])


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
