"""How a command is declared: its options, its examples, the output formats that it knows.

In the flow: around each command function. A command function takes a session and its own parameters; everything
that all commands share is here and in `session`, which is imported when the command runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

import click

from thv.apps.cli.loader import load, write_options
from thv.apps.cli.options import About, option, take_common, with_common_options

Story: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]
"""What a command does: takes a `Session` and its parameters, returns an `Exit` or None."""

TABLES = ("table", "wide", "json", "yaml", "name")
OBJECTS = ("name", "json", "yaml")
"""Of what changes something: nothing by default but `kind/name verbed`."""


class Command(click.Command):
    """A command with examples, which the tests run."""

    examples: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples first: they are what one looks for."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
        write_options(self, ctx, formatter)


def command(
    name: str,
    *,
    examples: Sequence[str],
    outputs: Sequence[str] = (),
    default: str = "",
    hidden: bool = False,
    loop: str = "",
    about: About = "",
    served: str = "",
) -> Callable[[Story], Command]:
    """Declares a command. `default` is the output format without `-o`, the first one if it is not said.

    `about` is for commands that are about this machine, or a cluster, whatever keeps the registries. `served` is what
    the command does where only the API of a registry is known, as `module:attribute`. `loop` is where the event loop
    comes from, as `module:attribute`; asyncio's own is good for all but servers.
    """

    def declare(story: Story) -> Command:
        @functools.wraps(story)
        def callback(**kwargs: Any) -> int:
            common = take_common(kwargs)
            given = kwargs.pop("format_alias", None)
            common.output = common.output or (None if given == "text" else given)
            run = load("thv.apps.cli.session:run_story")
            code: int = run(
                functools.partial(story, **kwargs),
                common,
                outputs,
                default or (*outputs, "")[0],
                new_loop=load(loop) if loop else None,
                about=about,
                served=functools.partial(_loaded, served, kwargs) if served else None,
            )
            return code

        own = _own_options(story)
        shown = with_common_options(callback, outputs, own)
        if outputs and "--format" not in own:  # else it is the format of data
            shown = _FORMAT_ALIAS(shown)
        made = click.command(name, cls=Command, hidden=hidden)(shown)
        made.examples, made.outputs = tuple(examples), tuple(outputs)
        return made

    return declare


async def _loaded(place: str, kwargs: dict[str, Any], session: Any) -> Any:
    return await load(place)(session, **kwargs)


def role(name: str, *, examples: Sequence[str]) -> Callable[[Callable[..., int]], Command]:
    """Declares a long-lived process of a cluster: it takes its own options alone and returns its exit code."""

    def declare(run: Callable[..., int]) -> Command:
        made = click.command(name, cls=Command, hidden=True)(run)
        made.examples = tuple(examples)
        return made

    return declare


# ToolHive's own read commands take --format json|text; scripts that use it go on working.
_FORMAT_ALIAS = option(
    "--format", "format_alias", type=click.Choice(["text", "json", "yaml"]), hidden=True
)


def _own_options(story: Story) -> set[str]:
    """What the command declares itself."""
    given: list[click.Parameter] = getattr(story, "__click_params__", [])
    return {word for parameter in given for word in parameter.opts}
