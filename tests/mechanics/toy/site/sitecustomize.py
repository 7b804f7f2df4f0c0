"""Registers the toy in every process of a server that is started with this folder on its path."""

from plaudit.mechanics.registry import MECHANICS
from tests.mechanics.toy.mechanic import MECHANIC

MECHANICS.register(MECHANIC)
