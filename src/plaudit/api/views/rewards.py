"""What the operations on rewards return."""

from typing import TYPE_CHECKING

from .base import View
from .documents import TYPES

if TYPE_CHECKING:
    Reward = View
else:
    Reward = TYPES["reward"].view


class RewardCreated(View):
    """A reward that has been created."""

    message: str
    reward: Reward
