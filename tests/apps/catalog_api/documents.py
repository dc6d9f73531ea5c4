"""A web server with documents, as sources that somebody tries."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Documents:
    """What is there, by path, and what was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.content: dict[str, bytes] = {}
        self.tokens: list[str | None] = []
        self.silent = threading.Event()
        """Until it is set, a path that nothing is at gets no answer."""

    @property
    def place(self) -> str:
        """As an allow-list has it."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.place}{path}"


@contextmanager
def documents() -> Iterator[Documents]:
    """On this machine, which sources may not reach unless somebody allows it."""
    there = Documents()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there.tokens.append(self.headers.get("Authorization"))
            content = there.content.get(self.path)
            if content is None:
                there.silent.wait(30)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            """Tests say what matters."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        there.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield there
        finally:
            there.silent.set()
            server.shutdown()
            thread.join()
