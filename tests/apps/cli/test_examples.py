"""Every example of a command, and every command that an error suggests, is understood by the parser."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.apps.cli.running import GOLDEN
from thv.apps.cli.command import Command
from thv.apps.cli.loader import LazyGroup, load
from thv.apps.cli.main import cli
from thv.apps.cli.options import Common, Surroundings

# As the specification prints them.
SPECIFICATION = (
    "thv registry migrate registry.json --output k8s-registry.yaml",
    "thv registry import --file registry.json --registry local-servers",
    "thv registry export upstream-community --format toolhive --output exported.json",
    "thv registry list",
    "thv registry sync upstream-community",
    "thv registry sync --all",
    "thv registry add up --url https://registry.modelcontextprotocol.io/servers.json --format upstream --interval 1h",
    "thv registry add corp --git-repo https://git.example/mcp.git --git-path registry.json --auth-secret git-read",
    "thv registry remove upstream-community",
    "thv search --category database",
    "thv show postgres-server --registry production-catalog --include-registry-info",
    "thv install postgres-server --registry upstream-raw",
    "thv run filesystem-server --name my-filesystem --env FILESYSTEM_ROOT=/data/shared --namespace production",
    "thv run postgres-mcp-server my-postgres --registry upstream-community --env READONLY=true --namespace production",
    "thv list --registry company-internal",
    "thv show my-postgres --include-registry-info",
)


def paths(group: click.Group = cli, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, from the table alone."""
    assert isinstance(group, LazyGroup)
    for name, lazy in group._lazy.items():
        if lazy.place.startswith("thv.apps.cli.main:"):
            yield from paths(load(lazy.place), (*before, name))
        else:
            yield (*before, name)


PATHS = [" ".join(path) for path in paths()]


def command_at(path: str) -> Command:
    found: click.Command = cli
    for word in path.split():
        assert isinstance(found, LazyGroup)
        found = load(found._lazy[word].place)
    assert isinstance(found, Command)
    return found


def require_parsed(line: str) -> None:
    """Fails with the parser's own words unless the line names a command and options that it has."""
    words = shlex.split(line)[1:]
    common = Common(Surroundings(environ={}, home=Path("/")), words)
    group: click.Command = cli
    context: click.Context | None = None
    while isinstance(group, click.Group):
        context = group.make_context("thv", list(words), parent=context, obj=common)
        words = [*context._protected_args, *context.args]
        assert words, f"{line}: no command"
        name, found, words = group.resolve_command(context, words)
        assert found is not None, f"{line}: no command {name}"
        group = found
    if "--help" not in words:
        group.make_context("x", list(words), parent=context, obj=common).close()


@pytest.mark.requirement("CLI-01", "CLI-02", "CLI-03", "CLI-04", "CLI-05")
@pytest.mark.parametrize("line", SPECIFICATION)
def test_command_lines_of_the_specification_are_understood(line: str) -> None:
    require_parsed(line)


@pytest.mark.parametrize("path", PATHS)
def test_every_example_of_a_command_is_understood(path: str) -> None:
    command = command_at(path)
    assert command.examples, f"thv {path} has no example"
    for example in command.examples:
        for line in re.split(r" \| | && |; ", re.split(" [<>] ", example)[0]):
            if line.startswith("thv "):
                require_parsed(line.partition("  #")[0])


@pytest.mark.parametrize("path", PATHS)
def test_every_command_says_what_it_does_and_shows_it(path: str) -> None:
    command = command_at(path)
    text = command.get_help(click.Context(command, info_name=path, max_content_width=100))
    assert text.count("Examples:") == 1
    assert command.help, f"thv {path} does not say what it does"


_ADVICE = re.compile(r"(?:Try: +|^ {7,}|Add one: |Details: |more: |all: |source: )(thv [a-z].*)$")
_BETWEEN = re.compile(r" {3,}|, then |, or | && |; |\. ")


def suggested() -> Iterator[str]:
    """The commands in outputs that tests keep as files."""
    for path in sorted(GOLDEN.rglob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            found = _ADVICE.search(line)
            for part in _BETWEEN.split(found[1]) if found else ():
                if part.startswith("thv "):
                    yield part.strip().rstrip(".")


@pytest.mark.parametrize("line", sorted(set(suggested())))
def test_every_command_that_an_output_suggests_is_understood(line: str) -> None:
    require_parsed(line)
