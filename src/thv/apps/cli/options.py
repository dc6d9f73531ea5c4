"""The options that every command has, on the group or on the command itself.

In the flow: parsed with each command line. Nothing heavy is imported here: `thv --help` goes through it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click


class Common:
    """The common options as they were given."""

    def __init__(self) -> None:
        self.namespace: str | None = None
        self.output: str | None = None
        self.data: str | None = None
        self.backend: str | None = None
        self.color: str | None = None
        self.no_headers = False
        self.no_input = False
        self.yes = False
        self.quiet = False
        self.verbose = 0
        self.debug = False


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("-n", "--namespace", metavar="NS", help="Namespace of the registries."),
    click.option("-o", "output", metavar="FORMAT", help="Output: table, wide, json, yaml, name."),
    click.option("--data", metavar="DIR", help="Folder of the one-machine state (THV_DATA)."),
    click.option(
        "--backend",
        type=click.Choice(["auto", "kubernetes", "local"]),
        help="Where registries are kept.",
    ),
    click.option("--color", type=click.Choice(["auto", "always", "never"]), help="Colours."),
    click.option("--no-headers", is_flag=True, help="Tables without the line of titles."),
    click.option("--no-input", is_flag=True, help="Never ask; fail instead."),
    click.option("-y", "--yes", is_flag=True, help="Answer every question with yes."),
    click.option("-q", "--quiet", is_flag=True, help="No progress, only data and errors."),
    click.option("-v", "--verbose", count=True, help="Say more."),
    click.option("--debug", is_flag=True, help="Show where an unexpected error came from."),
)
_NAMES = tuple(vars(Common()))


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the common options to a group or command; what is given on either counts."""

    @functools.wraps(command)
    def collect(*args: Any, **kwargs: Any) -> Any:
        common = click.get_current_context().ensure_object(Common)
        for name in _NAMES:
            value = kwargs.pop(name, None)
            if value not in (None, False, 0):
                setattr(common, name, value)
        return command(*args, **kwargs)

    for option in reversed(_OPTIONS):
        collect = option(collect)
    return collect
