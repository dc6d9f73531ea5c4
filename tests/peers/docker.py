"""As much of the Docker Engine API as `thv run` needs until it creates a container, which is then refused.

with DockerStub(folder) as docker:
    ...                     # a program with TOOLHIVE_DOCKER_SOCKET=docker.socket
    assert docker.created == ["ghcr.io/example/osv:1.0.0"]
"""

from __future__ import annotations

import json
import re
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self

_VERSION = re.compile(r"^/v\d+\.\d+")
_REFUSAL = "containers are only counted here"


class DockerStub:
    """It has every image and no container; it is ended with its context."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "docker.sock"
        self.asked: list[str] = []
        self.created: list[str] = []
        """The images of containers that somebody wanted."""
        self._server = _Server(str(self.socket), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status and JSON of one request."""
        self.asked.append(f"{method} {path}")
        match method, path.split("/")[1:]:
            case "GET", ["containers", "json"] | ["networks"]:
                return 200, []
            case "POST", ["networks", "create"]:
                return 201, {"Id": "network", "Warning": ""}
            case "GET", ["images", *_, "json"]:
                return 200, {"Id": f"sha256:{'0' * 64}", "Os": "linux", "Architecture": "amd64"}
            case "POST", ["containers", "create"]:
                self.created.append(json.loads(body)["Image"])
                return 400, {"message": _REFUSAL}
            case _:
                return 404, {"message": f"no {path}"}


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False


def _handler(stub: DockerStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815 # names of the base class

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            path = _VERSION.sub("", self.path.partition("?")[0])
            if path == "/_ping":
                self._send(200, b"OK", "text/plain")
                return
            status, said = stub.answer(self.command, path, body)
            self._send(status, json.dumps(said).encode(), "application/json")

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Api-Version", "1.47")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def address_string(self) -> str:
            return "socket"

        def log_message(self, *_: object) -> None:
            return

    return Handler
