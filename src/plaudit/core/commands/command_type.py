"""The description of a command. Each module of this folder has one, in its constant `COMMAND` of type `CommandType`.

    an event of its kind ──decode──► an order ──apply──► the member, facts, a trace; or a refusal, and nothing else

The code that decides, loads and explains uses these descriptions and does not name any command. A command is applied or
refused as a whole: its refusal becomes the decision's.
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

CommandResult = Transaction | RefusalCode | None  # None: success without a transaction


class Strangers(Enum):
    """What happens to a command whose user is not a member, or was erased."""

    join = auto()  # it enrols the user
    join_if_allowed = auto()  # it enrols the user, unless the organisation's settings forbid it for actions
    join_by_api = auto()  # it enrols the user if it came via the API; otherwise it is refused: the member was erased
    join_unless_engine = auto()  # it enrols the user unless the engine created it
    join_themselves = auto()  # it enrols the user, and emits `user.enrolled` itself if at all
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
    """Decode an event's data as an order."""
    return msgspec.convert(data, order, strict=False, str_keys=True)


def _no_follow_ups(_: Context) -> Sequence[FollowUp]:
    return ()


def _never(_: Event) -> bool:
    return False


class CommandType(Struct, frozen=True, kw_only=True):
    """The description of one kind of command.

    `decode` turns the event's data into an `order`, and `apply` carries it out or returns the refusal.
    `needs` are the parts of a member that it reads or changes, out of those that a batch loads only on demand (see
    `EffectType.needs`); None: all of them. `needs_history`: it needs the member's log.
    `strangers` says what happens if its user is not a member. `if_merged` is its refusal if the member was merged into
    another; None: it is passed on to that member. `reopens` returns whether neither applies, because the event undoes
    the merge.
    `is_own`: members do this themselves, so it counts as activity.
    `is_silent`: it imports the past or removes a member, so it triggers nothing and notifies no one.
    `triggers_nothing`: webhooks receive its messages, but campaigns do not listen.
    `after_refusal` returns the follow-ups of a refused command.
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
        """Carry out the command of the current event. Return the refusal, or None."""
        return self.apply(context, self.decode(context.event.data, self.order))


def trace_command(context: Context, result: CommandResult, cause: Cause = MANUAL) -> RefusalCode | None:
    """Append a command's result to the trace. Return its refusal, or None."""
    refusal = result if isinstance(result, str) else None
    outcome = result.amount if isinstance(result, Transaction) else None
    context.trace.append(Trace(cause.logged, 0, 0, None, [], [EffectTrace(0, refusal, outcome)]))
    return refusal


def on_metric(run: Callable[[Context, Any, Metric], CommandResult]) -> Callable[[Context, Any], RefusalCode | None]:
    """Return the `apply` of a command on the metric that its order names. It traces the result of `run`."""

    def apply(context: Context, order: Any) -> RefusalCode | None:
        metric = context.program.metrics.get(order.metric)
        return trace_command(context, Refusal.metric_not_found if metric is None else run(context, order, metric))

    return apply
