"""A member of a programme, with everything that deciding may look at. Amounts are scaled integers (see `metrics`)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, field


class Balance(Struct, frozen=True, gc=False):
    """What a member has of one metric: `amount` now, `earned` in all credits ever (scaled integers)."""

    amount: int
    earned: int = 0


class Progress(Struct, frozen=True):
    """How often a member has completed a campaign, when last, and how often in each recent period (key to count)."""

    completions: int
    last_at: datetime
    periods: dict[str, int] = field(default_factory=dict[str, int])


class Holding(Struct, frozen=True, gc=False):
    """How many of a product a member has, since when, and when the last one came."""

    quantity: int
    first_at: datetime
    last_at: datetime


class Member(Struct, kw_only=True):
    """A member as loaded; `decide` works on a copy and never touches the one that it was given.

    The dictionaries are copied, their values are immutable and replaced: what has changed is what is no longer the
    same object, so the commit needs no marks. `enrolled_at` is None for somebody who has not joined yet.
    `coupons` counts the coupons had by what they came from (`reward_id` or `product_id`).
    """

    member_id: UUID
    user_id: str
    enrolled_at: datetime | None = None
    present: datetime | None = None
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])
    balances: dict[str, Balance] = field(default_factory=dict[str, Balance])
    progress: dict[str, Progress] = field(default_factory=dict[str, Progress])
    holdings: dict[str, Holding] = field(default_factory=dict[str, Holding])
    coupons: dict[str, int] = field(default_factory=dict[str, int])
    entries: dict[str, int] = field(default_factory=dict[str, int])

    def working_copy(self) -> "Member":
        """A member that may be changed in place without touching this one."""
        return Member(
            member_id=self.member_id,
            user_id=self.user_id,
            enrolled_at=self.enrolled_at,
            present=self.present,
            attributes=self.attributes,  # replaced as a whole when it changes
            balances=self.balances.copy(),
            progress=self.progress.copy(),
            holdings=self.holdings.copy(),
            coupons=self.coupons.copy(),
            entries=self.entries.copy(),
        )
