"""Claims on what is scarce across members: codes of a pool, stock, limits of a campaign. Never oversold.

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
    """A claim, and the event that makes it."""

    org_id: UUID
    bucket: int
    member_id: UUID
    claim: Claim

    @property
    def resource(self) -> ScarceResource:
        return (self.org_id, self.claim.kind, self.claim.key)


class BatchClaims:
    """The claims of one batch, in one transaction."""

    def __init__(self, connection: Connection, at: datetime) -> None:
        self._connection = connection
        self._at = at
        self._gone: dict[ScarceResource, int] = {}  # of caps and stocks: how much has been taken
        self._codes: dict[ScarceResource, list[str]] = defaultdict(list)  # locked, in the order of issue
        self._had: dict[UUID, str] = {}  # claim to code ("" for caps and stocks)
        self._refused: set[UUID] = set()
        self._used: dict[ScarceResource, int] = defaultdict(int)

    async def lock_and_refuse(self, wanted: Iterable[ClaimRequest]) -> frozenset[UUID]:
        """Lock what is claimed. Return all claims refused so far in this batch."""
        new: dict[ScarceResource, list[ClaimRequest]] = defaultdict(list)
        for claim_request in wanted:
            if claim_request.claim.claim_id not in self._had and claim_request.claim.claim_id not in self._refused:
                new[claim_request.resource].append(claim_request)
        await self._lock_counts([resource for resource in new if resource[1] in (ClaimKind.cap, ClaimKind.stock)])
        for resource in sorted(new, key=_lock_order):
            if resource[1] is ClaimKind.code:
                await self._lock_codes(resource, len(new[resource]))
            elif resource[1] is ClaimKind.unused:
                await self._lock_unused(resource)
            for claim_request in new[resource]:
                self._give(resource, claim_request.claim)
        return frozenset(self._refused)

    def code(self, claim_id: UUID) -> str:
        """Return the code that a claim got."""
        return self._had[claim_id]

    async def take(self, wanted: Iterable[ClaimRequest]) -> None:
        """Take the claims that the final decisions still make; release the others."""
        counts: dict[ScarceResource, int] = defaultdict(int)
        codes: list[tuple[UUID, str, str, int, UUID, UUID]] = []
        for claim_request in wanted:
            claim = claim_request.claim
            if claim.claim_id not in self._had:
                continue
            if claim.kind is ClaimKind.unused:
                continue  # withdrawn with the coupon (see `commit`)
            if claim.kind is ClaimKind.code:
                code = self._had[claim.claim_id]
                codes.append(
                    (
                        claim_request.org_id,
                        claim.key,
                        code,
                        claim_request.bucket,
                        claim_request.member_id,
                        claim.claim_id,
                    )
                )
            else:
                counts[claim_request.resource] += claim.quantity
        if counts:
            taken = [(org, kind.value, key, count) for (org, kind, key), count in counts.items()]
            await self._connection.execute(_SQL.add_claimed, *_columns(taken))
        if codes:
            await self._connection.execute(_SQL.allocate_codes, self._at, *_columns(codes))

    async def _lock_counts(self, resources: list[ScarceResource]) -> None:
        unknown = sorted(
            (scarce_resource for scarce_resource in resources if scarce_resource not in self._gone), key=_lock_order
        )
        if not unknown:
            return
        columns = _columns([(org, kind.value, key) for org, kind, key in unknown])
        await self._connection.execute(_SQL.open_claimed, *columns)
        for row in await self._connection.fetch(_SQL.lock_claimed, *columns):
            resource = (row["org_id"], ClaimKind(row["kind"]), row["key"])
            self._gone[resource] = row["quantity"]  # how much there is comes with the claim

    async def _lock_codes(self, resource: ScarceResource, count: int) -> None:
        org_id, _, pool_id = resource
        locked = self._codes[resource]
        free = len(locked) - self._used[resource]
        for query in (_SQL.free_codes, _SQL.last_codes):
            if free >= count:
                break
            rows = await self._connection.fetch(query, org_id, pool_id, locked, count - free)
            locked += [row["code"] for row in rows]
            free = len(locked) - self._used[resource]

    async def _lock_unused(self, resource: ScarceResource) -> None:
        org_id, _, key = resource
        pool_id, _, code = key.partition("/")
        self._gone[resource] = 0 if await self._connection.fetchval(_SQL.lock_unused, org_id, pool_id, code) else 1

    def _give(self, resource: ScarceResource, claim: Claim) -> None:
        if claim.kind is ClaimKind.code:
            locked, used = self._codes[resource], self._used[resource]
            if used < len(locked):
                self._used[resource] = used + 1
                self._had[claim.claim_id] = locked[used]
                return
        elif claim.kind is ClaimKind.unused:
            if not self._gone[resource]:
                self._had[claim.claim_id] = ""
                return
        elif claim.maximum is not None and self._gone[resource] + claim.quantity <= claim.maximum:
            self._gone[resource] += claim.quantity
            self._had[claim.claim_id] = ""
            return
        self._refused.add(claim.claim_id)


def _lock_order(resource: ScarceResource) -> tuple[str, str, str]:
    return (str(resource[0]), resource[1].value, resource[2])


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
