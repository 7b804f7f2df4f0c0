"""A criterion on a field that cannot exist is refused on saving, with the field's place and what there is."""

import pytest

from tests.support.http import saved, wrong

POINTS = {"type": "add_points", "config": {"amount": 1}}


@pytest.fixture(scope="module")
def club(server_process):
    """An organisation with a profile schema, and one of everything that a field can name. It stays as it is."""
    with server_process.client_of("Club", is_test=True) as client:
        saved(client.put("/v1/profiles/schema", json={"fields": [{"name": "plan"}, {"name": "pet", "type": "object"}]}))
        saved(client.post("/v1/metrics", json={"metricId": "gems", "name": "Gems"}))
        saved(client.post("/v1/streaks", json={"streakId": "daily", "name": "Daily", "triggers": [{"type": "visit"}]}))
        rungs = [{"rungId": "base", "name": "Base", "threshold": 0}]
        saved(client.post("/v1/ladders", json={"ladderId": "tiers", "name": "Tiers", "rungs": rungs}))
        saved(client.post("/v1/segments", json={"segmentId": "vip", "name": "VIP", "include": [criterion("plan")]}))
        saved(client.post("/v1/campaigns", json=campaign(campaignId="first")))
        fields = [{"key": "amount", "type": "number"}]
        saved(client.post("/v1/triggers", json={"key": "order", "name": "Order", "fields": fields, "strict": True}))
        yield client


def criterion(field):
    return {"field": field, "operator": "exists"}


def campaign(*fields, trigger="visit", **more):
    conditions = [criterion(field) for field in fields]
    return {"name": "C", "triggers": [{"type": trigger, "conditions": conditions}], "effects": [POINTS]} | more


@pytest.mark.parametrize("field", [
    "data.anything", "anything.at[0].all", "event.source", "metadata.campaign", "user.plan", "user.pet.name", "user.email",
    "user.city", "user.tags", "user.points", "user.tier", "user.badges[]", "user.userId", "user.referralCount",
    "customFields.size", "metrics.gems", "streaks.daily.current", "streaks.daily.alive", "ladders.tiers.rung",
    "campaigns.first.completions", "segments", "badges", "segments[]",
])  # fmt: skip
def test_a_condition_may_look_at_what_there_can_be(club, field):
    saved(club.post("/v1/campaigns?dryRun=true", json=campaign(field)))


@pytest.mark.parametrize(("field", "told"), [
    ("metrics.gem", "must be one of coins, gems, points, xp (got 'gem')"),
    ("metrics.gems.balance", "must be metrics.gems (got 'metrics.gems.balance')"),
    ("streaks.dayly.current", "must be one of daily (got 'dayly')"),
    ("streaks.daily.length", "must be streaks.daily.current or streaks.daily.longest or "),
    ("ladders.tier.rung", "must be one of tiers (got 'tier')"),
    ("ladders.tiers.name", "must be ladders.tiers.rung or ladders.tiers.number (got 'ladders.tiers.name')"),
    ("campaigns.second.completions", "must be one of first (got 'second')"),
    ("user.colour", "is not a field that can exist (got 'user.colour'): there are plan, pet, "),
    ("user.inventory", "is only shown in profiles, and cannot be compared or used in formulas (got 'user.inventory')"),
    ("user.points.balance", "must be user.points, which has no parts (got 'user.points.balance')"),
    ("event.data.amount", "is not a field that can exist (got 'event.data.amount'): there are event.id, event.type"),
    ("segments.vip", "must be segments, which is an array of ids: use contains (got 'segments.vip')"),
    ("badges.hero", "must be badges, which is an array of ids: use contains (got 'badges.hero')"),
])  # fmt: skip
def test_a_condition_on_what_cannot_be_is_refused(club, field, told):
    (found,) = wrong(club.post("/v1/campaigns", json=campaign("data.amount", field))).items()
    assert found[0] == "triggers[0].conditions[1].field"
    assert told in found[1]


@pytest.mark.parametrize(("trigger", "right", "mistyped", "known"), [
    ("metric.changed", "data.balance", "data.balanse", "there are metric, amount, balance, previous"),
    ("order", "data.amount", "amout", "there is amount"),
])  # fmt: skip
def test_the_data_of_the_engines_events_and_of_strict_triggers_is_known(club, trigger, right, mistyped, known):
    saved(club.post("/v1/campaigns?dryRun=true", json=campaign(right, trigger=trigger)))
    found = wrong(club.post("/v1/campaigns", json=campaign(mistyped, trigger=trigger)))
    told = f"is not in the data of {trigger} (got {mistyped!r}): {known}"
    assert found == {"triggers[0].conditions[0].field": told}


NO_METRIC = "must be one of coins, gems, points, xp (got 'gem')"
ON_GEM = {"or": [criterion("metrics.gems"), {"not": criterion("metrics.gem")}]}
STEP = {"name": "S", "trigger": "visit", "conditions": ON_GEM}
TALLY = {"count": {"trigger": "visit", "conditions": [ON_GEM]}, "operator": ">", "value": 1}


@pytest.mark.parametrize(("collection", "document", "place"), [
    ("campaigns", {"steps": [STEP], "effects": [POINTS]}, "steps[0].triggers[0].conditions.or[1].not.field"),
    ("campaigns", {"triggers": [{"type": "visit", "conditions": [{"expression": "metrics.gem > 1 or user.plan == 'a'"}]}],
                   "effects": [POINTS]}, "triggers[0].conditions[0].expression"),
    ("campaigns/advanced/rules", {"triggerType": "visit", "effects": [POINTS], "conditions": ON_GEM}, "conditions.or[1].not.field"),
    ("streaks", {"triggers": [{"type": "visit", "conditions": ON_GEM}]}, "triggers[0].conditions.or[1].not.field"),
    ("competitions", {"score": {"trigger": "visit", "conditions": ON_GEM}}, "score.conditions.or[1].not.field"),
    ("metrics", {"multipliers": [{"name": "M", "factor": 2, "conditions": ON_GEM}]}, "multipliers[0].conditions.or[1].not.field"),
    ("segments", {"exclude": [criterion("metrics.gem")]}, "exclude[0].field"),
    ("segments", {"include": [TALLY]}, "include[0].count.conditions[0].or[1].not.field"),
])  # fmt: skip
def test_conditions_are_looked_at_wherever_they_stand(club, collection, document, place):
    if "rules" in collection:
        saved(club.post("/v1/campaigns", json={"campaignId": "advanced", "name": "A", "simplifiedMode": False}))
    assert wrong(club.post(f"/v1/{collection}", json={"name": "X"} | document)) == {place: NO_METRIC}


FORMULA = "user.points + metrics.gem * amount"
NOTE = {"type": "notify", "config": {"title": "{{ nick }}", "message": "{{ upper(user.plan) }} {{ metrics.gem }}"}}
PAY = {"type": "add_metric", "config": {"metric": "xp", "amount": FORMULA}}
IN_PAY, IN_NOTE = "effects[0].config.amount", "effects[1].config.message"


@pytest.mark.parametrize(("collection", "document", "places"), [
    ("campaigns", {"triggers": [{"type": "visit"}], "effects": [PAY, NOTE]}, [IN_PAY, IN_NOTE]),
    ("campaigns", {"triggers": [{"type": "visit"}], "effects": [POINTS], "notification": NOTE["config"]}, ["notification.message"]),
    ("campaigns", {"steps": [{"name": "S", "trigger": "visit", "effects": [PAY], "notification": NOTE["config"]}]},
     ["steps[0].effects[0].config.amount", "steps[0].notification.message"]),
    ("campaigns/advanced/rules", {"triggerType": "visit", "effects": [PAY, NOTE]}, [IN_PAY, IN_NOTE]),
    ("streaks", {"triggers": [{"type": "visit"}], "milestones": [{"length": 2, "effects": [PAY]}]}, ["milestones[0].effects[0].config.amount"]),
    ("campaigns", {"type": "Streak", "triggers": [{"type": "visit"}], "effects": [POINTS],
                   "streak": {"milestones": [{"length": 2, "effects": [PAY]}]}}, ["streak.milestones[0].effects[0].config.amount"]),
    ("ladders", {"rungs": [{"rungId": "a", "name": "A", "threshold": 5, "effects": [NOTE]}]}, ["rungs[0].effects[0].config.message"]),
    ("competitions", {"score": {"metric": "xp"}, "endDate": "2030-01-01", "prizes": [{"fromRank": 1, "toRank": 1, "effects": [PAY]}]},
     ["prizes[0].effects[0].config.amount"]),
    ("templates", {"texts": {"en": {"message": "Hi"}, "nl": {"message": "{{ metrics.gem }}"}}}, ["texts.nl.message"]),
])  # fmt: skip
def test_formulas_of_effects_and_texts_are_looked_at_as_conditions_are(club, collection, document, places):
    if "rules" in collection:
        club.post("/v1/campaigns", json={"campaignId": "advanced", "name": "A", "simplifiedMode": False})
    assert wrong(club.post(f"/v1/{collection}", json={"name": "X"} | document)) == dict.fromkeys(places, NO_METRIC)


@pytest.mark.parametrize(("formula", "told"), [
    ("user.nmae", "is not a field that can exist (got 'user.nmae'): there are plan, pet, "),
    ("metrics['gem']", NO_METRIC),
    ("streaks.nope.current", "must be one of daily (got 'nope')"),
    ("streaks.daily.curent", "must be streaks.daily.current or "),
    ("len(filter(items, # > event.when))", "is not a field that can exist (got 'event.when')"),
    ("sum(map(items as user, user.nmae)) + user_points", None), ("amount * (user.pet.age ?? 1)", None),
    ("data.anything.at[0] + len(badges) + custom.size", None), ("$root.amount", None), ("round(amount)", None),
    ("metrics.gems + streaks.daily.current + campaigns.first.completions", None),
])  # fmt: skip
def test_a_formula_names_what_there_can_be(club, formula, told):
    effects = [{"type": "add_points", "config": {"amount": formula}}]
    response = club.post("/v1/campaigns?dryRun=true", json=campaign(effects=effects))
    if told is None:
        saved(response)
    else:
        assert told in wrong(response)["effects[0].config.amount"]


def test_formulas_may_name_only_the_data_of_strict_triggers(club):
    def of(formula, **more):
        effects = [{"type": "add_points", "config": {"amount": formula}}]
        return club.post("/v1/campaigns?dryRun=true", json=campaign(effects=effects, **more))

    told = "is not in the data of order (got {!r}): there is amount"
    saved(of("amount * 2", trigger="order"))
    saved(of("amout * 2", triggers=[{"type": "order"}, {"type": "visit"}]))
    for name in ("amout", "data.amout"):
        assert wrong(of(f"{name} * 2", trigger="order")) == {"effects[0].config.amount": told.format(name)}
    conditions = {"triggers": [{"type": "order", "conditions": [{"expression": "(amout ?? 0) > 1"}]}]}
    assert wrong(of("amount", **conditions)) == {"triggers[0].conditions[0].expression": told.format("amout")}
    steps = {"steps": [{"name": key, "trigger": key, "effects": [PAY_AMOUNT]} for key in ("order", "metric.changed")]}
    saved(of("amount + balance", **steps, triggers=[]))
    assert list(wrong(of("balanse", **steps, triggers=[]))) == ["effects[0].config.amount"]


PAY_AMOUNT = {"type": "add_points", "config": {"amount": "amount + balance"}}


def test_what_a_formula_names_cannot_be_deleted(club):
    saved(club.post("/v1/metrics", json={"metricId": "pearls", "name": "Pearls"}))
    effects = [{"type": "add_points", "config": {"amount": "metrics.pearls"}}]
    saved(club.post("/v1/campaigns", json=campaign(effects=effects, campaignId="pays")))
    refused = club.delete("/v1/metrics/pearls")
    assert refused.status_code == 409
    assert "campaign pays (effects[0].config.amount)" in refused.json()["error"]["message"]
    saved(club.delete("/v1/campaigns/pays"))
    saved(club.delete("/v1/metrics/pearls"))


def test_a_criterion_without_a_scope_is_a_metric_or_of_the_profile(club):
    for field in ("gems", "plan", "level", "tier", "lifetimePoints", "pet.name", "city", "custom.size"):
        saved(club.post("/v1/segments?dryRun=true", json={"name": "S", "include": [criterion(field)]}))
    found = wrong(club.post("/v1/segments", json={"name": "S", "include": [criterion("plan"), criterion("plam")]}))
    assert list(found) == ["include[1].field"]
    assert "(got 'plam'): there are plan, pet" in found["include[1].field"]


def test_without_a_profile_schema_any_attribute_may_be(shop):
    saved(shop.post("/v1/segments", json={"name": "S", "include": [criterion("shoeSize"), criterion("user.a.b")]}))
    assert "inventory" in str(wrong(shop.post("/v1/segments", json={"name": "S", "include": [criterion("inventory")]})))


def test_what_an_effect_writes_into_profiles_may_be_looked_at(club):
    effect = {"type": "set_attribute", "config": {"name": "wave", "value": 1}}
    saved(club.post("/v1/campaigns", json=campaign("user.wave", effects=[effect])))
    saved(club.post("/v1/segments", json={"name": "S", "include": [criterion("wave")]}))


def test_custom_fields_are_those_declared_once_there_are_any(club):
    saved(club.post("/v1/custom-fields", json={"name": "Size", "key": "size", "type": "string"}))
    saved(club.post("/v1/segments", json={"name": "S", "include": [criterion("customFields.size")]}))
    assert (
        "size"
        in wrong(club.post("/v1/segments", json={"name": "S", "include": [criterion("customFields.sise")]}))[
            "include[0].field"
        ]
    )


def test_a_board_is_divided_by_a_field_of_the_profile(club):
    score = {"score": {"metric": "xp"}, "name": "C"}
    saved(club.post("/v1/competitions?dryRun=true", json=score | {"scopeField": "plan"}))
    for field in ("colour", "tier"):
        assert list(wrong(club.post("/v1/competitions", json=score | {"scopeField": field}))) == ["scopeField"]


def test_a_webhook_sees_the_data_of_messages_only(club):
    def webhook(field):
        return club.post(
            "/v1/webhooks", json={"name": "W", "url": "https://example.com", "conditions": [criterion(field)]}
        )

    saved(webhook("data.campaignId"))
    assert wrong(webhook("metrics.gems")) == {
        "conditions[0].field": "must be a field of the message's data, which is all that a webhook sees (got 'metrics.gems')"
    }


def test_what_a_condition_names_cannot_be_deleted_and_a_document_may_name_itself(club):
    saved(club.post("/v1/campaigns", json=campaign("metrics.gems", "campaigns.own.completions", campaignId="own")))
    saved(club.post("/v1/segments", json={"segmentId": "rich", "name": "R", "include": [criterion("gems")]}))
    refused = club.delete("/v1/metrics/gems")
    assert refused.status_code == 409
    assert (
        "campaign own (triggers[0].conditions[0].field), segment rich (include[0].field)"
        in refused.json()["error"]["message"]
    )
    assert club.delete("/v1/campaigns/own").status_code == 200
    assert club.delete("/v1/segments/rich").status_code == 200
    assert club.delete("/v1/metrics/gems").status_code == 200


def test_a_programme_is_applied_in_any_order_and_refused_with_all_that_is_wrong(shop):
    programme = {
        "segments": {"rich": {"name": "R", "include": [criterion("metrics.rubies"), criterion("plan")]}},
        "profileSchema": {"name": "P", "fields": [{"name": "plan"}]},
        "metrics": {"rubies": {"name": "Rubies"}},
        "campaigns": {"a": campaign("campaigns.b.completions"), "b": campaign("campaigns.a.completions")},
    }
    saved(shop.put("/v1/config", json=programme))
    programme["segments"]["rich"]["include"] += [criterion("metrics.ruby"), criterion("color")]
    found = wrong(shop.put("/v1/config", json=programme))
    assert list(found) == ["segments.rich.include[2].field", "segments.rich.include[3].field"]


def test_what_was_saved_before_a_field_went_can_still_be_changed(club):
    saved(club.put("/v1/profiles/schema", json={"fields": [{"name": "pet"}]}))
    saved(club.put("/v1/segments/vip", json={"name": "Very important"}))
    exported = saved(club.get("/v1/config"))
    saved(club.put("/v1/config", json=exported | {"metrics": {"gold": {"name": "Gold"}}}))
    assert list(wrong(club.put("/v1/segments/vip", json={"include": [criterion("plan"), criterion("plan")]}))) == [
        "include[1].field"
    ]
