"""A real HTTP server that webhooks lead to: slow, failing, redirecting, hanging, as told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.eventually import eventually


class Receiver:
    """What came, in its order. `behave` returns the status for the n-th request (from 1), or sleeps before.

    `headers` are sent with each response. One of which `ends` is false announces a body and never sends it.
    """

    def __init__(self, behave=lambda *_: 200) -> None:
        self.behave = behave
        self.headers: dict[str, str] = {}
        self.ends = True
        self.requests: list[tuple[dict, bytes, int]] = []
        outer = self
        turn = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with turn:
                    number = len(outer.requests) + 1
                    outer.requests.append(({k.lower(): v for k, v in self.headers.items()}, body, 0))
                status = outer.behave(number, json.loads(body))
                outer.requests[number - 1] = (*outer.requests[number - 1][:2], status)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0" if outer.ends else "10")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def messages(self) -> list[dict]:
        """What was taken with a 2xx, in its order."""
        return [json.loads(body) for _, body, status in self.requests if 200 <= status < 300]

    def wait_for(self, number: int) -> list[dict]:
        """Return the messages as soon as there are so many."""
        eventually(lambda: len(self.messages) >= number, show=lambda: [status for _, _, status in self.requests])
        return self.messages

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
