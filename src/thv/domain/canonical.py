"""Canonical JSON and the digest of an entry.

Two registries with the same content have the same digest whichever way the content came, so the digest is
taken over canonical bytes (RFC 8785) without what changes by itself: star and pull counts, times, ids. Integers
beyond 2^53 are hashed as written.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

JsonObject = dict[str, Any]

_sorted = msgspec.json.Encoder(order="sorted")
# A number with a fraction or an exponent, where a value may stand: behind a key, in a list, at the start. One
# literal byte at the front of a pattern is what the search goes by: three searches take half the time of one that
# begins with a choice. A match inside a string only costs time, but much, so the tags of images must not be one.
_FLOAT_OF_KEY = re.compile(rb'":-?\d+[.eE]')
_FLOAT_BEHIND = re.compile(rb",-?\d+[.eE]")
_FIRST_FLOAT = re.compile(rb"\[-?\d+[.eE]")
_LONE_FLOAT = re.compile(rb"-?\d+[.eE]")
# A key beyond the basic plane: such keys sort differently by UTF-8 and by UTF-16, the order that RFC 8785 asks for.
_FAR_KEY = re.compile(
    rb'(?s)[{,]"[^"\\\xf0-\xf4]*+(?:\\.[^"\\\xf0-\xf4]*+)*+[\xf0-\xf4][^"\\]*+(?:\\.[^"\\]*+)*+":'
)


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value."""
    fast = _sorted.encode(value)
    if (
        _FLOAT_OF_KEY.search(fast)
        or _FLOAT_BEHIND.search(fast)
        or _FIRST_FLOAT.search(fast)
        or _LONE_FLOAT.match(fast)
        or (not fast.isascii() and _FAR_KEY.search(fast))
    ):
        return "".join(_spell(value)).encode("utf-8")
    return fast


def _spell(value: Any) -> list[str]:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        inner = (_quoted(key) + ":" + "".join(_spell(value[key])) for key in keys)
        return ["{", ",".join(inner), "}"]
    if isinstance(value, list | tuple):
        return ["[", ",".join("".join(_spell(item)) for item in value), "]"]
    if isinstance(value, float):
        return [number(value)]
    return [_quoted(value)]


def _quoted(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def number(value: float) -> str:
    """A double as ECMAScript writes it, which is what RFC 8785 asks for."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    digits, point = _shortest(abs(value))
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def _shortest(value: float) -> tuple[str, int]:
    """The fewest digits that name a positive double, and the place of the decimal point before the first."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    padded = whole + fraction
    digits = padded.lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(padded) - len(digits))
    return digits.rstrip("0"), point


def digest_of(data: bytes) -> str:
    """`sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
