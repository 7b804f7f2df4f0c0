"""All commands. A new command is a module and its line in this list; a mechanic's command is in the mechanic's folder."""

from collections.abc import Iterable
from typing import Protocol

from . import (
    backfill,
    campaign_enrolment,
    enrolment,
    extension,
    grant,
    hold,
    import_member,
    merge,
    profile,
    receipt,
    redemption,
    referral,
    reversal,
    rollback,
    takeover,
    transaction,
    transfer,
)
from .command_type import CommandType


class CommandModule(Protocol):
    """A module that describes a command."""

    COMMAND: CommandType


class CommandRegistry(dict[str, CommandType]):
    """Commands by the kinds of their events. `effects` maps causes' kinds to the effects that explanations show."""

    def __init__(self, modules: Iterable[CommandModule]) -> None:
        super().__init__()
        self.effects: dict[str, str] = {}
        for module in modules:
            self.register(module)

    def register(self, module: CommandModule) -> None:
        """Add a module's command, for loading, deciding and explaining."""
        self.add(module.COMMAND)

    def unregister(self, module: CommandModule) -> None:
        """Remove a module's command."""
        self.remove(module.COMMAND)

    def add(self, command: CommandType) -> None:
        """Add a command, which may be a mechanic's."""
        self[command.kind] = command
        if command.cause is not None and command.effect is not None:
            self.effects[command.cause.kind] = command.effect

    def remove(self, command: CommandType) -> None:
        """Remove a command."""
        del self[command.kind]
        if command.cause is not None:
            self.effects.pop(command.cause.kind, None)


COMMANDS = CommandRegistry(
    (
        transaction,
        transfer,
        receipt,
        hold,
        reversal,
        extension,
        grant,
        redemption,
        profile,
        enrolment,
        referral,
        campaign_enrolment,
        import_member,
        backfill,
        merge,
        takeover,
        rollback,
    )
)


def needs_history(kind: str) -> bool:
    """Return whether events of a kind are commands for which the log of the member is read."""
    command = COMMANDS.get(kind)
    return command is not None and command.needs_history
