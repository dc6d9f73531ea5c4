"""An API server that lags: what it would have said some seconds ago, taken from the history that etcd keeps.

Older states are read by listing at an exact resource version, so that every answer is one that was true then.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlencode

import msgspec

from tests.control_plane.plane import ControlPlane
from tests.faults.kubernetes.journal import Target
from tests.faults.kubernetes.wire import Head, Message, answer
from thv.domain.canonical import JsonObject

EVERY = 0.25
_VERSION = re.compile(rb'"resourceVersion":"(\d+)"')


class History:
    """Which resource version was the last one when."""

    def __init__(self, now: Callable[[], str]) -> None:
        """`now` asks the API server for its present version."""
        self._now = now
        self._marks: deque[tuple[float, str]] = deque(maxlen=1200)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()

    def before(self, seconds: float) -> str:
        """The version so long ago, `""` when that is not known."""
        limit = time.monotonic() - seconds
        return next((version for at, version in reversed(self._marks) if at <= limit), "")

    def _look(self) -> None:
        while not self._end.wait(EVERY):
            began = time.monotonic()
            self._marks.append((began, self._now()))


class Shown:
    """The newest state that a client was shown by reads and watches.

    A server may begin to lag, but not go back: who was told of an object, and looks, finds it. Its own writes tell a
    client nothing here, so that it reads what was true before them.
    """

    def __init__(self) -> None:
        self._newest = 0

    def see(self, content: bytes) -> None:
        """Objects, lists or events."""
        self._newest = max(self._newest, *map(int, _VERSION.findall(content)), 0)

    def limit(self, version: str) -> str:
        """This version, or what was shown if that is newer; `""` stays what it is: unknown."""
        return str(max(int(version), self._newest)) if version else ""


def present_version(plane: ControlPlane) -> str:
    listed = plane.request("GET", "/api/v1/namespaces?limit=1")
    return str(listed["metadata"]["resourceVersion"])


def as_list(request: Message, target: Target, version: str) -> Message:
    """The same read as a list at this version: a list stays one, of an object it is the list of its name."""
    query = {k: v for k, v in target.query.items() if not k.startswith("resourceVersion")}
    query |= {"resourceVersion": version, "resourceVersionMatch": "Exact"}
    method, path, protocol = request.head.line.split(" ")
    path = path.partition("?")[0]
    if target.name:
        path = path.rpartition("/")[0]
        query["fieldSelector"] = f"metadata.name={target.name}"
    headers = tuple((name, _for_lists(value)) for name, value in request.head.headers)
    return Message(Head(f"{method} {path}?{urlencode(query)} {protocol}", headers))


def _for_lists(value: str) -> str:
    return value.replace("PartialObjectMetadata;", "PartialObjectMetadataList;")


def from_list(listed: Message, target: Target) -> Message:
    """The answer to the read that was asked as a list."""
    if not target.name:
        return listed
    found: JsonObject = msgspec.json.decode(listed.body)
    if not found["items"]:
        return _not_found(target)
    kind = {"kind": found["kind"].removesuffix("List"), "apiVersion": found["apiVersion"]}
    return replace(listed, body=msgspec.json.encode({**kind, **found["items"][0]}))


def _not_found(target: Target) -> Message:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f'{target.resource} "{target.name}" not found',
        "reason": "NotFound",
        "details": {"name": target.name, "kind": target.resource},
        "code": HTTPStatus.NOT_FOUND,
    }
    return answer(404, msgspec.json.encode(status))


def can_lag(target: Target, version: str) -> bool:
    """Whether this is a read of objects whose past is known."""
    return bool(
        version and target.resource and not target.subresource and "continue" not in target.query
    )
