"""Things about one object, a line each: `Source:    url https://…`.

In the flow: behind commands that show one registry for a person.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime

from thv.apps.cli.console import Console, safe
from thv.apps.cli.output import age

Facts = Sequence[tuple[str, str]]
"""Titles and values; without a value a line is left out, without a title it goes on with the one before."""
_GAP = 2


def print_facts(console: Console, facts: Facts) -> None:
    """Aligned; at a terminal, values that are too long go on below."""
    width = max(len(title) for title, value in facts if value) + 1 + _GAP
    for title, value in facts:
        if value:
            _print(console, f"{title}:" if title else "", safe(value), width)


def _print(console: Console, title: str, value: str, width: int) -> None:
    room = max(20, console.columns - width) if console.out_terminal else 0
    lines = textwrap.wrap(value, room, break_on_hyphens=False) if room else [value]
    for line in lines:
        console.data(f"{title:<{width}}{line}\n")
        title = ""


def ago(moment: str, now: datetime) -> str:
    """`12m ago`, `just now`; `""` for what never was."""
    past = age(moment, now)
    return "just now" if past == "0s" else f"{past} ago" if past else ""
