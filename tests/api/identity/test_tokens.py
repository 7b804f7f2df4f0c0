"""Members' tokens: whose are believed, and the ways of pretending to be somebody that lead nowhere."""

import base64
import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.support.http import ok
from tests.support.server import Server, new_folder

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ISSUER = "https://id.example.com"


class Provider:
    """An identity provider: its keys, and the address where it publishes them."""

    def __init__(self) -> None:
        self.keys = {
            "rsa": (rsa.generate_private_key(65_537, 2048), "RS256", RSAAlgorithm),
            "ec": (ec.generate_private_key(ec.SECP256R1()), "ES256", ECAlgorithm),
            "ed": (ed25519.Ed25519PrivateKey.generate(), "EdDSA", OKPAlgorithm),
        }
        self.published = ["rsa", "ec", "ed"]
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                keys = [
                    {**shape.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": algorithm}
                    for kid, (key, algorithm, shape) in outer.keys.items()
                    if kid in outer.published
                ]
                body = json.dumps({"keys": keys}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"

    def token(self, kid="rsa", *, header=None, **claims) -> str:
        key, algorithm, _ = self.keys[kid]
        now = int(time.time())
        payload = {"sub": "ann", "iss": ISSUER, "aud": "the-app", "iat": now, "exp": now + 600, **claims}
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": kid, **(header or {})})


@pytest.fixture(scope="module")
def provider():
    return Provider()


@pytest.fixture(scope="module")
def server(provider):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAUDIT_PRIVATE_NETWORKS", "true")
        patch.setenv("PLAUDIT_SPACES_DOMAIN", "spaces.test")
        started = Server(new_folder(), "--no-demo").start()
    yield started
    assert started.stop() == 0, started.log()


@pytest.fixture(scope="module")
def club(server, provider):
    """An organisation that believes the provider, and takes its tokens as they are."""
    with server.client_of("Club", slug="club") as client:
        settings = {
            "identityProviders": [
                {
                    "providerId": "own",
                    "issuer": ISSUER,
                    "audiences": ["the-app", "the-site"],
                    "jwksUrl": provider.url,
                    "algorithms": ["RS256", "ES256", "EdDSA"],
                    "direct": True,
                },
                {
                    "providerId": "social",
                    "issuer": "https://social.example.com",
                    "audiences": ["club"],
                    "jwksUrl": provider.url,
                    "userClaim": "uid",
                    "userPrefix": "social:",
                },
            ],
            "cors": {"origins": ["https://club.example.com"]},
        }
        ok(client.put("/v1/settings", json=settings))
        yield client


@pytest.fixture(scope="module")
def other(server):
    with server.client_of("Other") as client:
        yield client


def org_of(client) -> str:
    return client.headers["X-Monterosa-Org-ID"]


def me(client, token, **headers) -> httpx.Response:
    given = {"Authorization": f"Bearer {token}", "X-Monterosa-Org-ID": org_of(client), **headers}
    return httpx.get(
        f"{client.base_url}/api/loyalty/me/profile", headers={k: v for k, v in given.items() if v is not None}
    )


def exchange(client, token, **more) -> httpx.Response:
    form = {"grant_type": EXCHANGE, "subject_token": token, "org": org_of(client), **more}
    return httpx.post(f"{client.base_url}/api/auth/token", data=form)


def user_of(response) -> str:
    assert response.status_code == 200, response.text
    return response.json()["data"]["userId"]


@pytest.mark.parametrize("kid", ["rsa", "ec", "ed"])
def test_a_providers_own_token_opens_its_members_calls(club, provider, kid):
    assert user_of(me(club, provider.token(kid))) == "ann"
    assert user_of(me(club, provider.token(kid, aud=["elsewhere", "the-site"], sub="bob"))) == "bob"


def test_within_the_leeway_clocks_may_differ(club, provider):
    now = int(time.time())
    assert me(club, provider.token(exp=now - 30)).status_code == 200
    assert me(club, provider.token(nbf=now + 30)).status_code == 200


def test_a_token_is_exchanged_for_ours(club, provider, server):
    social = provider.token(iss="https://social.example.com", aud="club", uid="77")
    assert me(club, social).status_code == 401  # this provider's are exchanged
    response = exchange(club, social)
    assert response.headers["Cache-Control"] == "no-store"
    given = response.json()
    assert given.keys() == {"access_token", "issued_token_type", "token_type", "expires_in"}
    assert (given["token_type"], 590 <= given["expires_in"] <= 600) == ("Bearer", True)
    assert user_of(me(club, given["access_token"])) == "social:77"
    assert user_of(me(club, given["access_token"], **{"X-Monterosa-Org-ID": None})) == "social:77"

    # Anybody can verify it by our published keys.
    (key,) = httpx.get(f"{server.url}/.well-known/jwks.json").json()["keys"]
    claims = jwt.decode(given["access_token"], jwt.PyJWK(key), algorithms=["RS256"], audience=org_of(club),
                        issuer="http://club.spaces.test")  # fmt: skip
    assert (claims["sub"], claims["aud"]) == ("social:77", [org_of(club)])
    assert not claims["iss"].endswith("/")
    # Ours are not exchanged again, or they would live for ever.
    assert exchange(club, given["access_token"]).json()["error"] == "invalid_grant"


def test_a_rotated_key_lives_as_long_as_its_tokens(club, provider, server):
    old = exchange(club, provider.token()).json()["access_token"]
    subprocess.run([sys.executable, "-m", "plaudit", "rotate-keys", "--data", str(server.folder)], check=True)
    assert len(httpx.get(f"{server.url}/.well-known/jwks.json").json()["keys"]) in (1, 2)
    assert user_of(me(club, old)) == "ann"


def test_a_key_that_is_new_is_looked_for(club, provider):
    provider.keys["new"] = (rsa.generate_private_key(65_537, 2048), "RS256", RSAAlgorithm)
    assert me(club, provider.token("new")).status_code == 401
    before = provider.asked
    for _ in range(5):  # strangers' names of keys do not make us ask again and again
        assert me(club, provider.token(header={"kid": "unheard-of"})).status_code == 401
    assert provider.asked - before <= 1


def test_servers_get_tokens_with_some_of_their_scopes(club, other):
    secret = club.headers["Authorization"].removeprefix("Bearer ")
    form = {
        "grant_type": "client_credentials",
        "client_id": org_of(club),
        "client_secret": secret,
        "scope": "members:read",
    }
    given = httpx.post(f"{club.base_url}/api/auth/token", data=form).json()
    assert given["scope"] == "members:read"
    headers = {"Authorization": f"Bearer {given['access_token']}", "X-Monterosa-Org-ID": org_of(club)}
    assert httpx.get(f"{club.base_url}/v1/profiles", headers=headers).status_code == 200
    assert httpx.get(f"{club.base_url}/v1/campaigns", headers=headers).status_code == 403
    assert httpx.get(f"{club.base_url}/api/loyalty/me", headers=headers).status_code == 403
    crossed = httpx.get(f"{club.base_url}/v1/profiles", headers={**headers, "X-Monterosa-Org-ID": org_of(other)})
    assert crossed.status_code == 401
    for wrong, error, status in (
        ({"client_secret": "nobody's"}, "invalid_client", 401),
        ({"client_id": org_of(other)}, "invalid_client", 401),
        ({"scope": "members:read everything"}, "invalid_scope", 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
    ):
        response = httpx.post(f"{club.base_url}/api/auth/token", data=form | wrong)
        assert (response.status_code, response.json()["error"]) == (status, error)


def test_a_revoked_key_takes_its_service_tokens_along(club):
    made = ok(club.post("/v1/api-keys", json={"name": "Short", "scopes": ["members:read"]}), 201)
    form = {"grant_type": "client_credentials", "client_id": made["keyId"], "client_secret": made["apiSecret"]}
    token = httpx.post(f"{club.base_url}/api/auth/token", json=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "X-Monterosa-Org-ID": org_of(club)}
    assert httpx.get(f"{club.base_url}/v1/profiles", headers=headers).status_code == 200
    ok(club.delete(f"/v1/api-keys/{made['keyId']}"))
    assert httpx.get(f"{club.base_url}/v1/profiles", headers=headers).status_code == 401


def _encoded(part) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _forgeries(server, club, other, provider):
    """Tokens that pretend, by what they pretend."""
    now = int(time.time())
    claims = {"sub": "ann", "iss": ISSUER, "aud": "the-app", "exp": now + 600}
    own = exchange(club, provider.token()).json()["access_token"]
    (key, *_) = httpx.get(f"{server.url}/.well-known/jwks.json").json()["keys"]
    public = jwt.PyJWK(key).key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    stranger = rsa.generate_private_key(65_537, 2048)
    theirs = {"jwk": RSAAlgorithm.to_jwk(stranger.public_key(), as_dict=True), "jku": provider.url}
    ours = {
        "sub": "ann",
        "iss": "http://club.spaces.test",
        "aud": [org_of(club)],
        "org": org_of(club),
        "exp": now + 600,
    }
    head, body, signature = own.split(".")
    changed = jwt.decode(own, options={"verify_signature": False}) | {"sub": "bob"}

    def by_hand(header, payload, key_bytes):
        import hashlib
        import hmac

        signed = f"{_encoded(header)}.{_encoded(payload)}"
        mac = hmac.new(key_bytes, signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    return {
        "no algorithm": f"{_encoded({'alg': 'none', 'kid': 'rsa'})}.{_encoded(claims)}.",
        "no algorithm, our key": f"{_encoded({'alg': 'None', 'kid': key['kid']})}.{_encoded(ours)}.",
        "our public key as a secret": by_hand({"alg": "HS256", "kid": key["kid"]}, ours, public),
        "our public key as a secret, by RS256": by_hand({"alg": "RS256", "kid": key["kid"]}, ours, public),
        "the empty secret": by_hand({"alg": "HS256"}, {"sub": "ann", "org": org_of(club), "exp": now + 600}, b""),
        "another organisation's secret": jwt.encode(
            {"sub": "ann", "org": org_of(club), "exp": now + 600}, server.jwt_secrets[org_of(other)], algorithm="HS256"
        ),
        "a stranger's key by our key's name": jwt.encode(
            ours, stranger, algorithm="RS256", headers={"kid": key["kid"]}
        ),
        "a stranger's key by the provider's key's name": jwt.encode(
            claims, stranger, algorithm="RS256", headers={"kid": "rsa", **theirs}
        ),
        "another of the provider's keys": jwt.encode(
            claims, provider.keys["rsa"][0], algorithm="RS256", headers={"kid": "ec"}
        ),
        "a path as the key's name": jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": "../../dev/null"}),
        "no name of a key": jwt.encode(claims, provider.keys["rsa"][0], algorithm="RS256"),
        "an algorithm that is not settled": jwt.encode(
            claims, provider.keys["rsa"][0], algorithm="PS256", headers={"kid": "rsa"}
        ),
        "another user in our token": f"{head}.{_encoded(changed)}.{signature}",
        "our token without its signature": f"{head}.{body}.",
        "for somebody else": provider.token(aud="another-app"),
        "for nobody": provider.token(aud=None),
        "of somebody else": provider.token(iss="https://evil.example.com"),
        "expired": provider.token(exp=now - 120),
        "not yet valid": provider.token(nbf=now + 120),
        "for ever": provider.token(exp=None),
        "of nobody": provider.token(sub=None),
        "of a user with no name": provider.token(sub=""),
        "of a user with a strange name": provider.token(sub="a\nb"),
        "of the other provider's audience": provider.token(aud="club"),
        "noise": "a.b.c",
        "long noise": "a." + "b" * 9_000 + ".c",
    }


def test_forgeries_open_nothing(server, club, other, provider):
    forgeries = _forgeries(server, club, other, provider)
    for name, token in forgeries.items():
        response = me(club, token)
        assert response.status_code == 401, (name, response.text)
        assert "WWW-Authenticate" in response.headers
        given = exchange(club, token)
        assert (given.status_code, given.json()["error"]) == (400, "invalid_grant"), (name, given.text)


def test_a_token_of_one_organisation_opens_no_other(server, club, other, provider):
    ours = exchange(club, provider.token()).json()["access_token"]
    shared = jwt.encode(
        {"sub": "ann", "org": org_of(club), "exp": int(time.time()) + 60}, server.jwt_secrets[org_of(club)]
    )
    for token in (ours, shared, provider.token()):
        assert me(club, token).status_code == 200
        assert me(other, token).status_code == 401
    unnamed = me(club, provider.token(), **{"X-Monterosa-Org-ID": None})
    assert (unnamed.status_code, unnamed.json()["error"]["code"]) == (400, "org_missing")


def test_a_space_has_a_name(club, provider):
    token = provider.token()
    assert user_of(me(club, token, **{"X-Monterosa-Org-ID": None, "Host": "club.spaces.test"})) == "ann"
    assert me(club, token, **{"X-Monterosa-Org-ID": None, "Host": "nobody.spaces.test"}).status_code == 404
    config = httpx.get(f"{club.base_url}/api/loyalty/config", headers={"Host": "club.spaces.test"})
    assert config.status_code == 200


def test_tokens_by_secret_can_be_refused(server, other):
    shared = jwt.encode(
        {"sub": "eve", "org": org_of(other), "exp": int(time.time()) + 60}, server.jwt_secrets[org_of(other)]
    )
    assert me(other, shared).status_code == 200
    ok(other.put("/v1/settings", json={"sharedSecretTokens": False}))
    again = jwt.encode(
        {"sub": "eva", "org": org_of(other), "exp": int(time.time()) + 60}, server.jwt_secrets[org_of(other)]
    )
    assert me(other, again).status_code == 401


def test_members_and_servers_have_doors_of_their_own(club, provider):
    token = provider.token()
    headers = {"Authorization": f"Bearer {token}", "X-Monterosa-Org-ID": org_of(club)}
    for path in ("/v1/campaigns", "/v1/profiles/ann", "/api/audience/ann", "/api/loyalty/admin/users"):
        response = httpx.get(f"{club.base_url}{path}", headers=headers)
        assert response.status_code == 403, path
    assert club.get("/api/loyalty/me").json()["error"]["code"] == "members_only"


def test_pages_of_settled_origins_may_call(club, other, provider):
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    url = f"{club.base_url}/api/loyalty/me/profile"
    good = httpx.options(url, headers={"Origin": "https://club.example.com", **asked})
    assert good.status_code == 204
    assert good.headers["Access-Control-Allow-Origin"] == "https://club.example.com"
    assert "Authorization" in good.headers["Access-Control-Allow-Headers"]
    assert (
        "Access-Control-Allow-Origin"
        not in httpx.options(url, headers={"Origin": "https://evil.example.com", **asked}).headers
    )
    for origin, allowed in (
        ("https://club.example.com", "https://club.example.com"),
        ("https://evil.example.com", None),
    ):
        response = me(club, provider.token(), Origin=origin)
        assert response.status_code == 200
        assert response.headers.get("Access-Control-Allow-Origin") == allowed
        assert "Origin" in response.headers["Vary"]
    # The origin is the club's: the other organisation's responses are not shown to its pages.
    assert (
        "Access-Control-Allow-Origin"
        not in other.get("/v1/campaigns", headers={"Origin": "https://club.example.com"}).headers
    )
    refused = me(club, "a.b.c", Origin="https://club.example.com")
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, "https://club.example.com")


def test_wrong_settings_of_providers_are_named(club):
    good = {"providerId": "x", "issuer": "https://x", "audiences": ["a"], "jwksUrl": "https://x/jwks"}
    for wrong, field in (
        ({"audiences": []}, "identityProviders[0].audiences"),
        ({"jwksUrl": "file:///etc/passwd"}, "identityProviders[0].jwksUrl"),
        ({"algorithms": ["HS256"]}, "identityProviders[0].algorithms[0]"),
    ):
        response = club.put("/v1/settings", json={"identityProviders": [good | wrong]})
        assert response.status_code == 400, response.text
        assert field in response.text, response.text
    twice = club.put("/v1/settings", json={"identityProviders": [good, good]})
    assert "identityProviders[1].issuer" in twice.text
