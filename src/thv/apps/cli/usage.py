"""What is said about a command line that cannot be understood.

In the flow: instead of a command, when the words that were typed are none.
"""

from __future__ import annotations

import difflib

import click

from thv.apps.cli.console import open_console
from thv.apps.cli.exits import CommandError, Exit, show_error
from thv.apps.cli.loader import LazyGroup
from thv.apps.cli.options import Surroundings
from thv.domain.errors import Code


def show_usage_error(
    error: click.UsageError, path: str, around: Surroundings, *, as_json: bool
) -> Exit:
    """The error in the shape of every other one; the exit code."""
    message = " ".join(error.format_message().split()).rstrip(".")
    hint = f"{path} --help"
    if "--output" in message:
        hint = f"{hint}   (formats are chosen with -o; --output names a file where a command writes one)"
    shown = CommandError(
        Code.INVALID,
        _lowered(message.partition(" Did you mean ")[0].partition(" (Possible ")[0].rstrip(".")),
        suggestions=_alike(error),
        tries=[hint],
    )
    show_error(shown, open_console(around, "auto", None), as_json=as_json)
    return Exit.USAGE


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


def _alike(error: click.UsageError) -> list[str]:
    """What was perhaps meant."""
    if isinstance(error, click.NoSuchOption):
        return sorted(error.possibilities or ())
    group = error.ctx.command if error.ctx else None
    word = error.message.partition("'")[2].rpartition("'")[0]
    if isinstance(group, LazyGroup) and error.ctx and error.message.startswith("No such command"):
        return difflib.get_close_matches(word, group.list_commands(error.ctx), n=2)
    return []
