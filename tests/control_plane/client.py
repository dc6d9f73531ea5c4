"""Talks to the API server for the kubelet stand-in: requests, and objects that are kept up to date by a watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlencode

import httpcore2
import msgspec

from tests.control_plane.plane import ControlPlane, Json

Change = Literal["ADDED", "MODIFIED", "DELETED"]
MERGE = "application/merge-patch+json"
_TIMES = {"connect": 5.0, "read": 30.0, "write": 30.0, "pool": 30.0}
_WATCH = 240
_PAUSE = 0.2


class ApiError(Exception):
    """The API server refused; `status` is the one of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class AwayError(Exception):
    """The API server does not answer."""


class Client:
    """Requests as a user with all rights, from one event loop."""

    def __init__(self, plane: ControlPlane) -> None:
        self._base = plane.url
        self._pool = httpcore2.AsyncConnectionPool(ssl_context=plane.tls, max_connections=64)

    async def request(
        self, method: str, path: str, body: Json | None = None, *, kind: str = "application/json"
    ) -> Json:
        content = None if body is None else msgspec.json.encode(body)
        try:
            answer = await self._pool.request(
                method,
                self._base + path,
                headers={"Content-Type": kind},
                content=content,
                extensions={"timeout": _TIMES},
            )
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError) as e:
            raise AwayError(str(e)) from e
        if answer.status >= 400:
            raise ApiError(answer.status, answer.content.decode(errors="replace"))
        parsed: Json = msgspec.json.decode(answer.content)
        return parsed

    async def watch(self, path: str, version: str, seen: Callable[[Json], None]) -> None:
        """Hands over every event until the API server ends the watch."""
        asked = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(_WATCH)}
        times = {**_TIMES, "read": _WATCH + 30.0}
        try:
            async with self._pool.stream(
                "GET", f"{self._base}{path}?{urlencode(asked)}", extensions={"timeout": times}
            ) as answer:
                rest = b""
                async for part in answer.aiter_stream():
                    *lines, rest = (rest + part).split(b"\n")
                    for line in lines:
                        seen(msgspec.json.decode(line))
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError) as e:
            raise AwayError(str(e)) from e

    async def close(self) -> None:
        await self._pool.aclose()


class Informer:
    """All objects of a kind, by uid, and a call for each that changes."""

    def __init__(self, client: Client, path: str, changed: Callable[[Change, Json], None]) -> None:
        self.objects: dict[str, Json] = {}
        self.listed = asyncio.Event()
        self._client = client
        self._path = path
        self._changed = changed

    async def run(self) -> None:
        while True:
            try:
                version = await self._list()
                await self._client.watch(self._path, version, self._see)
            except (ApiError, AwayError):
                await asyncio.sleep(_PAUSE)

    async def _list(self) -> str:
        found = await self._client.request("GET", self._path)
        now = {item["metadata"]["uid"]: item for item in found["items"]}
        for uid in self.objects.keys() - now.keys():
            self._changed("DELETED", self.objects.pop(uid))
        for uid, item in now.items():
            self._keep("MODIFIED" if uid in self.objects else "ADDED", item)
        self.listed.set()
        return str(found["metadata"]["resourceVersion"])

    def _see(self, event: Json) -> None:
        item = event["object"]
        match event["type"]:
            case "ERROR":
                raise ApiError(item.get("code", 500), item.get("message", ""))
            case "DELETED":
                self.objects.pop(item["metadata"]["uid"], None)
                self._changed("DELETED", item)
            case change:
                self._keep(change, item)

    def _keep(self, change: Change, item: Json) -> None:
        self.objects[item["metadata"]["uid"]] = item
        self._changed(change, item)
