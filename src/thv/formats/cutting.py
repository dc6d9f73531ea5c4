"""Cuts a JSON document of any size into the values one asks for, as bytes, without building the document.

In the flow: the first thing that touches a document. A decision function says for each value, by its path,
whether to enter it, to take its bytes, or to skip it; what is taken is decoded one by one by a strict decoder.
So one damaged entry costs that entry, memory is bounded by the largest value taken, and deep nesting costs an
integer. (A general event parser was measured first: it needs gigabytes for 400 KB of brackets, refuses a whole
document for one large integer, and replaces lone surrogates silently.)
"""

from __future__ import annotations

import re
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


_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_SCALAR = re.compile(rb"[-+.0-9A-Za-z]++")
# Everything up to and including the next bracket that is not inside a string.
_PLAIN = rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+'
_TO_BRACKET = re.compile(rb"(?s)" + _PLAIN + rb"[{}\[\]]")
_NO_BRACKET = re.compile(rb"(?s)" + _PLAIN)
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
        self._buffer = b""
        self._at = 0
        self._dropped_lines = 0
        self._dropped_since_line = 0
        self._frames: list[_Frame] = []
        self._state: Callable[[], Iterator[Cut] | None] = self._begin
        self._done = False
        self._scan_from = 0
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
        yield from self.feed(b"\n")
        if not self._done:
            raise self._malformed("the document ends in the middle")

    # Each state consumes what it can and returns an iterator of cuts, or None when it needs more bytes.

    def _begin(self) -> Iterator[Cut] | None:
        if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
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
        self._scan_from, self._depth, self._deepest, self._scanned = self._at, 0, 0, 0
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
        if char != ord('"'):
            raise self._malformed("a key must be a string")
        match = _STRING.match(self._buffer, self._at)
        if match is None:
            self._check_length("a key")
            return None
        frame.key = self._decoded_key(match[0])
        self._at = match.end()
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
        rest = _NO_BRACKET.match(buffer, position)
        self._scan_from, self._depth, self._deepest = (
            rest.end() if rest else position,
            depth,
            deepest,
        )
        self._drop_scanned()
        return None

    def _leaf(self) -> Iterator[Cut] | None:
        pattern = _STRING if self._buffer[self._at] == ord('"') else _SCALAR
        match = pattern.match(self._buffer, self._at)
        if match is None or (pattern is _SCALAR and match.end() == len(self._buffer)):
            self._check_length("a value")
            return None
        return self._complete(match.end())

    def _complete(self, end: int) -> Iterator[Cut]:
        refused = ""
        if self._scanned + end - self._at > self._value_limit:
            refused = f"larger than {self._value_limit} bytes"
        elif self._deepest > self._depth_limit:
            refused = f"nested deeper than {self._depth_limit} levels"
        raw = self._buffer[self._at : end] if self._keeps and not refused else b""
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
            raise self._malformed("there is text after the end of the document")
        return None

    def _peek(self) -> int | None:
        match = _SPACE.match(self._buffer, self._at)
        self._at = match.end() if match else self._at
        return self._buffer[self._at] if self._at < len(self._buffer) else None

    def _decoded_key(self, raw: bytes) -> str:
        try:
            return msgspec.json.decode(raw, type=str)
        except msgspec.DecodeError as error:
            raise self._malformed(f"a key is no valid string: {error}") from error

    def _check_length(self, what: str) -> None:
        if len(self._buffer) - self._at > self._value_limit:
            raise self._malformed(f"{what} is longer than {self._value_limit} bytes")

    def _drop_scanned(self) -> None:
        """Keeps no bytes of a value that is skipped or already too large."""
        pending = self._scan_from - self._at
        if self._scanned + pending > self._value_limit:
            self._keeps = False
        if not self._keeps:
            self._scanned += pending
            self._at = self._scan_from
        if len(self._buffer) - self._scan_from > self._value_limit:
            raise self._malformed(f"a string is longer than {self._value_limit} bytes")

    def _forget(self) -> None:
        """Drops what was consumed, remembering the line for messages."""
        gone = self._buffer[: self._at]
        lines = gone.count(b"\n")
        self._dropped_lines += lines
        self._dropped_since_line = (
            len(gone) - gone.rfind(b"\n") - 1 if lines else self._dropped_since_line + len(gone)
        )
        self._buffer = self._buffer[self._at :]
        self._scan_from -= self._at
        self._at = 0

    def _malformed(self, why: str) -> MalformedError:
        before = self._buffer[: self._at]
        line = self._dropped_lines + before.count(b"\n") + 1
        newline = before.rfind(b"\n")
        column = (
            len(before) - newline if newline >= 0 else self._dropped_since_line + len(before) + 1
        )
        return MalformedError(f"{why} (line {line}, column {column})")
