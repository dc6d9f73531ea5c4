"""The official MCP registry: its own program over PostgreSQL, and what one asks it.

    with Postgres() as postgres, Official(postgres, log) as official:
        official.publish("demo", "1.0.0")
        official.set_status("demo", "1.0.0", "deleted")
        official.items(include_deleted="true")

Names are those that anybody may publish: io.modelcontextprotocol.anonymous/...
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlencode

from tests.peers.postgres import Postgres
from tests.peers.programs import OFFICIAL
from tests.peers.waiting import PATIENCE, until
from tests.ports import free_port

DATABASE = "mcp-registry"
NAMESPACE = "io.modelcontextprotocol.anonymous"
SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
META = "io.modelcontextprotocol.registry/official"
_TOKEN_AGE = 200.0
"""Seconds; a token lives for 300."""

Json = dict[str, Any]
Key = tuple[str, str]


class Answer(NamedTuple):
    status: int
    body: Any


class Asking:
    """A client of one base that speaks the official API, over one connection."""

    def __init__(self, port: int, base: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._base = base

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        if body is not None:
            headers["Content-Type"] = "application/json"
        said = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, self._base + path, said, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (ConnectionError, http.client.RemoteDisconnected):
            self._connection.close()
            raise
        return Answer(response.status, json.loads(content) if content else None)

    def items(self, **query: str) -> list[Json]:
        """Every item of the list, page by page."""
        found: list[Json] = []
        cursor = ""
        while True:
            asked = {"limit": "100", **query, **({"cursor": cursor} if cursor else {})}
            answer = self.ask("GET", f"/v0.1/servers?{urlencode(asked)}")
            assert answer.status == 200, answer
            found += answer.body["servers"]
            cursor = answer.body["metadata"].get("nextCursor", "")
            if not cursor:
                return found


class Official(Asking):
    """The registry; it ends with its context."""

    def __init__(
        self,
        postgres: Postgres,
        log: Path,
        *,
        seed: Path | None = None,
        before: Sequence[str] = (),
        database: str = DATABASE,
        **settings: str,
    ) -> None:
        """`before` are words before the command; `settings` are names of its own without MCP_REGISTRY_."""
        self.port = free_port()
        self.database = database
        super().__init__(self.port)
        self._log = log
        self._command = [*before, str(OFFICIAL.find_or_build())]
        self._environ = {
            "SERVER_ADDRESS": f"127.0.0.1:{self.port}",
            "DATABASE_URL": f"{postgres.url(database)}?sslmode=disable",
            "JWT_PRIVATE_KEY": secrets.token_hex(32),
            "ENABLE_ANONYMOUS_AUTH": "true",
            "ENABLE_REGISTRY_VALIDATION": "false",
            **({"SEED_FROM": str(seed)} if seed else {}),
            **settings,
        }
        self._token = ("", 0.0)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        environ = {f"MCP_REGISTRY_{name}": value for name, value in self._environ.items()}
        with self._log.open("wb") as file:
            self._process = subprocess.Popen(
                self._command,
                env={"PATH": os.environ["PATH"], **environ},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            until(self._is_ready)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def publish(self, name: str, version: str, **more: Any) -> None:
        """A new version of a server."""
        server = {
            "$schema": SCHEMA,
            "name": f"{NAMESPACE}/{name}",
            "description": f"The server {name}",
            "version": version,
            **more,
        }
        self._change("POST", "/v0.1/publish", server)

    def edit(self, name: str, version: str, **more: Any) -> None:
        """Other content of a version that is there."""
        path = f"/v0.1/servers/{quote(f'{NAMESPACE}/{name}', safe='')}/versions/{quote(version, safe='')}"
        server = self.ask("GET", path).body["server"]
        self._change("PUT", path, {**server, **more})

    def set_status(self, name: str, version: str, status: str, message: str = "") -> None:
        """Of one version, of all of them with `""`."""
        path = f"/v0.1/servers/{quote(f'{NAMESPACE}/{name}', safe='')}"
        one = f"/versions/{quote(version, safe='')}" if version else ""
        body = {"status": status, **({"statusMessage": message} if message else {})}
        self._change("PATCH", f"{path}{one}/status", body)

    def _change(self, method: str, path: str, body: Json) -> None:
        answer = self.ask(method, path, body, Authorization=f"Bearer {self._fresh_token()}")
        assert answer.status == 200, (method, path, body, answer)

    def _fresh_token(self) -> str:
        token, made = self._token
        if time.monotonic() - made > _TOKEN_AGE or not token:
            token = self.ask("POST", "/v0.1/auth/none").body["registry_token"]
            self._token = (token, time.monotonic())
        return token

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            return self.ask("GET", "/v0.1/health").status == 200
        except OSError:
            self.close()
            return False


def key_of(item: Json) -> Key:
    return item["server"]["name"], item["server"]["version"]


def official_of(item: Json) -> Json:
    """What the registry itself says of an item."""
    found: Json = item["_meta"][META]
    return found
