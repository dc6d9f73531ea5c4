"""JSON text as YAML text, line by line; pure.

In the flow: where a client asks for YAML of what exists as JSON: exports of any length and the API document.
The input is JSON with one value a line, indented or not; the output is the same value in block style.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

_MEMBER = re.compile(r'("(?:[^"\\]|\\.)*"): ?(.*)')
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
# What a YAML reader takes for a line break, or refuses, while it may stand in JSON as it is.
_ODD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_EXPONENT = re.compile(r"(-?\d+)(\.\d+)?[eE]([+-]?)(\d+)")


class _Block(msgspec.Struct):
    """A list or an object that is open."""

    is_list: bool
    indent: int
    opening: str | None = None
    """What the first line of it begins with, when that is more than spaces."""

    def start(self) -> str:
        """What the next line begins with."""
        start = " " * self.indent if self.opening is None else self.opening
        self.opening = None
        return start + "- " if self.is_list else start


def yaml_text(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces of a JSON object, as pieces of YAML."""
    blocks: list[_Block] = []
    for line in _lines(pieces):
        text = _converted(blocks, line)
        if text:
            yield text.encode()


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode().strip()
    yield rest.decode().strip()


def _converted(blocks: list[_Block], line: str) -> str:
    bare = line.removesuffix(",")
    if bare in ("}", "]"):
        blocks.pop()
        return ""
    if not bare:
        return ""
    if not blocks:
        blocks.append(_Block(is_list=bare == "[", indent=0))
        return "" if bare in ("{", "[") else bare + "\n"
    return _value(blocks, bare)


def _value(blocks: list[_Block], text: str) -> str:
    block = blocks[-1]
    start = block.start()
    if block.is_list:
        if text in ("{", "["):
            blocks.append(_Block(text == "[", block.indent + 2, start))
            return ""
        return f"{start}{_scalar(text)}\n"
    match = _MEMBER.fullmatch(text)
    key, value = (match[1], match[2]) if match else (text, "null")
    if value in ("{", "["):
        blocks.append(_Block(value == "[", block.indent + 2))
        return f"{start}{_key(key)}:\n"
    return f"{start}{_key(key)}: {_scalar(value)}\n"


def _key(quoted: str) -> str:
    bare = quoted[1:-1]
    is_plain = _PLAIN_KEY.fullmatch(bare) and bare.lower() not in _WORDS
    return bare if is_plain else _scalar(quoted)


def _scalar(text: str) -> str:
    if text.startswith('"'):
        return _ODD.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    match = _EXPONENT.fullmatch(text)
    if match is None:
        return text
    whole, fraction, sign, digits = match.groups()
    return f"{whole}{fraction or '.0'}e{sign or '+'}{digits}"
