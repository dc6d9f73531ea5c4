"""Every command of the tree: it loads, explains itself, and its examples are command lines that it takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.apps.cli.running import GOLDEN, Cli
from thv.apps.cli.loader import LazyGroup
from thv.apps.cli.main import cli as tree
from thv.apps.cli.options import Common


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name="thv", obj=Common())
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None, name
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))
        else:
            yield " ".join((*path, name)), found


COMMANDS = dict(commands(tree))


def parsed(line: str) -> str:
    """Parses one command line; the error, or nothing."""
    words = shlex.split(line, comments=True)[1:]
    command: click.Command = tree
    context = click.Context(tree, info_name="thv", obj=Common(), resilient_parsing=False)
    while isinstance(command, click.Group):
        inner = command.make_context(command.name, words, parent=context) if words else None
        if inner is None:
            return ""
        name, found, words = command.resolve_command(inner, [*inner._protected_args, *inner.args])
        if found is None:
            return f"no command {name}"
        command, context = found, inner
    try:
        command.make_context(command.name, list(words), parent=context)
    except click.exceptions.Exit:
        return ""
    except click.UsageError as error:
        return error.format_message()
    return ""


def own_lines(text: str) -> list[str]:
    """The parts of a shell line that call us."""
    inner = re.findall(r"\$\((thv [^)]*)\)", text)
    parts = re.split(r"\s\|\s|&&|;", re.sub(r"[<>]\s*\S+", "", text))
    return inner or [part.strip() for part in parts if part.strip().startswith("thv ")]


def test_the_tree_knows_every_command() -> None:
    assert len(COMMANDS) > 30
    assert {name for name, command in COMMANDS.items() if not command.help} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_it_takes(name: str) -> None:
    examples = getattr(COMMANDS[name], "examples", ())
    assert examples
    for example in examples:
        for line in own_lines(example):
            assert parsed(line) == "", example


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_the_screen_and_shows_the_examples(cli: Cli, name: str) -> None:
    ran = cli.ok(f"{name} --help")
    assert "Examples:" in ran.out
    assert "\x1b" not in ran.out


def test_the_help_of_the_tree_lists_what_the_groups_say() -> None:
    groups = [tree, *(c for c in map(_group, ("registry", "secret", "config")) if c)]
    for group in groups:
        assert isinstance(group, LazyGroup)
        for name, lazy in group._lazy.items():
            assert lazy.help.endswith("."), name


def _group(name: str) -> click.Command | None:
    return tree.get_command(click.Context(tree, obj=Common()), name)


def suggestions() -> Iterator[tuple[str, str]]:
    """The commands that recorded outputs tell people to type."""
    said = re.compile(r"(?:Try:   |^       |: )(thv [^|\n]+?)(?:   |$)", re.MULTILINE)
    for path in sorted(Path(GOLDEN).glob("*.txt")):
        for match in said.finditer(path.read_text()):
            line = re.sub(r"\s+\(.*$", "", match[1])
            for each in line.split(", then "):
                if "..." not in each:
                    yield path.stem, each.rstrip(".,")


@pytest.mark.parametrize(("place", "line"), sorted(set(suggestions())))
def test_what_an_output_tells_to_type_is_a_command_line(place: str, line: str) -> None:
    assert parsed(line) == "", place
