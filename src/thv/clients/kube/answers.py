"""What an API server answers, read within bounds: bodies, lines of a watch, and refusals as errors.

In the flow: between the wire and the client. Nothing here sends.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from thv.clients.http.errors import DecodingError
from thv.clients.http.unpack import unpacker
from thv.clients.kube.errors import UNREADABLE, KubeError, KubeTooLargeError

JsonObject = dict[str, Any]

_SHOWN = 200
_WARNING = re.compile(r'(\d{3}) \S+ "((?:[^"\\]|\\.)*)"')
_MISCELLANEOUS = "299"
"""The code of what an API server warns of; the others of the header are about caches."""


class Lines:
    """Cuts what comes into lines; holds at most one unfinished line."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that this piece completes, without those that are empty."""
        *whole, rest = piece.split(b"\n")
        for line in whole:
            complete = bytes(self._rest) + line if self._rest else line
            self._rest.clear()
            self._require_within(len(complete))
            if complete.strip():
                yield complete
        self._rest += rest
        self._require_within(len(self._rest))

    @property
    def unfinished(self) -> bool:
        """Whether a line has begun."""
        return bool(self._rest.strip())

    @property
    def rest(self) -> bytes:
        """What came of it."""
        return bytes(self._rest)

    def _require_within(self, size: int) -> None:
        if size > self._limit:
            raise _too_large("a line of a watch", self._limit)


async def read_body(
    pieces: AsyncIterator[bytes], encoding: str, limit: int, what: str
) -> bytearray:
    """All of a body, unpacked; raises KubeTooLargeError when it is larger than the limit, packed or unpacked."""
    body, packed = bytearray(), 0
    try:
        unpack = unpacker(encoding)
        async for piece in pieces:
            packed += len(piece)
            for part in unpack.feed(piece):
                body += part
                if max(packed, len(body)) > limit:
                    raise _too_large(what, limit)
        unpack.finish()
    except DecodingError as error:
        raise KubeError(f"{what}: {error.message}", status=200, reason=UNREADABLE) from error
    return body


def parse_object(text: bytes | bytearray, what: str) -> JsonObject:
    """The JSON object; raises KubeError when it is none."""
    try:
        return msgspec.json.decode(text, type=JsonObject)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message = f"{what}: the answer is no JSON object: {_begin(text)}"
        raise KubeError(message, status=200, reason=UNREADABLE) from error


def refusal(
    status: int, headers: Mapping[str, str], body: bytes | bytearray, what: str
) -> KubeError:
    """The error that an answer which is no success stands for."""
    told = _status_of(body)
    if told is None:
        message = f"{what}: {status} {_begin(body)}".rstrip()
        return KubeError(message, status=status, retry_after=_retry_after(headers, {}))
    return KubeError(
        str(told.get("message") or f"{what}: {status}"),
        status=status,
        reason=str(told.get("reason") or ""),
        details=_details(told),
        retry_after=_retry_after(headers, _details(told)),
    )


def warnings_in(headers: Iterable[str]) -> Iterator[str]:
    """What the server warns of, from its headers `Warning: 299 - "text"`."""
    for header in headers:
        for code, text in _WARNING.findall(header):
            if code == _MISCELLANEOUS and text:
                yield re.sub(r"\\(.)", r"\1", text)


def told_error(status: JsonObject) -> KubeError:
    """The error that a watch tells as its last event."""
    code = status.get("code")
    return KubeError(
        str(status.get("message") or "the watch failed"),
        status=code if isinstance(code, int) else 500,
        reason=str(status.get("reason") or ""),
        details=_details(status),
        retry_after=_retry_after({}, _details(status)),
    )


def _status_of(body: bytes | bytearray) -> JsonObject | None:
    try:
        found = msgspec.json.decode(body, type=JsonObject)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found if found.get("kind") == "Status" else None


def _details(status: JsonObject) -> JsonObject:
    details = status.get("details")
    return details if isinstance(details, dict) else {}


def _retry_after(headers: Mapping[str, str], details: JsonObject) -> float | None:
    """Seconds, from the header (a number or a date) or from the Status."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text[:9])
    if text:
        return _seconds_until(text)
    seconds = details.get("retryAfterSeconds")
    return float(seconds) if isinstance(seconds, int) and seconds > 0 else None


def _seconds_until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _too_large(what: str, limit: int) -> KubeTooLargeError:
    message = f"{what} has more than {limit:,} bytes"
    return KubeTooLargeError(message, status=200, reason=UNREADABLE)


def _begin(text: bytes | bytearray) -> str:
    """The beginning, on one line."""
    return " ".join(bytes(text[: _SHOWN * 4]).decode(errors="replace").split())[:_SHOWN]
