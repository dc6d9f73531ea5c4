"""An API server that says other things than the real one behind it, and writes down what it was asked."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.control_plane.plane import ControlPlane


@dataclass
class Meddler:
    """What it does to answers."""

    url: str = ""
    version: str = ""
    date: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Methods and paths."""


@contextmanager
def meddling(plane: ControlPlane, *, version: str = "", date: str = "") -> Iterator[Meddler]:
    """On a port of its own, in plain HTTP; whoever asks is the administrator."""
    meddler = Meddler(version=version, date=date)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass("GET")

        def do_POST(self) -> None:
            self._pass("POST")

        def _pass(self, method: str) -> None:
            meddler.asked.append((method, self.path))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            there = http.client.HTTPSConnection(plane.host, plane.port, context=plane.tls)
            try:
                there.request(method, self.path, body, {"Content-Type": "application/json"})
                answer = there.getresponse()
                said = answer.read()
            finally:
                there.close()
            if meddler.version and self.path == "/version":
                said = json.dumps({**json.loads(said), "gitVersion": meddler.version}).encode()
            self.send_response_only(answer.status)
            self.send_header("Date", meddler.date or str(answer.headers["Date"]))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        meddler.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield meddler
        finally:
            server.shutdown()
            thread.join()
