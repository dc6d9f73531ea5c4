"""Spans as OpenTelemetry's collectors take them: the JSON form of OTLP over HTTP.

In the flow: last. What happened is a value long before; here it is written and sent. The few fields that are used do
not need the SDK, which with its exporter takes 16 MB of memory in each pod.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

Attributes: TypeAlias = Mapping[str, str | int]

PATH = "/v1/traces"
_KINDS = {"internal": 1, "server": 2}
_ERROR = 2
_LONGEST_LINE = 8 << 10


class ExportError(Exception):
    """The collector did not take them; the text is for a person."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Something that took time."""

    trace: str
    """32 hex digits."""
    id: str
    """16 hex digits."""
    parent: str = ""
    name: str
    kind: Literal["internal", "server"] = "internal"
    began: int
    """Nanoseconds since 1970."""
    ended: int
    attributes: Attributes = {}
    error: str = ""
    """What went wrong; `""` when nothing did."""


class Collector(msgspec.Struct, frozen=True, kw_only=True):
    """Where spans go."""

    host: str
    port: int
    path: str
    encrypted: bool

    @classmethod
    def at(cls, url: str) -> Collector:
        """Of `http://collector.monitoring.svc:4318`; raises ValueError for what is no such URL."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("it is no http or https URL without user name and password")
        encrypted = parts.scheme == "https"
        path = parts.path.rstrip("/")
        return cls(
            host=parts.hostname,
            port=parts.port or (443 if encrypted else 80),
            path=path if path.endswith(PATH) else path + PATH,
            encrypted=encrypted,
        )

    async def take(self, body: bytes, *, seconds: float) -> None:
        """Sends what `encoded` made; raises ExportError."""
        try:
            async with asyncio.timeout(seconds):
                status = await self._post(body)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            raise ExportError(str(error) or "no answer in time") from error
        if not 200 <= status < 300:
            raise ExportError(f"it answers with status {status}")

    async def _post(self, body: bytes) -> int:
        tls = ssl.create_default_context() if self.encrypted else None
        reader, writer = await asyncio.open_connection(
            self.host, self.port, ssl=tls, limit=_LONGEST_LINE
        )
        try:
            writer.write(self._head(len(body)) + body)
            await writer.drain()
            return int((await reader.readline()).split()[1])
        except IndexError as error:
            raise EOFError("it ended the connection without an answer") from error
        finally:
            writer.close()

    def _head(self, length: int) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = (
            f"POST {self.path} HTTP/1.1",
            f"Host: {host}:{self.port}",
            "Content-Type: application/json",
            f"Content-Length: {length}",
            "Connection: close",
        )
        return "\r\n".join([*lines, "", ""]).encode("ascii")


def encoded(spans: Iterable[Span], *, resource: Attributes, scope: str) -> bytes:
    """The body of one request."""
    return msgspec.json.encode(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": _pairs(resource)},
                    "scopeSpans": [
                        {"scope": {"name": scope}, "spans": [_plain(span) for span in spans]}
                    ],
                }
            ]
        }
    )


def _plain(span: Span) -> dict[str, Any]:
    found: dict[str, Any] = {
        "traceId": span.trace,
        "spanId": span.id,
        "name": span.name,
        "kind": _KINDS[span.kind],
        "startTimeUnixNano": str(span.began),
        "endTimeUnixNano": str(span.ended),
        "attributes": _pairs(span.attributes),
    }
    if span.parent:
        found["parentSpanId"] = span.parent
    if span.error:
        found["status"] = {"code": _ERROR, "message": span.error}
    return found


def _pairs(attributes: Attributes) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value},
        }
        for key, value in attributes.items()
    ]
