"""Every row of every table is named by a test: a refusal, an effect, a trigger, an operator, a command, a reward, a field.

Only what a test writes down counts: a literal, a word of a formula, or an attribute such as `Refusal.pool_empty`. Tests that
take all rows from the tables name none, and contracts, the model and past versions' databases do not count.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from plaudit.core import event
from plaudit.core.commands.registry import COMMANDS
from plaudit.core.effects.registry import EFFECTS
from plaudit.core.operators import OPERATORS
from plaudit.core.profile_fields import PROFILE_FIELDS
from plaudit.core.refusals import all_refusals
from plaudit.core.triggers import ENGINE_TRIGGERS
from plaudit.documents.reward_types import REWARD_TYPES

TESTS = Path(__file__).parents[1]
NOT_COUNTED = {"contracts", "model", "upgrades", "mutants", "support"}
TABLES = {
    "refusals": all_refusals(),
    "effects": [row.name for row in EFFECTS.types],
    "triggers": [*ENGINE_TRIGGERS],
    "operators": sorted({row.name for row in OPERATORS.values()}),
    "commands": [*COMMANDS],
    "reward types": [*REWARD_TYPES],
    "profile fields": [field.name for field in PROFILE_FIELDS],
}
CONSTANTS = {name: value for name, value in vars(event).items() if name.isupper()}


@cache
def named_by_tests() -> frozenset[str]:
    """What tests write down: literals and their dotted words, attributes, and the constants that commands are named by."""
    found: set[str] = set()
    for path in TESTS.rglob("*.py"):
        if NOT_COUNTED & {*path.relative_to(TESTS).parts}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Constant(value=str() as text):
                    found |= (
                        {text, *re.findall(r"[\w.]+", text), *re.findall(r"\w+", text)} if len(text) < 200 else {text}
                    )
                case ast.Attribute(attr=name) | ast.keyword(arg=str() as name):
                    found.add(name)
                case ast.Name(id=name) if name in CONSTANTS:
                    found.add(CONSTANTS[name])
    return frozenset(found)


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_named_by_a_test(table):
    assert [row for row in TABLES[table] if row not in named_by_tests()] == []


def test_what_no_test_names_is_found():
    assert not {"no" + "_such_row", "nothing" + ".happened"} & named_by_tests()
    assert {"pool_empty", "add_points", "streak.broken", "referral", "lifetimePoints"} <= named_by_tests()
