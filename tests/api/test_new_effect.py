"""An effect is one module: one that is registered at run time is known to everything that has to do with effects."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from plaudit.api.app import OPERATIONS
from plaudit.api.first_generation import calls
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decide_one import decide_one
from plaudit.core.decision import EffectTrace
from plaudit.core.effects.effect_type import (
    EffectSettings,
    EffectType,
    Id,
    NamedDocument,
    Preview,
    Quantity,
    SettingsError,
)
from plaudit.core.effects.registry import EFFECTS, EffectModule
from plaudit.documents.campaign import Campaign
from plaudit.documents.kinds import KINDS
from plaudit.engine.processed import outcome_from
from plaudit.errors import Invalid
from plaudit.history.explain import explained
from plaudit.storage.documents import validate
from tests.support.factories import campaign, event, member, program

DOCS = Path(__file__).parents[2] / "docs"


class Stamp(EffectSettings, frozen=True):
    product_id: Id
    stamps: Quantity = 1
    bonus: str | None = None


class CompiledStamp(EffectSettings, frozen=True):
    stamps: int


def apply(context: Context, place: EffectPlace, settings: CompiledStamp) -> EffectTrace:
    before = context.member.attributes.get("stamps", 0)
    context.write_profile({"stamps": before + settings.stamps})
    return EffectTrace(place.index, None, {"stamps": settings.stamps})


def check(settings: Stamp) -> Sequence[SettingsError]:
    return (SettingsError("stamps", "must not be 13"),) if settings.stamps == 13 else ()


@pytest.fixture(autouse=True)
def stamp():
    effect_type = EffectType(
        name="stamp",
        sentence="Stamp the member's card.",
        settings=Stamp,
        aliases=("add_stamps",),
        field_aliases={"count": "stamps"},
        references=(NamedDocument("product", "product_id"),),
        needs=("coupons",),
        formulas=("bonus",),
        check=check,
        compile=lambda settings, _: CompiledStamp(stamps=settings.stamps * 10),
        apply=apply,
        preview=lambda settings, _: (Preview("metric", "stamps", settings.stamps),),
    )
    module = cast("EffectModule", SimpleNamespace(EFFECT=effect_type))
    EFFECTS.register(module)
    yield
    EFFECTS.unregister(module)


def effect(**config):
    return {"type": "stamp", "config": {"productId": "card"} | config}


def test_the_api_lists_it():
    operation = next(operation for operation in OPERATIONS if operation.path == "/v1/effects")
    listed = cast("Callable[[None], Coroutine[Any, Any, Any]]", operation.run)  # it makes no use of the call
    rows = msgspec.to_builtins(asyncio.run(listed(None)))["effects"]
    row = next(row for row in rows if row["type"] == "stamp")
    assert (row["aliases"], row["description"]) == (["add_stamps"], "Stamp the member's card.")
    assert row["schema"]["title"] == "Stamp"
    assert row["schema"]["required"] == ["productId"]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"stamps": 0}, "stamps"), ({"stamps": 13}, "stamps"), ({"bonus": "1 +"}, "bonus"), ({"colour": "red"}, "colour"),
        ({"productId": ""}, "productId"),
    ],
)  # fmt: skip
def test_its_settings_are_checked(config, field):
    raw = {"name": "A", "triggers": [{"type": "visit"}], "effects": [effect(**config)]}
    with pytest.raises(Invalid) as problem:
        validate(KINDS["campaign"], raw)
    assert [error.field for error in problem.value.fields] == [f"effects[0].config.{field}"]


def test_its_other_spellings_are_read():
    raw = {"name": "A", "triggers": [{"type": "visit"}]}
    raw["effects"] = [{"type": "add_stamps", "params": {"productId": "card", "count": 2}}]
    saved = cast("Campaign", validate(KINDS["campaign"], raw))
    assert (saved.effects[0].type, saved.effects[0].config) == ("stamp", {"productId": "card", "stamps": 2})


def test_it_is_compiled_and_loaded_for_and_applied():
    compiled = program(campaign(effects=[effect(stamps=3)]))
    assert "coupons" in compiled.needs
    assert "coupons" not in program(campaign()).needs
    decision = decide_one(compiled, member(), event())
    assert decision.member.attributes == {"stamps": 30}
    assert decision.trace[0].effects == [EffectTrace(0, None, {"stamps": 30})]


def test_the_reference_has_it(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    text = import_module("generate").pages()["effects.md"]
    assert "## stamp\n\nStamp the member's card. Also written `add_stamps`." in text
    assert "| `productId` | string | *required* |" in text.partition("## stamp")[2]


def test_a_server_saves_decides_explains_and_previews_it(staged, fresh_database):
    async def play():
        async with staged(fresh_database) as stage:
            with pytest.raises(Invalid) as problem:
                await stage.pay(effects=[effect()])
            assert [error.field for error in problem.value.fields] == ["effects[0].config.productId"]
            await stage.write("product", "card", sku="card", type="badge")
            await stage.pay(effects=[effect(stamps=2)])
            await stage.append(stage.arrival())
            await stage.drain()
            (row,) = await stage.fetch("SELECT attributes FROM members WHERE org_id = $1", stage.org_id)
            assert json.loads(row["attributes"])["stamps"] == 20
            (row,) = await stage.fetch("SELECT trigger, outcome FROM events WHERE org_id = $1", stage.org_id)
            programme = await stage.programmes.current(stage.org_id)
            (explanation,) = explained(programme, row["trigger"], outcome_from(row["outcome"]))
            assert explanation["effects"] == [
                {"type": "stamp", "done": True, "reason": None, "outcome": {"stamps": 20}}
            ]
            challenge = msgspec.to_builtins(calls._challenge(programme, "camp_1", programme.campaigns["camp_1"], []))
            assert challenge["rewards"] == [{"type": "metric", "metricId": "stamps", "metricQuantity": 2}]

    asyncio.run(play())
