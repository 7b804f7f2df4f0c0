"""All commands. To add a command, add a module to this folder and to this list. Mechanics register their own commands."""

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
    """Commands by the kind of their events. `effects` maps a cause's kind to the effect that explanations show for it."""

    def __init__(self, modules: Iterable[CommandModule]) -> None:
        super().__init__()
        self.effects: dict[str, str] = {}
        for module in modules:
            self.register(module)

    def register(self, module: CommandModule) -> None:
        """Add a module's command."""
        self.add(module.COMMAND)

    def unregister(self, module: CommandModule) -> None:
        """Remove a module's command."""
        self.remove(module.COMMAND)

    def add(self, command: CommandType) -> None:
        """Add a command to everything that loads, decides or explains commands."""
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
    """Return whether events of a kind are commands that need the member's log."""
    command = COMMANDS.get(kind)
    return command is not None and command.needs_history
