"""Imports a command when it is used, so that `thv --help` stays fast; the only imports inside functions.

In the flow: between the names of commands and the modules behind them.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import click


class Lazy(NamedTuple):
    """A command that is not imported yet: where it is, and its line in the help."""

    place: str
    """`package.module:attribute`."""
    help: str
    hidden: bool = False


def load(place: str) -> Any:
    """The attribute of a module."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


class LazyGroup(click.Group):
    """A group whose commands are imported one by one."""

    def __init__(self, *args: Any, lazy: dict[str, Lazy] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the order of the table."""
        return [*self._lazy, *sorted(super().list_commands(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command behind a name."""
        lazy = self._lazy.get(cmd_name)
        if lazy is None:
            return super().get_command(ctx, cmd_name)
        command: click.Command = load(lazy.place)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing anything."""
        rows: Sequence[tuple[str, str]] = [
            (name, lazy.help) for name, lazy in self._lazy.items() if not lazy.hidden
        ]
        own = [
            (name, command.get_short_help_str())
            for name, command in self.commands.items()
            if not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl([*rows, *sorted(own)])
