"""Pages of the documentation as somebody at a terminal reads them: what to type, and what is answered.

The rules, all of them:

- A block `console` holds commands. A line that begins with `$ ` is one; a `\\` at its end takes the next line in. What
  follows, up to the next command, is what it says.
- What a page shows of an answer is compared: `...` stands for anything, blanks for any number of blanks, an age (`8s`)
  for any age. A command of which nothing is shown may say what it likes. Every command ends with 0.
- `console stays`: the last command of the block goes on, and what is shown of it is waited for. A line `^C` in a later
  block ends it, and so does the end of the page.
- `console not run: WHY`, or `sh not run: WHY`: commands that cannot run in a test. No other block has commands.
- A block of another language with a name (`yaml team.yaml`) is a file of that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

ROOT = Path(__file__).resolve().parents[2]
NOT_RUN = "not run: "
STAYS = "stays"
INTERRUPT = "^C"
_FENCE = re.compile(r"^```(?P<language>\w*) ?(?P<remark>.*)$")
_AGE = re.compile(r"(?:\d+(?:ms|s|m|h|d))+")
_SHELLS = {"console", "sh", "bash", "shell"}


class Command(NamedTuple):
    """Something to type."""

    line: int
    text: str
    said: str = ""
    """What the page shows of the answer."""
    stays: bool = False


class File(NamedTuple):
    """Something to write down."""

    line: int
    name: str
    text: str


class NotRun(NamedTuple):
    """Commands that cannot run in a test."""

    line: int
    why: str


Step: TypeAlias = Command | File | NotRun


class UnclearError(Exception):
    """A block keeps no rule."""


def steps_of(text: str) -> list[Step]:
    """What a page has its reader do, in order."""
    return [step for block in _blocks(text) for step in _steps(*block)]


def fits(said: str, shown: str) -> bool:
    """Whether an answer is what the page shows."""
    parts = (r"\s+".join(map(_word, part.split())) for part in shown.split("..."))
    return re.fullmatch(r"\s*" + r".*".join(parts) + r"\s*", said, re.DOTALL) is not None


def _word(shown: str) -> str:
    return _AGE.pattern if _AGE.fullmatch(shown) else re.escape(shown)


def _blocks(text: str) -> Iterator[tuple[int, str, str, list[str]]]:
    """Number of the first line, language, remark and lines of each fenced block."""
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        opened = _FENCE.match(line)
        if opened is not None:
            inside = iter(lambda: next(lines, (0, "```"))[1], "```")
            yield number + 1, opened["language"], opened["remark"], list(inside)


def _steps(line: int, language: str, remark: str, lines: list[str]) -> Iterator[Step]:
    if remark.startswith(NOT_RUN):
        yield NotRun(line, remark.removeprefix(NOT_RUN))
    elif language == "console" and remark in ("", STAYS):
        *others, last = _commands(line, lines)
        yield from others
        yield last._replace(stays=remark == STAYS)
    elif language in _SHELLS or any(each.startswith("$ ") for each in lines):
        raise UnclearError(f"line {line}: commands stand in `console`, or say why they are not run")
    elif remark:
        yield File(line, remark, "".join(f"{each}\n" for each in lines))


def _commands(first: int, lines: list[str]) -> list[Command]:
    found: list[Command] = []
    for number, line in enumerate(lines, start=first):
        if line.startswith("$ ") or line == INTERRUPT:
            found.append(Command(number, line.removeprefix("$ ")))
        elif not found:
            raise UnclearError(f"line {number}: a command begins with `$ `")
        elif not found[-1].said and found[-1].text.endswith("\\"):
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line}")
        else:
            found[-1] = found[-1]._replace(said=f"{found[-1].said}{line}\n")
    return found
