"""Imports a command when it is used, so that `thv --help` stays fast; the only imports inside functions.

In the flow: between the names of commands and the modules behind them.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from thv.apps.cli.options import COMMON, Option


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

    def __init__(
        self, *args: Any, lazy: dict[str, Lazy] | None = None, bare: str = "", **kwargs: Any
    ) -> None:
        """`bare` is the command that is meant where options are given and no command is named."""
        super().__init__(*args, **kwargs)
        self._lazy = lazy or {}
        self._bare = bare

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Completion knows which command is meant only when it was typed."""
        if self._bare and args and not ctx.resilient_parsing and not self._names_one(args):
            args = [self._bare, *args]
        return super().parse_args(ctx, args)

    def _names_one(self, args: list[str]) -> bool:
        known = {*self._lazy, "-h", "--help"}
        return not args[0].startswith("-") or not known.isdisjoint(args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name that is shown, in the order of the table."""
        shown = [name for name, lazy in self._lazy.items() if not lazy.hidden]
        return [*shown, *sorted(super().list_commands(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command behind a name."""
        lazy = self._lazy.get(cmd_name)
        if lazy is None:
            return super().get_command(ctx, cmd_name)
        command: click.Command = load(lazy.place)
        return command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands first: they are what one looks for."""
        self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing anything."""
        rows: Sequence[tuple[str, str]] = [
            (name, lazy.help) for name, lazy in self._lazy.items() if not lazy.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names of commands, without importing anything."""
        found = [
            CompletionItem(name, help=lazy.help)
            for name, lazy in self._lazy.items()
            if name.startswith(incomplete) and not lazy.hidden
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)


def write_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    """The options under their headings, the common ones last."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None and not isinstance(parameter, click.Argument):
            section = parameter.section if isinstance(parameter, Option) else COMMON
            sections.setdefault(section, []).append(record)
    for section in sorted(sections, key=lambda each: each == COMMON):
        with formatter.section(section):
            formatter.write_dl(sections[section])
