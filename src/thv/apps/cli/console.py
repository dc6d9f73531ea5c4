"""What a command writes to the terminal: data to stdout, everything else to stderr.

In the flow: last step of every command. Text from registries is written by strangers: nothing of it may move the
cursor, change colours or turn the reading direction.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import IO

import msgspec

from thv.apps.cli.options import Surroundings

_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000e0000-\U000e0fff]"
)
UNBOUNDED = 1 << 30
_BREAKS = re.compile(r"[\t\n]")

_SYMBOLS = {"begin": "►", "wait": "◎", "ok": "✔", "fail": "✗", "note": "!", "skip": "·"}
_ASCII = {"begin": "->", "wait": "..", "ok": "ok", "fail": "x", "note": "!", "skip": "-"}
_COLORS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "bold": "1", "dim": "2"}


def safe(text: str, *, one_line: bool = True) -> str:
    """The text with every character that a terminal might obey, or that nobody sees, made visible."""
    text = _UNSAFE.sub(_escape, text)
    return _BREAKS.sub(" ", text) if one_line else text


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe_json(text: str) -> str:
    """The same for JSON text, in JSON's own spelling, so that it means what it meant."""
    return _UNSAFE.sub(_json_escape, text)


def is_safe(text: str) -> bool:
    """Whether nothing of the text must be made visible."""
    return _UNSAFE.search(text) is None


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


class Console(msgspec.Struct, frozen=True, kw_only=True):
    """The two streams of a command, and how they may be used."""

    out: IO[str]
    err: IO[str]
    out_color: bool
    err_color: bool
    out_terminal: bool
    err_terminal: bool
    moves: bool
    """The error stream is a terminal on which a line may be drawn anew."""
    unicode: bool
    columns: int
    quiet: bool = False
    verbose: int = 0

    def data(self, text: str) -> None:
        """What the command was called for."""
        self.out.write(text)

    def step(self, symbol: str, text: str) -> None:
        """What is going on, for a person who waits: symbols begin, wait, ok, fail, note, skip."""
        if not self.quiet:
            self.err.write(f"{self.mark(symbol)} {safe(text)}\n")
            self.err.flush()

    def warning(self, text: str) -> None:
        """What an API server warns of, as kubectl shows it."""
        if not self.quiet:
            self.err.write(f"{self.paint('Warning:', 'yellow', err=True)} {safe(text)}\n")
            self.err.flush()

    def hint(self, text: str) -> None:
        """A remark that only a person at a terminal wants."""
        if self.err_terminal and not self.quiet:
            self.err.write(f"{self.paint(safe(text), 'dim', err=True)}\n")

    def detail(self, text: str) -> None:
        """What `-v` says more."""
        if self.verbose and not self.quiet:
            self.err.write(f"{safe(text)}\n")

    def mark(self, symbol: str, *, err: bool = True) -> str:
        """The sign of a step, in its colour."""
        sign = (_SYMBOLS if self.unicode else _ASCII)[symbol]
        color = {"ok": "green", "fail": "red", "note": "yellow", "skip": "dim"}.get(symbol, "blue")
        return self.paint(sign, color, err=err)

    def paint(self, text: str, color: str, *, err: bool = False) -> str:
        """The text in a colour, where colours are wanted."""
        allowed = self.err_color if err else self.out_color
        return f"\x1b[{_COLORS[color]}m{text}\x1b[0m" if allowed else text


def open_console(
    around: Surroundings, color: str, columns: int | None, *, quiet: bool = False, verbose: int = 0
) -> Console:
    """The console of this process; `columns` None asks the terminal."""
    out, err = around.stdout, around.stderr
    return Console(
        out=out,
        err=err,
        out_color=color == "always" or (color == "auto" and out.isatty()),
        err_color=color == "always" or (color == "auto" and err.isatty()),
        out_terminal=out.isatty(),
        err_terminal=err.isatty(),
        moves=err.isatty() and around.environ.get("TERM") != "dumb",
        unicode=_speaks_unicode(err) and around.environ.get("TERM") != "dumb",
        columns=columns or _width(out, around.environ),
        quiet=quiet,
        verbose=verbose,
    )


def _speaks_unicode(stream: IO[str]) -> bool:
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "") == "utf8"


def _width(stream: IO[str], environ: Mapping[str, str]) -> int:
    """What COLUMNS says, else the terminal; no bound where nobody looks at lines."""
    said = environ.get("COLUMNS", "")
    if said.isdecimal() and 20 <= int(said) <= 1000:
        return int(said)
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return UNBOUNDED
    return width if width >= 20 else 80
