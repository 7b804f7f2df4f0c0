"""No state of the member is used on after an effect may have changed it."""

from pathlib import Path

import pytest

import plaudit
from tests.contracts.stale import stale_uses

CORE = Path(plaudit.__file__).parent / "core"
MECHANICS = [path.parent for path in (CORE.parent / "mechanics").glob("*/mechanic.py")]


def modules_in(*folders):
    return {
        path.stem: path.read_text(encoding="utf-8")
        for folder in folders
        for path in folder.glob("*.py")
        if path.stem != "__init__"
    }


MODULES = modules_in(CORE, CORE / "ledger", CORE / "commands", CORE / "effects")


def test_the_core_uses_no_state_that_an_effect_may_have_changed():
    assert list(stale_uses(MODULES)) == []


@pytest.mark.parametrize("folder", MECHANICS, ids=lambda folder: folder.name)
def test_a_mechanic_uses_no_state_that_an_effect_may_have_changed(folder):
    assert list(stale_uses(MODULES | modules_in(folder))) == []


# What each of these does with a book, a segment's state or a balance, and whether that is found.
PLANTED = {
    "balance = balance_of(context, metric); append_transaction(context, place, metric, 1, None, None, None); print(balance.amount)": True,
    "balance = balance_of(context, metric); amount = balance.amount; expire(context, metric); print(amount)": False,
    "book = context.member.balances['points'].book; expire(context, metric); replace_book(context, metric, book)": True,
    "for number in (1, 2): print(state.since); expire(context, metric)": True,
    "state = context.member.progress.get('c'); context.carry_out(effect, place); print(state)": True,
    "context.contain(release, metric, cause=''); print(state)": True,
    "context.contain(MECHANIC_RULES['m'].meet, listener, cause=''); print(state)": True,
    "context.apply_effect(effect, place); print(state)": True,
    "grant_reward.apply(context, place, effect); print(state)": True,
    "remove_product.apply(context, place, effect); print(state)": False,
    "expire(context, metric); state = context.member.progress['c']; print(state)": False,
    "state = structs.replace(state, since=None); expire(context, metric); print(state)": True,
    "balance, name = balance_of(context, metric), 'n'; expire(context, metric); print(name)": False,
    "replace_book(context, metric, book); print(state)": False,
    "state = states_in(member)['s']; expire(context, metric); print(state)": True,
    "state = states_in(member).get('s'); expire(context, metric); print(state)": True,
}


def test_the_planted_ones_are_found():
    planted = (
        "from .effects import grant_reward, remove_product\n"
        "from .ledger.post import append_transaction, balance_of, expire, replace_book\ndef release(context): expire(context, None)\n"
        "def states_in(member) -> Mapping[str, SegmentState]: pass\n"
    ) + "".join(
        f"def planted_{number}(context, metric, place, effect, state: SegmentState):\n    {does}\n"
        for number, does in enumerate(PLANTED)
    )
    found = {use.partition(":")[0] for use in stale_uses({**MODULES, "planted": planted}) if use.startswith("planted")}
    assert found == {f"planted.planted_{number}" for number, is_found in enumerate(PLANTED.values()) if is_found}


@pytest.mark.parametrize("early", ["after.done_at or context.now", "completes_campaign"])
def test_the_code_without_its_care_is_found(early):
    text = MODULES["campaigns"]
    wanted = {
        "after.done_at or context.now": ("number + 1, opened_at)", "number + 1, after.done_at or context.now)"),
        "completes_campaign": ("    if completes_campaign:", "    if _done_count(progress) >= campaign.required:"),
    }[early]
    assert text.count(wanted[0]) == 1
    found = list(stale_uses({**MODULES, "campaigns": text.replace(*wanted)}))
    assert [name.split(":")[0] for name in found] == ["campaigns._advance"]
