"""The options that every command has, on the group or on the command itself, and the surroundings of a run.

In the flow: parsed with each command line. Nothing heavy is imported here: `thv --help` goes through it.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

import click


def utc_now() -> datetime:
    """The clock of real life."""
    return datetime.now(UTC)


class Surroundings:
    """What a process gives to a command; a test gives its own."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str] | None = None,
        home: Path | None = None,
        clock: Callable[[], datetime] = utc_now,
        stdin: IO[bytes] | None = None,
        stdout: IO[str] | None = None,
        stderr: IO[str] | None = None,
    ) -> None:
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self.home = home or Path.home()
        self.clock = clock
        self.stdin: IO[bytes] = stdin or sys.stdin.buffer
        self.stdout: IO[str] = stdout or sys.stdout
        self.stderr: IO[str] = stderr or sys.stderr


class Common:
    """The common options as they were given, and where they were given."""

    def __init__(
        self, around: Surroundings | None = None, argv: Sequence[str] = (), program: str = "thv"
    ) -> None:
        self.around = around or Surroundings()
        self.argv = tuple(argv)
        self.program = program
        self.namespace: str | None = None
        self.output: str | None = None
        self.data: str | None = None
        self.backend: str | None = None
        self.kubeconfig: str | None = None
        self.context: str | None = None
        self.acts_as: str | None = None
        self.acts_as_groups: tuple[str, ...] = ()
        self.server: str | None = None
        self.token_file: str | None = None
        self.color: str | None = None
        self.no_headers = False
        self.no_input = False
        self.yes = False
        self.quiet = False
        self.verbose = 0
        self.debug = False

    def again(self, *more: str) -> str:
        """The same command line with further flags, as one would type it."""
        return shlex.join([*self.program.split(), *self.typed, *more])

    @property
    def typed(self) -> tuple[str, ...]:
        """The command line as it may be repeated: values of variables, which may be secrets, are left out."""
        before = ("", *self.argv)
        return tuple(_repeatable(word, each) for word, each in zip(self.argv, before, strict=False))


_VALUED = ("-e", "--env")
_VARIABLE = re.compile(r"(-e|--env=)?([A-Za-z_][A-Za-z0-9_]*)=.*", re.DOTALL)


def _repeatable(word: str, before: str) -> str:
    """A word of a command line without the value of a variable."""
    found = _VARIABLE.fullmatch(word)
    if found is None or not (found[1] or before in _VALUED):
        return word
    return f"{found[1] or ''}{found[2]}=VALUE"


class Option(click.Option):
    """An option with its heading in the help."""

    def __init__(self, *args: Any, section: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


def option(*declarations: str, section: str = "Options", **attributes: Any) -> Callable[[Any], Any]:
    """Like `click.option`, under a heading of the help."""
    return click.option(*declarations, cls=Option, section=section, **attributes)


COMMON = "Common options"
GROUP_OUTPUTS = ("table", "wide", "json", "yaml", "name")
_NAMES = (
    "namespace",
    "output",
    "data",
    "backend",
    "kubeconfig",
    "context",
    "acts_as",
    "acts_as_groups",
    "server",
    "token_file",
    "color",
    "no_headers",
    "no_input",
    "yes",
    "quiet",
    "verbose",
    "debug",
)


About: TypeAlias = Literal["", "machine", "cluster"]
"""What a command is about, whatever keeps the registries; `""` for those registries."""
Declared: TypeAlias = tuple[tuple[str, ...], Callable[[Any], Any]]
"""The words of an option, and what adds it."""


def _options(outputs: Sequence[str]) -> tuple[Declared, ...]:
    formats = ", ".join(outputs) or "json, for errors"
    return (
        _common("-n", "--namespace", metavar="NS", help="Namespace of the registries."),
        _common("-o", "output", metavar="FORMAT", help=f"Output: {formats}."),
        _common("--data", metavar="DIR", help="Folder of the one-machine state (THV_DATA)."),
        _common(
            "--backend",
            type=click.Choice(["auto", "kubernetes", "local"]),
            help="Where registries are kept: auto is local, unless a cluster is named.",
        ),
        _common("--kubeconfig", metavar="FILE", help="Of the cluster that keeps registries."),
        _common("--context", metavar="NAME", help="Context of the kubeconfig."),
        _common("--as", "acts_as", metavar="USER", help="Act as this user of the cluster."),
        _common(
            "--as-group",
            "acts_as_groups",
            multiple=True,
            metavar="GROUP",
            help="And as one of this group; may be repeated.",
        ),
        _common("--server", metavar="URL", help="Read from this API of a registry (THV_SERVER)."),
        _common("--token-file", metavar="FILE", help="Token for that API (THV_TOKEN_FILE)."),
        _common("--color", type=click.Choice(["auto", "always", "never"]), help="Colours."),
        _common("--no-headers", is_flag=True, help="Tables without the line of titles."),
        _common("--no-input", is_flag=True, help="Never ask; fail instead."),
        _common("-y", "--yes", is_flag=True, help="Answer every question with yes."),
        _common("-q", "--quiet", is_flag=True, help="No progress, only data and errors."),
        _common("-v", "--verbose", count=True, help="Say more."),
        _common("--debug", is_flag=True, help="Show where an unexpected error came from."),
    )


def _common(*declarations: str, **attributes: Any) -> Declared:
    return declarations, option(*declarations, section=COMMON, **attributes)


def with_common_options(
    command: Any, outputs: Sequence[str], own: Collection[str] = frozenset()
) -> Any:
    """Adds the common options; `take_common` takes their values out again.

    `own` are options that the command has with another meaning.
    """
    for words, add in reversed(_options(outputs)):
        if not set(words) & set(own):
            command = add(command)
    return command


def common_options(group: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the common options to a group; what is given there counts for its commands."""

    @functools.wraps(group)
    def collect(**kwargs: Any) -> Any:
        take_common(kwargs)
        return group(**kwargs)

    decorated: Callable[..., Any] = with_common_options(collect, GROUP_OUTPUTS)
    return decorated


def take_common(kwargs: dict[str, Any]) -> Common:
    """Moves the common options out of the parameters of a command."""
    common = click.get_current_context().ensure_object(Common)
    for name in _NAMES:
        value = kwargs.pop(name, None)
        if value not in (None, False, 0, ()):
            setattr(common, name, value)
    return common
