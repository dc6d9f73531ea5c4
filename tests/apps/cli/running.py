"""Runs command lines in this process, as a user would type them: own data folder, own clock, own terminal.

cli = Cli(tmp_path)
ran = cli("registry list -o json")          # or cli("registry", "add", "corp", "--file", str(path))
assert ran.code == 0, ran.err
assert ran.json["items"] == []
check_golden("registry_list", ran.out)      # THV_UPDATE=1 rewrites tests/data/output/cli/registry_list.txt
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from thv.apps.cli.main import run
from thv.apps.cli.options import Common, Surroundings

GOLDEN = Path(__file__).parents[2] / "data" / "output" / "cli"
START = datetime(2026, 1, 1, 12, microsecond=123_456, tzinfo=UTC)


class Screen(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, *, terminal: bool = False, encoding: str = "utf-8") -> None:
        super().__init__()
        self._terminal = terminal
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override] # StringIO has none
        return self._encoding

    def isatty(self) -> bool:
        return self._terminal


class Keyboard(io.BytesIO):
    """What is typed, or piped in."""

    def __init__(self, text: bytes, *, terminal: bool) -> None:
        super().__init__(text)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@dataclass(frozen=True)
class Ran:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error that `-o json` wrote to standard error."""
        return json.loads(self.err[self.err.index("{") :])["error"]


@dataclass
class Cli:
    """A user with a home folder of their own; nothing of the real one is seen."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)
    now: datetime = START
    terminal: bool = False
    """Somebody sits at a terminal and is asked questions."""
    columns: int = 100
    """Width of that terminal."""
    encoding: str = "utf-8"

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home / "data"

    def clock(self) -> datetime:
        """A second goes by with each command, and no time within one."""
        return self.now

    def __call__(self, *words: str, stdin: bytes | str = b"") -> Ran:
        """Runs one command line: a single text is split as a shell does it, several are words already."""
        argv = shlex.split(words[0]) if len(words) == 1 else list(words)
        if argv[:1] == ["thv"]:
            argv = argv[1:]
        self.now += timedelta(seconds=1)
        out = Screen(terminal=self.terminal, encoding=self.encoding)
        err = Screen(terminal=self.terminal, encoding=self.encoding)
        typed = stdin.encode() if isinstance(stdin, str) else stdin
        around = Surroundings(
            environ={
                "THV_DATA": str(self.data),
                "TERM": "xterm",
                "NO_COLOR": "1",
                **({"COLUMNS": str(self.columns)} if self.terminal else {}),
                **self.environ,
            },
            home=self.home,
            clock=self.clock,
            stdin=Keyboard(typed, terminal=self.terminal),
            stdout=out,
            stderr=err,
        )
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(Common(around, argv))
        return Ran(code, out.getvalue(), err.getvalue())

    def ok(self, *words: str, stdin: bytes | str = b"") -> Ran:
        """The same, of a command that must succeed."""
        ran = self(*words, stdin=stdin)
        assert ran.code == 0, f"{words}: exit {ran.code}\n{ran.out}\n{ran.err}"
        return ran

    def file(self, name: str, content: bytes | str) -> Path:
        """A file of the user."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def settled(self, text: str) -> str:
        """The text without what differs from run to run: folders, ports, digests, identities, durations."""
        text = text.replace(str(self.home), "/home/user")
        for pattern, word in _UNSTEADY:
            text = pattern.sub(word, text)
        return text


_UNSTEADY = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"127\.0\.0\.1 port \d+", "127.0.0.1 port PORT"),
        (r"sha256:[0-9a-f]{64}", "sha256:DIGEST"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ-[0-9a-f]{8}", "REVISION"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
        (r"\b\d+\.\d+s\b", "0.0s"),
        (r"\bin \d+[smhd]\b", "in TIME"),
        (r'("(?:nextSyncTime|retryAt)": )"[^"]*"', r'\1"TIME"'),
        (r"((?:nextSyncTime|retryAt): )\S+", r"\1TIME"),
        (r'("durationMilliseconds": )\d+', r"\g<1>0"),
    )
)


def check_golden(name: str, text: str) -> None:
    """Compares with tests/data/output/cli/NAME.txt; THV_UPDATE=1 writes it, and you read the diff."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("THV_UPDATE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing; run with THV_UPDATE=1 and read what it writes"
    assert text == path.read_text(encoding="utf-8")
