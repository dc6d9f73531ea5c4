"""Raw paths: cut at `/` first, decoded afterwards, and only once.

In the flow: the first thing that `routing` does. Names of servers may hold a `/`, so what is one segment is
decided here, before anybody decodes.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class BadSegmentError(ValueError):
    """A segment cannot be text."""


def segments_of(path: bytes) -> list[bytes]:
    """The segments behind the first slash."""
    return path.split(b"/")[1:]


def decoded(segment: bytes) -> str:
    """A segment as text; raises BadSegmentError for control characters and what is not UTF-8."""
    # A slash is what is encoded most; to unquote takes as long as all else of this.
    plain = segment.replace(b"%2F", b"/") if b"%" in segment else segment
    if b"%" in plain:
        plain = unquote_to_bytes(plain)
    try:
        text = plain.decode()
    except UnicodeDecodeError as error:
        raise BadSegmentError("is not valid UTF-8 after decoding") from error
    if not text.isprintable() and _CONTROL.search(text):
        raise BadSegmentError("must not contain control characters")
    return text


def holds_slash(segment: bytes) -> bool:
    """Whether a `/` was encoded into the segment."""
    return b"%2F" in segment or b"%2f" in segment


def encoded(text: str) -> str:
    """A text as one segment of a path."""
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in text.encode("utf-8"))
