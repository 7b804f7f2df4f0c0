"""One member's books of one metric: transactions, lots, pending points, debt, holds (guide: Points that live).

A lot is a list of layers, what was put in first first: which transaction put how much there. So it can be told what has
become of a credit: spent, expired, taken back, or still there.
"""

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
DEBT = 0
BEFORE = datetime(1970, 1, 1, tzinfo=UTC)


class Book:
    """`lots` by number, oldest first; `owed` is debt. A transaction notes which layers it moved (`moves`)."""

    def __init__(self, *, keeps_lots: bool) -> None:
        self.keeps_lots = keeps_lots
        self.transactions: list[Json] = []
        self.lots: dict[int, Json] = {}
        self.owed = 0
        self.holds: dict[str, Json] = {}
        self.next_lot = 1

    @property
    def balance(self) -> int:
        """A balance is the sum of its transactions, for ever."""
        return sum(transaction["amount"] for transaction in self.transactions)

    @property
    def lifetime(self) -> int:
        return max(sum(transaction["earned"] for transaction in self.transactions), 0)

    @property
    def pending(self) -> int:
        return sum(amount_in(lot) for lot in self.lots.values() if lot["pending_until"] is not None)

    @property
    def held(self) -> int:
        return sum(hold["amount"] for hold in self.holds.values())

    @property
    def available(self) -> int:
        return self.balance - self.pending - self.held

    def begin(self, at: datetime, why: str, earned: bool, **more: Any) -> Json:
        """A new transaction, in which layers are to be moved."""
        return {
            "number": len(self.transactions), "at": at, "why": why, "amount": 0, "earned": 0, "is_earned": earned,
            "moves": [], "debt": 0, "reverses": None, "counted_at": at, **more,
        }  # fmt: skip

    def write(self, transaction: Json) -> Json:
        transaction["amount"] = sum(move["amount"] for move in transaction["moves"]) + transaction["debt"]
        transaction["earned"] = transaction["amount"] if transaction["is_earned"] else 0
        self.lots = {number: lot for number, lot in self.lots.items() if amount_in(lot)}
        self.transactions.append(transaction)
        transaction["in_lots"] = self.shows_lots
        return transaction

    # What is there is moved a layer at a time.

    def put(self, transaction: Json, amount: int, expires: datetime | None, pending_until: datetime | None) -> None:
        """A credit: debt first, by what is available; the rest to the lot of the same expiry and release, or a new one."""
        if pending_until is None:
            paid = min(amount, self.owed)
            self.pay(transaction, paid)
            amount -= paid
        if not amount:
            return
        if not self.shows_lots and (expires is not None or pending_until is not None):
            self.net()
        same = [n for n, lot in self.lots.items() if (lot["expires"], lot["pending_until"]) == (expires, pending_until)]
        if same:
            number = same[0]
        else:
            number, self.next_lot = self.next_lot, self.next_lot + 1
            self.lots[number] = {"expires": expires, "pending_until": pending_until, "layers": []}
        self.keeps_lots = self.keeps_lots or pending_until is not None
        self.lots[number]["layers"].append([transaction["number"], amount])
        transaction["moves"].append(
            {"lot": number, "credit": transaction["number"], "amount": amount, "expires": expires}
        )

    def net(self) -> None:
        """Lots begin to matter: what is there until then is one amount, less what is owed, also of what is held."""
        holds, self.holds = self.holds, {}
        owed, self.owed = self.owed, 0
        self.owed = self.take(self.begin(BEFORE, "", earned=False), self.spending_order(), owed)
        self.lots = {number: lot for number, lot in self.lots.items() if amount_in(lot)}
        for name, hold in holds.items():
            self.hold(name, hold["amount"], hold["until"])

    def pay(self, transaction: Json, amount: int) -> None:
        """Pay debt off, or owe more when it is negative."""
        self.owed -= amount
        transaction["debt"] += amount

    def take(self, transaction: Json, numbers: list[int], amount: int, credit: int | None = None) -> int:
        """Take from lots, in this order, what is not held; of a lot what was put in first, or a `credit`'s own first.

        Return what they lack.
        """
        for number in numbers:
            lot = self.lots[number]
            free = min(amount, amount_in(lot) - self.held_in(number))
            amount -= max(free, 0)
            for layer in sorted(lot["layers"], key=lambda layer: layer[0] != credit):
                taken = min(free, layer[1])
                if taken > 0:
                    layer[1] -= taken
                    free -= taken
                    transaction["moves"].append(
                        {"lot": number, "credit": layer[0], "amount": -taken, "expires": lot["expires"]}
                    )
            lot["layers"] = [layer for layer in lot["layers"] if layer[1]]
        return amount

    def held_in(self, number: int) -> int:
        return sum(hold["parts"].get(number, 0) for hold in self.holds.values())

    def spending_order(self, *, pending_too: bool = False) -> list[int]:
        """What expires soonest is spent first, of equals the oldest; what is pending only if it must be, and last."""

        def key(number: int) -> tuple[bool, bool, float, int]:
            lot = self.lots[number]
            expires = 0.0 if lot["expires"] is None else lot["expires"].timestamp()
            return (lot["pending_until"] is not None, lot["expires"] is None, expires, number)

        return sorted((n for n in self.lots if pending_too or self.lots[n]["pending_until"] is None), key=key)

    def spend(self, transaction: Json, amount: int, *, pending_too: bool = False) -> None:
        """What all lots lack is owed."""
        self.pay(transaction, -self.take(transaction, self.spending_order(pending_too=pending_too), amount))

    # Holds: they keep what they hold in the lots that would be spent first.

    def hold(self, name: str, amount: int, until: datetime) -> None:
        self.holds.pop(name, None)
        parts: dict[int, int] = {}
        left = amount
        for number in self.spending_order():
            parts[number] = min(left, amount_in(self.lots[number]) - self.held_in(number))
            left -= parts[number]
        self.holds[name] = {"amount": amount, "until": until, "parts": parts}

    def capture(self, transaction: Json, name: str, amount: int) -> None:
        """What was held is spent first, from the lots that it held; the rest of the hold is released."""
        hold = self.holds.pop(name)
        left = amount
        for number, held in hold["parts"].items():
            wanted = min(left, held)
            left -= wanted - self.take(transaction, [number], wanted)
        self.spend(transaction, left)

    # Time passes.

    def expire(self, at: datetime, why: str) -> Json | None:
        """What has had its time goes, except what is held."""
        transaction = self.begin(at, why, earned=False, reason="expired")
        for number, lot in self.lots.items():
            if lot["expires"] is not None and lot["expires"] <= at:
                self.take(transaction, [number], amount_in(lot))
        return self.write(transaction) if transaction["moves"] else None

    def release(self, at: datetime) -> int:
        """What was pending is available. Return how much."""
        due = [lot for lot in self.lots.values() if lot["pending_until"] is not None and lot["pending_until"] <= at]
        for lot in due:
            lot["pending_until"] = None
        return sum(map(amount_in, due))

    def pay_off(self, at: datetime, why: str) -> None:
        """What has become available, by a release or the end of a hold, pays off debt first: a transaction of 0."""
        transaction = self.begin(at, why, earned=False, reason="released")
        owed = self.owed
        self.pay(transaction, owed - self.take(transaction, self.spending_order(), owed))
        if transaction["moves"] and self.shows_lots:
            self.write(transaction)

    @property
    def shows_lots(self) -> bool:
        """Whether it matters what was earned when: for good, once anything had an expiry or was pending."""
        return self.keeps_lots or any(
            move["expires"] is not None for transaction in self.transactions for move in transaction["moves"]
        )

    def due(self) -> list[datetime]:
        """When something falls due by itself."""
        found = [hold["until"] for hold in self.holds.values()]
        for number, lot in self.lots.items():
            if lot["pending_until"] is not None:
                found.append(lot["pending_until"])
            if lot["expires"] is not None and amount_in(lot) > self.held_in(number):
                found.append(lot["expires"])
        return found

    # What became of a transaction.

    def reversed_of(self, number: int) -> int:
        """How much of a transaction has been taken back so far."""
        return sum(
            transaction["counts_as_reversed"] for transaction in self.transactions if transaction["reverses"] == number
        )

    def expired_of(self, number: int) -> int:
        """How much of a credit has expired."""
        expiries = [transaction for transaction in self.transactions if transaction.get("reason") == "expired"]
        return -sum(move["amount"] for expiry in expiries for move in expiry["moves"] if move["credit"] == number)


def amount_in(lot: Json) -> int:
    return sum(layer[1] for layer in lot["layers"])
