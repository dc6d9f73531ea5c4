from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.cli.running import Cli, check_golden
from tests.builders import array, server, toolhive

pytestmark = pytest.mark.flows


@pytest.fixture
def file(cli: Cli) -> Path:
    servers = (server(f"io.example/{name}") for name in "abcd")
    path = cli.file("servers.json", array(*servers))
    cli.ok("registry", "add", "local", "--file", str(path))
    return path


@pytest.fixture
def other(cli: Cli) -> Path:
    """One changed, one gone, one new."""
    changed = server("io.example/b", description="other", title="B")
    rest = (server(f"io.example/{name}") for name in "cde")
    return cli.file("other.json", array(changed, *rest))


@pytest.mark.requirement("CLI-02")
def test_an_export_does_not_differ_from_its_registry(cli: Cli, file: Path) -> None:
    for format_ in ("upstream", "toolhive"):
        backup = cli.home / f"{format_}.json"
        cli.ok("registry", "export", "local", "--format", format_, "--output", str(backup))
        ran = cli.ok("registry", "diff", "local", "-f", str(backup))
        assert (ran.out, ran.err) == ("", "✔ no difference in 4 entries\n")


def test_a_file_that_differs_exits_with_1_and_says_how(cli: Cli, file: Path, other: Path) -> None:
    ran = cli("registry", "diff", "local", "--file", str(other))
    assert ran.code == 1
    check_golden("registry_diff", ran.out + "---\n" + ran.err)


def test_the_filter_of_the_registry_counts_for_the_file(cli: Cli) -> None:
    path = cli.file("corp.json", toolhive(one={}, two={"tags": ["x"]}))
    cli.ok("registry", "add", "corp", "--file", str(path), "--exclude-tag", "x")
    assert cli("registry", "diff", "corp", "-f", str(path)).code == 0


def test_two_registries_are_compared(cli: Cli, file: Path, other: Path) -> None:
    cli.ok("registry", "add", "staging", "--file", str(other))
    ran = cli("registry diff mcpregistry/local staging -o json")
    assert ran.code == 1
    check_golden("registry_diff_json", ran.out)
    ran = cli("registry diff staging local -o name")
    assert ran.out.split() == ["io.example/a", "io.example/b", "io.example/e"]


def test_what_a_sync_changed_is_compared_with_what_was_before(
    cli: Cli, file: Path, other: Path
) -> None:
    before = cli.ok("registry show local -o json").json["status"]["snapshot"]["digest"]
    file.write_bytes(other.read_bytes())
    cli.ok("registry sync local")
    expected = "- io.example/a 1.0.0\n~ io.example/b 1.0.0  /server/description, /server/title\n+ io.example/e 1.0.0\n"
    for words in (
        "--previous",
        "--revision previous..current",
        f"--revision {before[:20]}..",
        f"--revision {before[7:15]}..current",
    ):
        ran = cli(f"registry diff local {words}")
        assert (ran.code, ran.out) == (1, expected)
    ran = cli("registry diff local --revision 2020-01-01..current")
    assert (ran.code, "it keeps current (sha256:" in ran.err) == (5, True)
    assert cli("registry diff local --revision abc").code == 2


def test_many_differences_are_counted_and_some_shown(cli: Cli, file: Path) -> None:
    many = cli.file("many.json", array(*(server(f"io.example/new{n:03}") for n in range(250))))
    ran = cli("registry", "diff", "local", "-f", str(many), "--limit", "3")
    assert ran.out.count("\n") == 3
    assert "3 of 254 differences shown; all: thv registry diff local" in ran.err
    assert "+250 added  ~0 changed  -4 removed  0 the same" in ran.err


def test_a_registry_that_serves_nothing_lacks_everything(cli: Cli, file: Path) -> None:
    cli.ok("registry", "add", "new", "--file", str(file), "--no-sync")
    assert "+4 added" in cli("registry diff new local").err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("local", 2),
        ("local local --previous", 2),
        ("nothing -f servers.json", 5),
        ("local nothing", 5),
        ("local -f nowhere.json", 5),
        ("local -f page.html", 2),
        ("local -f servers.json --format toolhive", 2),
    ],
)
def test_an_error_is_never_taken_for_a_difference(
    cli: Cli, file: Path, words: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.file("page.html", b"<html>")
    monkeypatch.chdir(cli.home)
    ran = cli(f"registry diff {words}")
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert not list(cli.data.glob("diff-*"))


def test_colours_mark_what_came_and_went(terminal: Cli) -> None:
    del terminal.environ
    terminal.environ = {"NO_COLOR": ""}
    path = terminal.file("a.json", array(server("io.example/a")))
    terminal.ok("registry", "add", "local", "--file", str(path))
    path.write_bytes(array(server("io.example/b")))
    ran = terminal("registry", "diff", "local", "-f", str(path))
    assert "\x1b[32m+\x1b[0m io.example/b" in ran.out
    assert "\x1b[31m-\x1b[0m io.example/a" in ran.out
