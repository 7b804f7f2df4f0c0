"""The form of a command: each module describes one, as a value `COMMAND` of `CommandType`.

    an event of its kind ──decode──► an order ──apply──► the member, facts, a trace; or a refusal, and nothing else

Deciding, loading and explaining read these rows, and name no command. A command that is refused is refused as a whole: its
refusal is the decision's, and nothing follows from it.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import Any

import msgspec
from msgspec import Struct

from plaudit.core.cause import MANUAL, Cause
from plaudit.core.context import Context
from plaudit.core.decision import EffectTrace, FollowUp, Refusal, RefusalCode, Trace, Transaction
from plaudit.core.event import Event
from plaudit.core.metrics import Metric

CommandResult = Transaction | RefusalCode | None  # what a command came to: None when it writes no transaction


class Strangers(Enum):
    """What happens to a command whose user is not a member, or has been erased."""

    join = auto()  # it enrols them
    join_if_allowed = auto()  # it enrols them, unless the organisation has settled that actions do not
    join_by_api = auto()  # only a call does: what the engine makes is refused, as the member has been erased meanwhile
    join_unless_engine = auto()  # the same, but for what the engine itself makes only
    join_themselves = auto()  # it is about joining, and says itself that they have
    are_refused = auto()

    def may_join(self, event: Event, *, auto_enrol: bool) -> bool:
        """Return whether an event enrols its user."""
        match self:
            case Strangers.join_if_allowed:
                return auto_enrol
            case Strangers.join_by_api:
                return event.source == "api"
            case Strangers.join_unless_engine:
                return event.source != "engine"
            case Strangers.are_refused:
                return False
            case _:
                return True


class EmptyOrder(Struct, frozen=True):
    """The order of a command without data."""


def decode_order(data: Mapping[str, Any], order: type[Any]) -> Any:
    """Return an event's data as an order."""
    return msgspec.convert(data, order, strict=False, str_keys=True)


def _no_follow_ups(_: Context) -> Sequence[FollowUp]:
    return ()


def _never(_: Event) -> bool:
    return False


class CommandType(Struct, frozen=True, kw_only=True):
    """Everything about one kind of command.

    `order` is what the event's data is decoded as (by `decode`), `apply` carries it out or says why not.
    `needs` are the parts of a member that it looks at or changes, of those that a batch loads only if they are needed (see
    `EffectType.needs`); None: all of them. `needs_history`: the log of the member is read for it.
    `strangers`: what becomes of it if its user is no member. `if_merged` is why it is refused when the member has been merged
    into another; None: it is passed on to that one. `reopens` says of which event that does not hold.
    `is_own`: members do it themselves, so it says when they were active.
    `is_silent`: it brings in the past or takes a member out, so nothing follows from it and nobody is told.
    `triggers_nothing`: other systems are told, but no campaign listens.
    `after_refusal` returns what follows even if it is refused.
    `effect` is the type of effect that explanations show for its `cause`.
    """

    kind: str
    order: type[Any]
    apply: Callable[[Context, Any], RefusalCode | None]
    decode: Callable[[Mapping[str, Any], type[Any]], Any] = decode_order
    needs: tuple[str, ...] | None = None
    needs_history: bool = False
    strangers: Strangers = Strangers.join
    if_merged: RefusalCode | None = None
    reopens: Callable[[Event], bool] = _never
    is_own: bool = False
    is_silent: bool = False
    triggers_nothing: bool = False
    after_refusal: Callable[[Context], Sequence[FollowUp]] = _no_follow_ups
    cause: Cause | None = None
    effect: str | None = None

    def run(self, context: Context) -> RefusalCode | None:
        """Run the command of the present event. Return the refusal, or None."""
        return self.apply(context, self.decode(context.event.data, self.order))


def trace_command(context: Context, done: CommandResult, cause: Cause = MANUAL) -> RefusalCode | None:
    """Trace a command's result. Return its refusal, or None."""
    refusal = done if isinstance(done, str) else None
    outcome = done.amount if isinstance(done, Transaction) else None
    context.trace.append(Trace(cause.logged, 0, 0, None, [], [EffectTrace(0, refusal, outcome)]))
    return refusal


def on_metric(run: Callable[[Context, Any, Metric], CommandResult]) -> Callable[[Context, Any], RefusalCode | None]:
    """Return the `apply` of a command on one metric, which its order names: what `run` comes to is traced."""

    def apply(context: Context, order: Any) -> RefusalCode | None:
        metric = context.program.metrics.get(order.metric)
        return trace_command(context, Refusal.metric_not_found if metric is None else run(context, order, metric))

    return apply
