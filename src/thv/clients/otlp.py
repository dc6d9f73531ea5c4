"""Spans as OpenTelemetry's collectors take them: the JSON form of OTLP over HTTP.

In the flow: last. What happened is a value long before; here it is written and sent. The few fields that are used do
not need the SDK, which with its exporter takes 16 MB of memory in each pod.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import httpx2
import msgspec

Attributes: TypeAlias = Mapping[str, str | int]

PATH = "/v1/traces"
_KINDS = {"internal": 1, "server": 2}
_ERROR = 2
_PORTS = {"http": 80, "https": 443}
_HEADERS = {"Content-Type": "application/json"}


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


class Collector(msgspec.Struct, frozen=True):
    """Where spans go."""

    url: str

    @classmethod
    def at(cls, url: str) -> Collector:
        """Of `http://collector.monitoring.svc:4318`; raises ValueError for what is no such URL."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("it is no http or https URL without user name and password")
        _ = parts.port  # raises for one that is no number
        path = parts.path.rstrip("/")
        path = path if path.endswith(PATH) else path + PATH
        return cls(urlunsplit((parts.scheme, parts.netloc, path, "", "")))

    @property
    def port(self) -> int:
        """What a NetworkPolicy must let through."""
        parts = urlsplit(self.url)
        return parts.port or _PORTS[parts.scheme]

    async def take(self, body: bytes, *, seconds: float) -> None:
        """Sends what `encoded` made; raises ExportError."""
        try:
            async with asyncio.timeout(seconds):
                status = await self._post(body)
        except (OSError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ExportError(str(error) or "no answer in time") from error
        if not 200 <= status < 300:
            raise ExportError(f"it answers with status {status}")

    async def _post(self, body: bytes) -> int:
        trusted = ssl.create_default_context()
        async with (
            httpx2.AsyncClient(verify=trusted, timeout=None, trust_env=False) as client,
            client.stream("POST", self.url, content=body, headers=_HEADERS) as answer,
        ):
            return answer.status_code  # what it says besides is not read


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
