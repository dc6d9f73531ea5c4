"""Asks an application without a network, and holds every answer against the API document.

Whatever a test asks is validated: status, content type and body of each answer must be what the OpenAPI document
of the same application says.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import msgspec

from thv.apps.kit.http.routing import Routes
from thv.apps.kit.http.server import HttpServer


class Reply(msgspec.Struct, frozen=True):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        packed = self.headers.get("content-encoding") == "gzip"
        return json.loads(gzip.decompress(self.body) if packed else self.body)

    @property
    def code(self) -> str:
        """The code word of an error, in either form."""
        found: str = (
            self.json["error"]["code"]
            if isinstance(self.json["error"], dict)
            else self.json["code"]
        )
        return found

    @property
    def field(self) -> str | None:
        body = self.json
        details = body["error"]["details"] if isinstance(body["error"], dict) else body["details"]
        found: str | None = details.get("field")
        return found

    @property
    def names(self) -> list[str]:
        """Who is on a page."""
        return [item.get("name") or item["server"]["name"] for item in self.json["servers"]]


class Client:
    """Asks one application."""

    def __init__(self, app: HttpServer, *, host: str = "registry.test") -> None:
        self.app = app
        self.host = host
        self._rules: dict[str, Rules] = {}
        self.asked: set[str] = set()

    async def get(self, target: str, **headers: str) -> Reply:
        return await self.ask("GET", target, **headers)

    async def ask(self, method: str, target: str, **headers: str) -> Reply:
        """`headers` are given with underscores."""
        reply = await self.send(method, target, headers)
        if method in ("GET", "HEAD"):
            rules = await self._rules_of(target)
            template = rules.check(method, target, reply)
            if template:
                self.asked.add(template)
        return reply

    async def post(self, target: str, body: Any, **headers: str) -> Reply:
        """With a body of JSON."""
        content = json.dumps(body).encode()
        told = {
            "content-type": "application/json",
            "content-length": str(len(content)),
            **headers,
        }
        return await self.send("POST", target, told, content)

    async def _rules_of(self, target: str) -> Rules:
        parts = target.split("/")
        base = "/".join(parts[:4]) if target.startswith("/r/") and len(parts) > 3 else ""
        if base not in self._rules:
            document = await self.send("GET", f"{base}/openapi.json")
            self._rules[base] = Rules(document.json if document.status == 200 else EMPTY, base)
        return self._rules[base]

    async def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> Reply:
        """Without a look at the document."""
        path, _, query = target.partition("?")
        pairs = {
            "host": self.host,
            **{name.replace("_", "-"): value for name, value in (headers or {}).items()},
        }
        scope = {
            "type": "http",
            "method": method,
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode(),
            "headers": [
                (name.lower().encode(), value.encode("latin-1")) for name, value in pairs.items()
            ],
            "client": ("127.0.0.1", 50000),
            "scheme": "http",
        }
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        await self.app(scope, receive, send)
        start = sent[0]
        names = [name.decode() for name, _ in start["headers"]]
        assert len(set(names)) == len(names), f"a header is sent twice: {names}"
        found = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        body = b"".join(message.get("body", b"") for message in sent[1:])
        check_always(method, start["status"], found, body)
        return Reply(start["status"], found, body)


def check_always(method: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """What holds for every answer."""
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] in ("same-origin", "cross-origin")
    assert headers["vary"].startswith("Accept, Accept-Encoding, Authorization")
    assert headers["x-request-id"]
    if status >= 400 and status != 403:
        assert headers["cache-control"] == "no-store"
    if method == "HEAD" or status in (204, 304):
        assert body == b""
    elif "content-length" in headers:
        assert int(headers["content-length"]) == len(body)


EMPTY: Any = {"paths": {}, "components": {"schemas": {}}}


class Rules:
    """What an OpenAPI document says about answers."""

    def __init__(self, document: Any, base: str) -> None:
        self._base = base
        self._components = document["components"]
        self._validators: dict[str, Any] = {}
        self._routes: Routes[tuple[str, Any]] = Routes(
            (path.replace("{serverName}", "{name}"), (path, item))
            for path, item in document["paths"].items()
        )

    def check(self, method: str, target: str, reply: Reply) -> str:
        """The template that was asked, `""` for none of the document's."""
        path = target.partition("?")[0].removeprefix(self._base)
        found = self._routes.find(path.encode("latin-1"))
        if found is None or "get" not in found[0][1]:
            return ""
        template, item = found[0]
        responses = item["get"]["responses"]
        assert str(reply.status) in {**responses, "308": None}, (target, reply.status)
        if method == "GET" and reply.status not in (204, 304, 308):
            response = self._resolved(responses[str(reply.status)])
            kind = reply.headers["content-type"].partition(";")[0]
            assert kind in response["content"], (target, kind)
            if kind.endswith("json"):
                schema = response["content"][kind]["schema"]
                self._validate(schema, reply.json, f"{target} -> {reply.status}")
            self._check_headers(response.get("headers", {}), reply, target)
        return template

    def _resolved(self, value: Any) -> Any:
        """What a reference into the components stands for."""
        if "$ref" not in value:
            return value
        kind, name = value["$ref"].removeprefix("#/components/").split("/")
        return self._components[kind][name]

    def _check_headers(self, described: Any, reply: Reply, target: str) -> None:
        for name, header in described.items():
            value = reply.headers[name.lower()]
            self._validate(self._resolved(header)["schema"], value, f"{target} -> {name}")

    def _validate(self, schema: Any, value: Any, where: str) -> None:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {**schema, "components": {"schemas": self._components["schemas"]}}
            self._validators[key] = jsonschema_rs.validator_for(whole, validate_formats=True)
        errors = [
            f"{error.instance_path}: {error.message[-300:]}"
            for error in self._validators[key].iter_errors(value)
        ]
        assert not errors, f"{where}: {errors[:5]}"
