"""What a command writes to the terminal: data to stdout, everything else to stderr.

In the flow: last step of every command. Text from registries is written by strangers: nothing of it may move the
cursor, change colours or turn the reading direction.
"""

from __future__ import annotations

import re
import sys
from typing import IO

import msgspec

_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
_BREAKS = re.compile(r"[\t\n]")

_SYMBOLS = {"begin": "►", "wait": "◎", "ok": "✔", "fail": "✗", "note": "!"}
_ASCII = {"begin": "->", "wait": "..", "ok": "ok", "fail": "x", "note": "!"}
_COLORS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "bold": "1", "dim": "2"}


def safe(text: str, *, one_line: bool = True) -> str:
    """The text with every character that a terminal might obey made visible as an escape."""
    text = _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return _BREAKS.sub(" ", text) if one_line else text


class Console(msgspec.Struct, frozen=True, kw_only=True):
    """The two streams of a command, and how they may be used."""

    out: IO[str]
    err: IO[str]
    out_color: bool
    err_color: bool
    err_terminal: bool
    unicode: bool
    columns: int
    quiet: bool = False

    def data(self, text: str) -> None:
        """What the command was called for."""
        self.out.write(text)

    def step(self, symbol: str, text: str) -> None:
        """What is going on, for a person who waits: symbols begin, wait, ok, fail, note."""
        if not self.quiet:
            mark = (_SYMBOLS if self.unicode else _ASCII)[symbol]
            self.err.write(f"{self._marked(symbol, mark)} {text}\n")
            self.err.flush()

    def hint(self, text: str) -> None:
        """A remark that only a person at a terminal wants."""
        if self.err_terminal and not self.quiet:
            self.err.write(f"{self.paint(text, 'dim', err=True)}\n")

    def paint(self, text: str, color: str, *, err: bool = False) -> str:
        """The text in a colour, where colours are wanted."""
        allowed = self.err_color if err else self.out_color
        return f"\x1b[{_COLORS[color]}m{text}\x1b[0m" if allowed else text

    def _marked(self, symbol: str, mark: str) -> str:
        color = {"ok": "green", "fail": "red", "note": "yellow"}.get(symbol, "blue")
        return self.paint(mark, color, err=True)


def open_console(color: str, columns: int, *, quiet: bool = False) -> Console:
    """The console of this process."""
    out, err = sys.stdout, sys.stderr
    return Console(
        out=out,
        err=err,
        out_color=color == "always" or (color == "auto" and out.isatty()),
        err_color=color == "always" or (color == "auto" and err.isatty()),
        err_terminal=err.isatty(),
        unicode=(err.encoding or "").lower().replace("-", "") == "utf8",
        columns=columns,
        quiet=quiet,
    )
