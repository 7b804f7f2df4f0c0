"""What a value from outside may be, at every entry point: beyond the bounds there is a 400 that names the field."""

import json
import time
from urllib.parse import quote

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from plaudit.api.identity.jwks import keys_in
from tests.support.http import decided_event

ACTIONS = "/api/audience/internal/actions"
WAIT = {"Prefer": "wait=10"}
NUL, BIG, HUGE = "a\0b", 55555555555555555555, 1e29
CAMPAIGN = {"name": "C", "triggers": [{"type": "t"}], "effects": [{"type": "add_points", "amount": 1}]}


@pytest.fixture(scope="module")
def books(server_process):
    """An organisation that these tests share, each with members of its own."""
    with server_process.client_of("Values", is_test=True) as client:
        client.post("/v1/campaigns", json=CAMPAIGN)
        yield client


def fields_of(response):
    assert response.status_code == 400, response.text
    return [error["field"] for error in response.json()["error"]["details"]]


def sent(client, method, path, body, **headers):
    """With the standard library's JSON, which writes whatever it is given."""
    headers = {"Content-Type": "application/json", **headers}
    return client.request(method, path, content=json.dumps(body), headers=headers)


VALUES = {"nul": NUL, "integer": BIG, "number": HUGE, "surrogate": "\ud800", "infinite": 1e308}

ENTRIES = [
    ("POST", ACTIONS, {"userId": "ann", "action": "a", "data": {"list": [1, {"x": "?"}]}}, "data.list[1].x"),
    ("POST", ACTIONS, {"userId": "ann", "action": "a", "metadata": {"x": "?"}}, "metadata.x"),
    ("POST", "/v1/profiles", {"userId": "new", "favourite": "?"}, "favourite"),
    ("POST", "/v1/profiles", {"userId": "new", "tags": ["a", "?"]}, "tags[1]"),
    ("PUT", "/v1/profiles/ann", {"preferences": {"theme": "?"}}, "preferences.theme"),
    ("PUT", "/api/audience/profile", [{"user_id": "ann", "data": {"x": "?"}}], "[0].data.x"),
    ("POST", "/v1/users/enroll", {"userId": "e", "email": "e@x.org", "customFields": {"x": "?"}}, "customFields.x"),
    ("POST", "/v1/transactions", {"userId": "ann", "amount": 1, "metadata": {"x": "?"}}, "metadata.x"),
    ("POST", "/v1/campaigns", CAMPAIGN | {"metadata": {"x": {"y": "?"}}}, "metadata.x.y"),
    ("POST", "/v1/track", {"userId": "ann", "event": "e", "properties": {"x": "?"}}, "properties.x"),
    ("PUT", "/v1/config", {"campaigns": {"c": CAMPAIGN | {"metadata": {"x": "?"}}}}, "campaigns.c.metadata.x"),
]


def filled(body, value):
    if isinstance(body, dict):
        return {name: filled(item, value) for name, item in body.items()}
    if isinstance(body, list):
        return [filled(item, value) for item in body]
    return value if body == "?" else body


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(("method", "path", "body", "field"), ENTRIES, ids=lambda value: str(value)[:40])
def test_a_value_beyond_the_bounds_is_refused_by_its_path(http, method, path, body, field, name):
    response = sent(http, method, path, filled(body, VALUES[name]))
    assert fields_of(response) == [field]
    assert response.json()["error"]["message"].startswith(f"{field} must")


@pytest.mark.parametrize(
    "value", [2**63 - 1, -(2**63), 1e28, -0.0, 1e-320, "a\\u0000b", "1e999999", "\u202e\u200f", "😀"]
)
def test_a_value_at_the_bounds_is_taken_and_shown_as_it_came(books, value):
    key = f"edge:{value!a}".replace(" ", "")
    body = {"userId": "edge", "action": "t", "eventId": key, "data": {"x": value, "y": [value]}}
    response = sent(books, "POST", ACTIONS, body, **WAIT)
    assert (response.status_code, response.json()["outcome"]["state"]) == (200, "processed")
    assert books.get(f"/v1/events/{quote(key, safe='')}").json()["data"]["data"] == {"x": value, "y": [value]}
    assert sent(books, "POST", "/v1/profiles", {"userId": key, "x": value}).status_code == 201
    assert books.get(f"/v1/profiles/{quote(key, safe='')}").json()["data"]["x"] == value


def test_a_name_of_a_field_is_a_text_like_any_other(http):
    assert fields_of(sent(http, "POST", "/v1/profiles", {"userId": "u", NUL: 1})) == ["a\\u0000b"]
    assert fields_of(sent(http, "POST", ACTIONS, {"userId": "u", "action": "a", "data": {NUL: 1}})) == [
        "data.a\\u0000b"
    ]


def test_a_number_out_of_all_range_is_named_and_a_constant_is_no_json(http):
    text = '{"userId": "ann", "action": "a", "data": {"x": %s}}'
    for number in ("1e999999", "-1e400", "1" * 400):
        response = http.post(ACTIONS, content=text % number, headers={"Content-Type": "application/json"})
        assert fields_of(response) == ["data.x"]
    for word in ("NaN", "Infinity", "-Infinity"):
        response = http.post(ACTIONS, content=text % word, headers={"Content-Type": "application/json"})
        assert response.json()["error"]["code"] == "bad_json"


@pytest.mark.parametrize("at", ["1899-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_nobody_can_reckon_with_is_refused(http, at):
    body = CAMPAIGN | {"mode": "time-bound", "startDate": at, "endDate": "2030-01-01T00:00:00Z"}
    assert fields_of(http.post("/v1/campaigns", json=body)) == ["startDate"]
    body = {"userId": "ann", "amount": 1, "expiresAt": at}
    assert fields_of(http.post("/v1/transactions", json=body)) == ["expiresAt"]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_the_end_of_the_calendar_stands_for_no_end_wherever_a_time_is_given(shop, zone):
    always = {"startDate": "1900-01-01T00:00:00Z", "endDate": "9999-12-31T23:59:59Z"}
    end = always["endDate"]
    bodies = {
        "settings": {"timeZone": zone},
        "campaigns": CAMPAIGN | {"campaignId": "c", "mode": "time-bound"} | always,
        "competitions": {"competitionId": "o", "name": "O", "score": {"metric": "points"}, "settleAfterMinutes": 60}
        | always,
        "products": {"productId": "p", "name": "P", "sku": "p", "type": "unique_code_pool", "pointsCost": 1} | always,
        "code-pools": {"poolId": "q", "name": "Q", "productId": "p", "expiresAt": end},
    }
    for collection, body in bodies.items():
        put = collection == "settings"
        response = shop.request("PUT" if put else "POST", f"/v1/{collection}", json=body)
        assert response.status_code == (200 if put else 201), response.text
    multiplier = {"name": "Double", "factor": 2} | always
    expiry = {"type": "rolling", "days": 30, "remindDays": 7}
    assert shop.put("/v1/metrics/points", json={"expiry": expiry, "multipliers": [multiplier]}).status_code == 200
    assert {campaign["endDate"] for campaign in shop.get("/v1/campaigns").json()["data"]["campaigns"]} == {end}
    key = shop.post("/v1/api-keys", json={"name": "K", "scopes": ["admin:read"], "expiresAt": end})
    assert (key.status_code, key.json()["data"]["expiresAt"]) == (201, "9999-12-31T23:59:59.000Z")
    body = {"userId": "ann", "amount": 5, "expiresAt": end}
    assert shop.post("/v1/transactions", json=body, headers=WAIT).status_code == 201
    body = {"userId": "ann", "action": "t", "eventId": "E1"}
    assert shop.post(ACTIONS, json=body, headers=WAIT).json()["outcome"]["state"] == "processed"
    assert shop.get("/v1/profiles/ann").json()["data"]["points"] == 7
    advanced = shop.post("/v1/clock/advance", json={"seconds": 40 * 86_400})
    assert advanced.status_code == 200, advanced.text
    assert shop.get("/v1/profiles/ann").json()["data"]["points"] == 5
    config = shop.get("/v1/config").json()["data"]
    assert shop.put("/v1/config", json=config).status_code == 200


def test_one_member_cannot_break_the_search_for_all(server_process, shop):
    shop.post("/v1/profiles", json={"userId": "ann", "city": "Bonn"})
    with server_process.member_of(shop, "mallory") as mallory:
        assert fields_of(mallory.patch("/api/audience/profile", json={"displayName": NUL})) == ["displayName"]
    found = shop.get("/v1/profiles?city=Bonn").json()["data"]["profiles"]
    assert [row["userId"] for row in found] == ["ann"]


def test_a_refused_profile_leaves_the_members_events_alone(shop):
    effects = [
        {"type": "notify", "config": {"message": "Hi {{ user.displayName }}"}},
        {"type": "add_points", "config": {"amount": "floor(data.amount)"}},
    ]
    shop.post("/v1/campaigns", json={"name": "C", "triggers": [{"type": "hello"}], "effects": effects})
    assert fields_of(shop.post("/v1/profiles", json={"userId": "bad", "displayName": "x\0"})) == ["displayName"]
    assert fields_of(sent(shop, "POST", "/v1/profiles", {"userId": "bad", "loyaltyNo": BIG})) == ["loyaltyNo"]
    for turn in (1, 2):
        body = {"userId": "bad", "action": "hello", "eventId": f"E{turn}", "data": {"amount": 10}}
        assert shop.post(ACTIONS, json=body, headers=WAIT).json()["outcome"]["state"] == "processed"
    assert shop.get("/v1/profiles/bad").json()["data"]["points"] == 20


def test_a_barcode_of_twenty_digits_is_a_text_not_a_number(books):
    body = {"userId": "v", "action": "p", "eventId": "barcode", "data": {"amount": 10, "barcode": BIG}}
    response = sent(books, "POST", ACTIONS, body, **WAIT)
    assert fields_of(response) == ["data.barcode"]
    assert "64 bits" in response.json()["error"]["message"]
    body["data"]["barcode"] = str(BIG)
    assert books.post(ACTIONS, json=body, headers=WAIT).json()["outcome"]["state"] == "processed"


def test_one_bad_value_in_a_batch_spoils_no_other(http):
    good = {"userId": "ann", "action": "a"}
    lines = [good, good | {"data": {"x": NUL}}, good | {"data": {"x": BIG}}, good]
    for content in (json.dumps(lines), "\n".join(map(json.dumps, lines))):
        results = http.post(f"{ACTIONS}/batch", content=content).json()["results"]
        assert [result["status"] for result in results] == ["accepted", "refused", "refused", "accepted"]
        assert [result["error"]["details"][0]["field"] for result in results[1:3]] == ["data.x", "data.x"]


# Values beyond the bounds as they stand in JSON, among them those that a decoder does not take at all.
UNFIT = [
    '"a\\u0000b"', "12345678901234567890", "1" * 5_000, "1e29", "1e400", '"\\ud800"', "[" * 40 + "]" * 40,
]  # fmt: skip
BATCHES = {
    f"{ACTIONS}/batch": ("application/json", "[%s]", '{"userId":"ann","action":"a","data":{"x":%s}}', 202),
    "/v1/batch": (
        "application/json",
        '{"batch":[%s]}',
        '{"type":"track","userId":"ann","event":"E","properties":{"x":%s}}',
        400,
    ),
    "/v1/ingest/cloudevents": (
        "application/cloudevents-batch+json",
        "[%s]",
        '{"specversion":"1.0","id":"1","source":"/s","type":"a","subject":"ann","data":{"x":%s}}',
        202,
    ),
}


@pytest.mark.parametrize("value", UNFIT, ids=lambda value: value[:12])
@pytest.mark.parametrize("path", BATCHES)
def test_an_item_of_a_batch_with_any_value_beyond_the_bounds_is_refused_alone(http, path, value):
    media, batch, item, status = BATCHES[path]
    content = batch % ",".join([item % 1, item % value, item % 1])
    response = http.post(path, content=content, headers={"Content-Type": media})
    assert response.status_code == status, response.text
    good, bad, other = response.json()["results"]
    assert bad["status"] == "refused"
    assert {good["status"], other["status"]} <= {"accepted", "duplicate"}
    if value.startswith("["):
        assert bad["error"]["code"] == "nested_too_deep"
    else:
        assert [error["field"] for error in bad["error"]["details"]] in (["data.x"], ["properties.x"])


@pytest.mark.parametrize("value", UNFIT, ids=lambda text: text[:12])
@pytest.mark.parametrize("path", BATCHES)
@pytest.mark.parametrize("shape", ["%s", '{"batch":%s}', '{"batch":[],"sentAt":%s}', '{"batch":[],"x":%s}', "[%s]"])
def test_a_value_beyond_the_bounds_in_the_place_of_a_batch_is_refused(http, path, value, shape):
    response = http.post(path, content=shape % value, headers={"Content-Type": BATCHES[path][0]})
    refusals = (
        [item["error"] for item in response.json()["results"]]
        if response.status_code == 202
        else [response.json()["error"]]
    )
    assert refusals
    assert "internal_error" not in {error["code"] for error in refusals}
    assert response.status_code in (202, 400)


def test_a_batch_of_too_many_is_refused_before_its_items_are_looked_at(http):
    _, batch, item, _ = BATCHES[f"{ACTIONS}/batch"]
    response = http.post(f"{ACTIONS}/batch", content=batch % ",".join([item % "1e400"] * 1_001))
    assert response.status_code == 400
    assert "(got 1001)" in response.json()["error"]["message"]


@pytest.mark.parametrize("levels", [40, 1_000, 100_000])
@pytest.mark.parametrize("signs", ["[]", ('{"a":', "}")], ids=["lists", "objects"])
@pytest.mark.parametrize(
    ("path", "media", "body"),
    [
        (ACTIONS, "application/json", '{"userId":"u","action":"p","data":{"v":%s}}'),
        ("/v1/track", "application/json", '{"userId":"u","event":"p","properties":{"v":%s}}'),
        ("/v1/ingest/cloudevents", "application/cloudevents+json", '{"subject":"u","data":{"v":%s}}'),
        ("/v1/profiles", "application/json", '{"userId":"u","v":%s}'),
        ("/v1/config", "application/json", "%s"),
    ],
)
def test_what_is_nested_without_end_is_refused_as_such(http, path, media, body, signs, levels):
    opening, closing = signs
    content = body % (opening * levels + "1" + closing * levels)
    method = "PUT" if path == "/v1/config" else "POST"
    response = http.request(method, path, content=content, headers={"Content-Type": media})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "nested_too_deep")


@pytest.mark.parametrize("levels", [1_000, 100_000])
def test_a_batch_with_something_nested_without_end_is_refused_as_such(http, levels):
    deep = '{"userId":"u","action":"p","data":{"v":%s}}' % ("[" * levels + "]" * levels)
    response = http.post(f"{ACTIONS}/batch", content=f"[{deep}]")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "nested_too_deep")
    (told,) = http.post(f"{ACTIONS}/batch", content=deep).json()["results"]
    assert (told["status"], told["error"]["code"]) == ("refused", "nested_too_deep")


# ------------------------------------------------------------------------------------------------------------ zones


def test_a_time_zone_that_does_not_exist_is_refused_wherever_a_profile_is_written(server_process, shop):
    wrong = "Tokyo Standard Time"
    assert shop.put("/v1/settings", json={"timeZone": wrong}).status_code == 400
    assert fields_of(shop.post("/v1/profiles", json={"userId": "w", "timezone": wrong})) == ["timezone"]
    shop.post("/v1/profiles", json={"userId": "w", "timezone": "Asia/Tokyo"})
    for zone in (wrong, "Asia/Tokyo ", "", 9, ["UTC"], "../UTC"):
        assert fields_of(shop.put("/v1/profiles/w", json={"timezone": zone})) == ["timezone"]
    body = {"userId": "e", "email": "e@example.org", "customFields": {"timezone": wrong}}
    assert "timezone" in fields_of(shop.post("/v1/users/enroll", json=body))[0]
    batch = [{"user_id": "w", "data": {"timezone": wrong}}]
    assert fields_of(shop.put("/api/audience/profile", json=batch)) == ["[0].data.timezone"]
    assert shop.get("/v1/profiles/w").json()["data"]["timezone"] == "Asia/Tokyo"
    assert shop.put("/v1/profiles/w", json={"timezone": None}).status_code == 200
    schema = {"fields": [{"name": "timezone", "type": "string", "default": wrong}]}
    assert fields_of(shop.put("/v1/profiles/schema", json=schema)) == ["fields[0].default"]


# -------------------------------------------------------------------------------------------------------------- ids

ODD = [
    "a/b", "/", "a//b", "/a/", "a%2Fb", "a%252Fb", "%", "100%", "?x=1", "#top", "a b", "a+b", "ä ö/ü", "日本/語", "a;b",
    "a&b=c", "a\\b", "{x}", "a:b@c", "...", ".hidden", "..a/..", "~", "*", "'\"", "schema", "\u202ex", "😀", "^`|<>",
]  # fmt: skip


@pytest.mark.parametrize("user_id", ODD)
def test_a_user_with_any_id_is_read_changed_exported_and_erased(books, user_id):
    path = f"/v1/profiles/{named(user_id)}"
    body = {"userId": user_id, "action": "x"}
    assert books.post(ACTIONS, json=body, headers=WAIT).status_code == 200
    assert books.get(path).json()["data"]["userId"] == user_id
    assert books.put(path, json={"displayName": "D"}).json()["data"]["displayName"] == "D"
    exported = books.get(f"{path}/export")
    assert exported.status_code == 200, exported.text
    assert json.dumps(user_id) in json.dumps(exported.json())
    assert books.get("/v1/profiles", params={"userId": user_id}).json()["data"]["profiles"][0]["userId"] == user_id
    assert books.delete(path).status_code == 200
    assert books.get(path).status_code == 404


def named(text):
    """As a client writes it into a path; what a call is called as well, with one letter encoded."""
    return "%73chema" if text == "schema" else quote(text, safe="")


@pytest.mark.parametrize("key", [text.replace(" ", "_") for text in ODD if text.isascii()])
def test_an_event_with_any_id_is_found_and_explained(books, key):
    assert books.post(ACTIONS, json={"userId": "k", "action": "x", "eventId": key}).status_code == 202
    decided_event(books, key)
    assert books.get(f"/v1/events/{quote(key, safe='')}/explain").status_code == 200


def test_a_code_with_any_character_is_redeemed(shop):
    shop.post("/v1/products", json={"productId": "c", "name": "C", "sku": "C", "type": "unique_code_pool"})
    shop.post("/v1/code-pools", json={"poolId": "p", "name": "P", "productId": "c"}).raise_for_status()
    codes = [text.replace(" ", "_") for text in ODD if text.isascii()]
    imported = shop.post("/v1/code-pools/p/import", json={"codes": codes})
    assert imported.json()["imported"] == len(codes), imported.text
    effects = [{"type": "issue_coupon", "config": {"codePoolId": "p"}}]
    shop.post("/v1/campaigns", json=CAMPAIGN | {"effects": effects}).raise_for_status()
    for _ in codes:
        assert shop.post(ACTIONS, json={"userId": "ann", "action": "t"}, headers=WAIT).status_code == 200
    for code in codes:
        response = shop.post(f"/v1/code-pools/p/codes/{quote(code, safe='')}/redeem")
        assert response.status_code == 200, response.text
        assert response.json()["code"] == code


def test_an_id_that_no_path_can_name_is_refused(http):
    for name in (".", ".."):
        assert fields_of(http.post(ACTIONS, json={"userId": name, "action": "x"})) == ["userId"]
        assert fields_of(http.post(ACTIONS, json={"userId": "a", "action": "x", "eventId": name})) == ["eventId"]
        assert fields_of(http.post("/v1/profiles", json={"userId": name})) == ["userId"]
        assert fields_of(http.post("/v1/metrics", json={"metricId": name, "name": "M"})) == ["metricId"]


ID_WORDS = "must be a string of 1 to 256 characters, without control characters, and not '.' or '..'"


@pytest.mark.parametrize("user_id", ["", ".", "u" * 257, "a\x1fb", "ann\n"])
def test_an_error_of_an_id_says_what_an_id_must_be(http, user_id):
    for path, body in ((ACTIONS, {"action": "x"}), ("/v1/profiles", {}), ("/v1/track", {"event": "x"})):
        error = http.post(path, json={"userId": user_id, **body}).json()["error"]
        assert error["details"] == [{"field": "userId", "message": ID_WORDS}]
    error = http.post(ACTIONS, json={"userId": "a", "action": "x", "eventId": "e\n"}).json()["error"]
    words = "must be a string of 1 to 128 printable ASCII characters without spaces, and not '.' or '..'"
    assert error["details"] == [{"field": "eventId", "message": words}]


def test_an_error_of_a_length_is_a_sentence(http):
    for name, words in (
        ("", "must be a string of at least 1 character"),
        ("x" * 201, "must be a string of at most 200 characters"),
    ):
        error = http.post("/v1/metrics", json={"metricId": "m", "name": name}).json()["error"]
        assert error["details"] == [{"field": "name", "message": words}]


def test_what_a_path_or_a_query_has_beyond_the_bounds_is_named(http):
    assert fields_of(http.get("/v1/profiles/a%00b")) == ["userId"]
    assert fields_of(http.get("/v1/profiles/%FF")) == ["userId"]
    assert fields_of(http.get("/v1/profiles?city=a%00b")) == ["city"]
    assert http.get("/v1/profiles%2Fann").status_code == 404


# ----------------------------------------------------------------------------------------------- tokens and addresses


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1795702165000}, {"exp": 1e400}, {"exp": float("nan")}, {"exp": -1}, {"exp": "soon"}, {"exp": True},
        {"exp": [1]}, {"iat": 1795702165000}, {"nbf": 2**80}, {"sub": NUL}, {"sub": ".."}, {"sub": ["ann"]},
        {"sub": 10**400}, {"aud": {"a": 1}},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_with_odd_claims_proves_nothing(server_process, books, claims):
    org_id = books.headers["X-Monterosa-Org-ID"]
    token = odd_token({"sub": "ann", "org": org_id, "exp": int(time.time()) + 60} | claims, server_process, org_id)
    headers = {"Authorization": f"Bearer {token}"}
    response = books.get("/api/loyalty/me", headers=headers)
    assert response.status_code == 401, response.text
    assert response.json()["error"]["code"] == "token_invalid"


def odd_token(claims, server_process, org_id):
    payload = json.dumps(claims).encode()
    return jwt.api_jws.encode(payload, server_process.jwt_secrets[org_id], algorithm="HS256")


def test_a_token_nested_without_end_proves_nothing(server_process, books):
    org_id = books.headers["X-Monterosa-Org-ID"]
    secret = server_process.jwt_secrets[org_id]
    token = jwt.api_jws.encode(b'{"a":' * 1_100 + b"1" + b"}" * 1_100, secret, algorithm="HS256")
    assert books.get("/api/loyalty/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize(
    "url",
    ["https://[::1", "https://[::g]/", "https://a:99999/", "https://a:x/", "https://a..b/", "https://a b/", "https://"],
)
def test_an_address_that_cannot_be_called_is_refused(server_process, books, url):
    keys = {"p256dh": "B" * 87, "auth": "A" * 22}
    with server_process.member_of(books, "ann") as ann:
        response = ann.post("/api/loyalty/me/push/subscriptions", json={"endpoint": url, "keys": keys})
    assert response.status_code == 400, response.text
    assert "endpoint" in [error["field"] for error in response.json()["error"]["details"]]
    assert fields_of(books.post("/v1/webhooks", json={"name": "W", "events": ["*"], "url": url})) == ["url"]
    provider = {"providerId": "p", "issuer": "i", "audiences": ["a"], "jwksUrl": url}
    wrong = fields_of(books.put("/v1/settings", json={"identityProviders": [provider]}))
    assert wrong[0].startswith("identityProviders")


@pytest.mark.parametrize(
    "document",
    [b"[]", b"{}", b'{"keys": 1}', b'{"keys": {}}', b"null", b"", b"\xff", b'{"keys":' * 5_000, b"[" * 100_000],
)
def test_a_published_set_that_is_none_is_told_as_such(document):
    with pytest.raises((ValueError, msgspec.DecodeError)):
        keys_in(document)


def test_one_odd_key_of_a_published_set_hides_no_other():
    key = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True)
    good = key | {"kid": "good", "use": "sig", "alg": "RS256"}
    odd = [
        None, 1, "x", [], {}, {"kid": ["a"]}, good | {"kid": ["list"]}, good | {"kid": {"a": 1}}, good | {"n": 1},
        good | {"kid": "n", "n": "\0"}, good | {"kid": "kty", "kty": []}, good | {"kid": "alg", "alg": ["RS256"]},
        good | {"kid": "e", "e": "AA"}, {"kid": "oct", "kty": "oct", "k": 5}, good | {"kid": "use", "use": "enc"},
    ]  # fmt: skip
    found = keys_in(json.dumps({"keys": [*odd, good]}).encode())
    assert "good" in found
    assert not found.keys() & {"n", "kty", "use", "oct"}
