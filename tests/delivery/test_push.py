"""Web Push to a push service that only knows the standards: what it gets, only the browser can read."""

import base64

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.eventually import eventually
from tests.support.http import data_of, ok
from tests.support.push_browser import PushBrowser, b64


@pytest.fixture
def browser():
    opened = PushBrowser()
    yield opened
    opened.close()


def report(club, action="clapped", user="ann"):
    body = {"userId": user, "action": action}
    club.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=20"})


def held(club) -> list:
    """The browsers that Ann is known by."""
    return ok(club.get("/v1/profiles/ann/export"))["pushSubscriptions"]


def test_a_notification_is_pushed_to_the_members_browser(own_server, monkeypatch, browser):
    monkeypatch.setenv("PLAUDIT_PRIVATE_NETWORKS", "true")
    server = own_server("--no-demo").start()
    with server.client_of("Club") as club, server.member_of(club, "ann") as ann, server.member_of(club, "eve") as eve:
        url = "/api/loyalty/me/push/subscriptions"
        assert ann.post(url, json=browser.subscription()).json()["error"]["code"] == "push_disabled"
        ok(club.put("/v1/settings", json={"push": {"contact": "mailto:ops@example.com"}}))
        told = {"title": "Thanks", "message": "You have {{ metrics.points }}"}
        clap = {"name": "Clap", "triggers": [{"type": "clapped"}], "effects": [{"type": "add_points", "amount": 3}]}
        ok(club.post("/v1/campaigns", json={**clap, "notification": told}), 201)
        quiet = {"name": "Quiet", "triggers": [{"type": "whispered"}], "effects": [{"type": "add_points", "amount": 1}]}
        ok(club.post("/v1/campaigns", json={**quiet, "notification": {**told, "display": "none"}}), 201)

        wrong = browser.subscription()
        wrong["keys"] = {"p256dh": b64(b"\x04" + b"1" * 64), "auth": b64(b"short, but long enough to be read")}
        refused = ann.post(url, json=wrong)
        assert [error["field"] for error in refused.json()["error"]["details"]] == ["keys.p256dh", "keys.auth"]
        made = [ok(ann.post(url, json=browser.subscription()), 201)["subscriptionId"] for _ in range(2)]
        assert made[0] == made[1]

        report(club, "whispered")
        report(club)
        browser.wait_for(1)
        said = browser.read(0)
        assert (said["title"], said["message"], said["type"]) == ("Thanks", "You have 4", "campaign.completed")
        assert said["notificationId"] in [
            notification["id"] for notification in data_of(ann.get("/api/loyalty/notifications"))
        ]
        headers = browser.came[0][0]
        assert (headers["content-encoding"], int(headers["ttl"]) > 0) == ("aes128gcm", True)

        # The push service knows by the key that the browser subscribed with who it is from (RFC 8292).
        scheme, _, given = headers["authorization"].partition(" ")
        parts = dict(part.strip().split("=", 1) for part in given.split(","))
        public = data_of(ann.get("/api/loyalty/me/push"))
        assert (scheme, public["enabled"], public["publicKey"]) == ("vapid", True, parts["k"])
        point = base64.urlsafe_b64decode(parts["k"] + "=")
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        claims = jwt.decode(parts["t"], key, algorithms=["ES256"], audience=browser.origin)
        assert claims["sub"] == "mailto:ops@example.com"

        # Nobody but the member takes it away; and a browser that is gone is pushed to once only.
        assert eve.delete(f"{url}/{made[0]}").status_code == 404
        assert len(held(club)) == 1
        browser.status = 410
        report(club)
        browser.wait_for(2)
        eventually(lambda: not held(club))
        browser.status = 201
        ok(eve.post(url, json=browser.subscription()), 201)
        report(club)
        report(club, user="eve")
        browser.wait_for(3)  # Eve's: so what was to be told to Ann before has been looked at, and is for nobody
        assert browser.read(2)["message"] == "You have 3"

        again = ok(ann.post(url, json=browser.subscription()), 201)["subscriptionId"]
        report(club)
        browser.wait_for(4)
        assert browser.read(3)["message"] == "You have 13"
        assert ann.delete(f"{url}/{again}").status_code == 204


def test_endpoints_are_https_and_no_private_network(server_process, browser):
    with server_process.client_of("Safe") as club, server_process.member_of(club, "ann") as ann:
        ok(club.put("/v1/settings", json={"push": {"contact": "mailto:ops@example.com"}}))
        response = ann.post("/api/loyalty/me/push/subscriptions", json=browser.subscription())
        (wrong,) = response.json()["error"]["details"]
        assert wrong["field"] == "endpoint"
        assert wrong["message"].startswith(
            "must be an https URL with a host, without credentials (got 'http://127.0.0.1:"
        )
