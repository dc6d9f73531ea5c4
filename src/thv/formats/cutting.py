"""Cuts a JSON document of any size into the values one asks for, as bytes, without building the document.

In the flow: the first thing that touches a document. A decision function says for each value, by its path,
whether to enter it, to take its bytes, or to skip it; what is taken is decoded one by one by a strict decoder.
So one damaged entry costs that entry, memory is bounded by the largest value taken, time by the bytes however
they are split, and deep nesting costs an integer. (A general event parser was measured first: it needs gigabytes for 400 KB of brackets, refuses a whole
document for one large integer, and replaces lone surrogates silently.)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import TypeAlias

import msgspec

Path: TypeAlias = tuple[str | int, ...]


class Step(Enum):
    """What to do with a value."""

    ENTER = auto()
    TAKE = auto()
    SKIP = auto()


Decide: TypeAlias = Callable[[Path, str], Step]
"""Called with the path of a value and its first character."""


class Cut(msgspec.Struct, frozen=True):
    """A value that was taken; `refused` says why its bytes are missing."""

    path: Path
    raw: bytes
    refused: str = ""


class MalformedError(ValueError):
    """The text is not JSON; says where."""


class TrailingTextError(MalformedError):
    """A whole document, and then something else: perhaps one document a line."""


# Before 3.11.5 a possessive group that matches in part moves on all the same (python/cpython#106052); there an atomic
# group around a greedy one says the same and needs more memory.
_HAS_POSSESSIVE_GROUPS = sys.version_info >= (3, 11, 5)


def _repeated(group: bytes) -> bytes:
    """The group as often as it matches, without a way back."""
    return b"(?:%b)*+" % group if _HAS_POSSESSIVE_GROUPS else b"(?>(?:%b)*)" % group


_SPACE = re.compile(rb"[ \t\r\n]*+")
_REST_OF_STRING = rb'[^"\\]*+' + _repeated(rb'\\.[^"\\]*+')
# Both can go on where they stopped at the end of the buffer.
_IN_STRING = re.compile(rb"(?s)" + _REST_OF_STRING)
_IN_WORD = re.compile(rb"[-+.0-9A-Za-z]*+")
# Everything up to and including the next bracket that is not inside a string.
_PLAIN = rb'[^"{}\[\]]*+' + _repeated(b'"' + _REST_OF_STRING + rb'"[^"{}\[\]]*+')
_TO_BRACKET = re.compile(rb"(?s)" + _PLAIN + rb"[{}\[\]]")
_NO_BRACKET = re.compile(rb"(?s)" + _PLAIN)
_QUOTE = ord('"')
_OPENING = b"{["
_CLOSER = {"{": ord("}"), "[": ord("]")}
_BOM = b"\xef\xbb\xbf"


class _Frame:
    """A container that was entered."""

    __slots__ = ("closer", "is_object", "key", "path", "seen")

    def __init__(self, path: Path, first: str) -> None:
        self.path = path
        self.is_object = first == "{"
        self.closer = _CLOSER[first]
        self.key: str | int = 0
        self.seen = 0


class Cutter:
    """Feed it bytes; it yields the values taken, in order.

    `value_limit` is the most bytes one taken value may have, `depth_limit` the most levels in it; a value beyond
    either is reported as refused and passed over.
    """

    def __init__(
        self, decide: Decide, *, value_limit: int = 4 << 20, depth_limit: int = 64
    ) -> None:
        self._decide = decide
        self._value_limit = value_limit
        self._depth_limit = depth_limit
        self._buffer = bytearray()
        self._at = 0
        self._dropped_lines = 0
        self._dropped_since_line = 0
        self._frames: list[_Frame] = []
        self._state: Callable[[], Iterator[Cut] | None] = self._begin
        self._done = False
        self._scan_from = 0
        self._in_string = False  # where the scan goes on
        self._depth = 0
        self._deepest = 0
        self._scanned = 0
        self._path: Path = ()
        self._wanted = False  # the value that is being passed shall be reported
        self._keeps = False  # and its bytes still fit

    def feed(self, data: bytes) -> Iterator[Cut]:
        """The values that these bytes complete."""
        self._buffer += data
        while (cuts := self._state()) is not None:
            yield from cuts
        self._forget()

    def close(self) -> Iterator[Cut]:
        """Ends the document; raises when it ends in the middle."""
        yield from self.feed(b" ")  # ends a number that stands alone
        if not self._done:
            raise self._malformed("the document ends in the middle")

    # Each state consumes what it can and returns an iterator of cuts, or None when it needs more bytes.

    def _begin(self) -> Iterator[Cut] | None:
        if len(self._buffer) < len(_BOM) and _BOM.startswith(bytes(self._buffer)):
            return None
        if self._buffer.startswith(_BOM):
            self._at = len(_BOM)
        self._state = self._value
        return iter(())

    def _value(self) -> Iterator[Cut] | None:
        char = self._peek()
        if char is None:
            return None
        frame = self._frames[-1] if self._frames else None
        if frame and not frame.is_object and not frame.seen and char == frame.closer:
            return self._leave()
        first = chr(char)
        if first not in '{["-0123456789tfn':
            raise self._malformed(f"a value cannot start with {first!r}")
        self._path = (*frame.path, frame.key) if frame else ()
        step = self._decide(self._path, first)
        if step is Step.ENTER and char in _OPENING:
            return self._enter(first)
        self._wanted = self._keeps = step is Step.TAKE
        self._depth, self._deepest, self._scanned = 0, 0, 0
        self._in_string = char == _QUOTE
        self._scan_from = self._at + self._in_string
        self._state = self._container if char in _OPENING else self._leaf
        return iter(())

    def _enter(self, first: str) -> Iterator[Cut]:
        self._frames.append(_Frame(self._path, first))
        self._at += 1
        self._state = self._key if first == "{" else self._value
        return iter(())

    def _key(self) -> Iterator[Cut] | None:
        char = self._peek()
        if char is None:
            return None
        frame = self._frames[-1]
        if char == frame.closer and not frame.seen:
            return self._leave()
        if char != _QUOTE:
            raise self._malformed("a key must be a string")
        self._scan_from = self._at + 1
        self._state = self._rest_of_key
        return iter(())

    def _rest_of_key(self) -> Iterator[Cut] | None:
        end = self._scan_from = _passed(_IN_STRING, self._buffer, self._scan_from)
        if not self._closes_string(end):
            if end - self._at > self._value_limit:
                raise self._malformed(f"a key is longer than {self._value_limit} bytes")
            return None
        self._frames[-1].key = self._decoded_key(self._buffer[self._at : end + 1])
        self._at = end + 1
        self._state = self._colon
        return iter(())

    def _colon(self) -> Iterator[Cut] | None:
        char = self._peek()
        if char is None:
            return None
        if char != ord(":"):
            raise self._malformed("a key must be followed by ':'")
        self._at += 1
        self._state = self._value
        return iter(())

    def _container(self) -> Iterator[Cut] | None:
        """Runs to the end of a container that is taken or skipped, by counting brackets outside strings."""
        buffer, to_bracket = self._buffer, _TO_BRACKET.match
        position, depth, deepest = self._scan_from, self._depth, self._deepest
        if self._in_string:
            position = _passed(_IN_STRING, buffer, position)
            if not self._closes_string(position):
                self._pause(position)
                return None
            position += 1
            self._in_string = False
        while match := to_bracket(buffer, position):
            position = match.end()
            if buffer[position - 1] in _OPENING:
                depth += 1
                deepest = max(depth, deepest)
            else:
                depth -= 1
                if not depth:
                    self._deepest = deepest
                    return self._complete(position)
        self._depth, self._deepest = depth, deepest
        position = _passed(_NO_BRACKET, buffer, position)
        if position < len(buffer):  # a string that is not closed yet
            self._in_string = True
            position = _passed(_IN_STRING, buffer, position + 1)
        self._pause(position)
        return None

    def _leaf(self) -> Iterator[Cut] | None:
        pattern = _IN_STRING if self._in_string else _IN_WORD
        end = _passed(pattern, self._buffer, self._scan_from)
        if end == len(self._buffer) or (self._in_string and not self._closes_string(end)):
            self._pause(end)
            return None
        return self._complete(end + self._in_string)

    def _closes_string(self, position: int) -> bool:
        return position < len(self._buffer) and self._buffer[position] == _QUOTE

    def _pause(self, position: int) -> None:
        """Goes on at this position when more bytes came; keeps none of a value that is skipped or too large."""
        self._scan_from = position
        pending = position - self._at
        if self._scanned + pending > self._value_limit:
            self._keeps = False
        if not self._keeps:
            self._scanned += pending
            self._at = position

    def _complete(self, end: int) -> Iterator[Cut]:
        refused = ""
        if self._scanned + end - self._at > self._value_limit:
            refused = f"larger than {self._value_limit} bytes"
        elif self._deepest > self._depth_limit:
            refused = f"nested deeper than {self._depth_limit} levels"
        raw = bytes(self._buffer[self._at : end]) if self._keeps and not refused else b""
        self._at = end
        self._state = self._after
        self._keeps = False
        return iter((Cut(self._path, raw, refused),) if self._wanted else ())

    def _after(self) -> Iterator[Cut] | None:
        """Behind a value: a comma, the end of its container, or the end of the document."""
        if not self._frames:
            return self._end()
        char = self._peek()
        if char is None:
            return None
        frame = self._frames[-1]
        frame.seen += 1
        if char == frame.closer:
            return self._leave()
        if char != ord(","):
            raise self._malformed(f"expected ',' or {chr(frame.closer)!r}, found {chr(char)!r}")
        self._at += 1
        if frame.is_object:
            self._state = self._key
        else:
            frame.key = frame.seen
            self._state = self._value
        return iter(())

    def _leave(self) -> Iterator[Cut]:
        self._frames.pop()
        self._at += 1
        self._state = self._after
        return iter(())

    def _end(self) -> Iterator[Cut] | None:
        self._done = True
        if self._peek() is not None:
            raise TrailingTextError(self._placed("there is text after the end of the document"))
        return None

    def _peek(self) -> int | None:
        match = _SPACE.match(self._buffer, self._at)
        self._at = match.end() if match else self._at
        return self._buffer[self._at] if self._at < len(self._buffer) else None

    def _decoded_key(self, raw: bytearray) -> str:
        try:
            return msgspec.json.decode(raw, type=str)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._malformed(f"a key is no valid string: {error}") from error

    def _forget(self) -> None:
        """Drops what was consumed, remembering the line for messages."""
        lines = self._buffer.count(b"\n", 0, self._at)
        self._dropped_lines += lines
        since_line = self._at - self._buffer.rfind(b"\n", 0, self._at) - 1
        self._dropped_since_line = since_line if lines else self._dropped_since_line + self._at
        del self._buffer[: self._at]
        self._scan_from -= self._at
        self._at = 0

    def _malformed(self, why: str) -> MalformedError:
        return MalformedError(self._placed(why))

    def _placed(self, why: str) -> str:
        before = self._buffer[: self._at]
        line = self._dropped_lines + before.count(b"\n") + 1
        newline = before.rfind(b"\n")
        column = (
            len(before) - newline if newline >= 0 else self._dropped_since_line + len(before) + 1
        )
        return f"{why} (line {line}, column {column})"


def _passed(pattern: re.Pattern[bytes], buffer: bytearray, position: int) -> int:
    """Where a pattern that matches everywhere, if only nothing, ends."""
    match = pattern.match(buffer, position)
    return match.end() if match else position
