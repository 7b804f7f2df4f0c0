"""A browser that is pushed to, and its push service: it only knows the standards."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.eventually import eventually


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def subscription_at(endpoint: str, key: ec.EllipticCurvePrivateKey, auth: bytes) -> dict:
    """A browser's subscription, as `PushSubscription.toJSON()` gives it."""
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {"endpoint": endpoint, "expirationTime": None, "keys": {"p256dh": b64(point), "auth": b64(auth)}}


class PushBrowser:
    """A browser's side: its keys, and its push service, which responds as the test sets it."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = b"0123456789abcdef"
        self.status = 201
        self.came: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.origin = f"http://127.0.0.1:{self.server.server_port}"

    def subscription(self) -> dict:
        return subscription_at(f"{self.origin}/push/abc", self.key, self.auth)

    def read(self, number: int) -> dict:
        """What the n-th push says to who has the browser's key."""
        body = http_ece.decrypt(self.came[number][1], private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        return json.loads(body)

    def wait_for(self, number: int) -> None:
        eventually(lambda: len(self.came) >= number, show=lambda: self.came)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
