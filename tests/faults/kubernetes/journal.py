"""Every write that went through the proxy: what it was about, what it did, and when."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

import msgspec

from tests.faults.kubernetes.wire import Head, Message

WRITES = {"POST", "PUT", "PATCH", "DELETE"}
PASSING = {
    "leases",
    "events",
    "tokenreviews",
    "subjectaccessreviews",
    "selfsubjectaccessreviews",
    "selfsubjectreviews",
}
"""Resources whose writes leave nothing behind that a user owns."""


@dataclass(frozen=True)
class Target:
    """What a request is about, read from its path."""

    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> str:
        """`configmaps/name`; without a name the whole collection."""
        return f"{self.resource}/{self.name}"

    def __str__(self) -> str:
        return f"{self.key}/{self.subresource}" if self.subresource else self.key


def target_of(head: Head) -> Target:
    path, _, query = head.line.split(" ")[1].partition("?")
    parts = [unquote(part) for part in path.strip("/").split("/")]
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource, name, subresource = (*rest, "", "", "")[:3]
    return Target(resource, namespace, name, subresource, dict(parse_qsl(query)))


class _Metadata(msgspec.Struct):
    name: str = ""


class _Named(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


def _name_in(reply: Message) -> str:
    """The name that an object was created with, `""` when the answer is no JSON (kubectl asks for protobuf)."""
    if not reply.head["content-type"].startswith("application/json"):
        return ""
    return msgspec.json.decode(reply.body, type=_Named).metadata.name


@dataclass(frozen=True)
class Write:
    """One write that the API server carried out."""

    method: str
    target: Target
    status: int
    at: float
    """Of the monotonic clock."""
    number: int = 0
    """Among those that count, from 1; 0 for what leaves nothing behind."""

    @property
    def created(self) -> bool:
        return self.status == 201 and not self.target.subresource

    @property
    def deleted(self) -> bool:
        return self.method == "DELETE"

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


class Journal:
    """The writes so far; filled by the proxy's thread, read by tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.writes: list[Write] = []
        self.counted = 0
        self.requests = 0
        self._last = time.monotonic()
        self._leading = 0.0

    def see(self, target: Target) -> None:
        """Any request, before anything becomes of it."""
        with self._lock:
            self.requests += 1
            if target.resource != "leases" and "watch" not in target.query:
                self._last = time.monotonic()

    def add(self, method: str, target: Target, reply: Message) -> Write | None:
        """The write, None when the request changed nothing."""
        if method not in WRITES or reply.head.status >= 300 or "dryRun" in target.query:
            return None
        if method == "POST" and not target.name:
            target = Target(target.resource, target.namespace, _name_in(reply))
        with self._lock:
            number, now = 0, time.monotonic()
            if target.resource not in PASSING:
                self.counted += 1
                number = self.counted
            if target.resource == "leases":
                self._leading = now
            write = Write(method, target, reply.head.status, now, number)
            self.writes.append(write)
            return write

    def quiet_for(self) -> float:
        """Seconds since the last request that was neither about a lease nor the begin of a watch."""
        return time.monotonic() - self._last

    def led_since(self, moment: float) -> bool:
        """Whether somebody took or renewed a lease after this moment of the monotonic clock."""
        return self._leading > moment

    def mark(self) -> int:
        """A place to read on from."""
        return len(self.writes)

    def since(self, mark: int, namespace: str = "") -> list[Write]:
        """Writes that count, in one namespace or in all."""
        return [
            write
            for write in self.writes[mark:]
            if write.number and (not namespace or write.target.namespace == namespace)
        ]

    def counts(
        self, which: Callable[[Write], bool], mark: int = 0, namespace: str = ""
    ) -> Counter[str]:
        """How many of these writes each object had."""
        return Counter(write.target.key for write in self.since(mark, namespace) if which(write))
