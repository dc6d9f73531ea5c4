"""Reading with nothing but the address of an API: the same answers as where the registry is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.apps.cli.library import OFFICIAL
from tests.apps.cli.running import Cli
from tests.apps.standalone.process import Process
from tests.upstream import Upstream

pytestmark = pytest.mark.flows


BROWSER = "io.github.acme/database-browser"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The user where the registry is kept."""
    cli = Cli(tmp_path_factory.mktemp("kept"))
    path = cli.file("official.json", json.dumps(OFFICIAL))
    cli.ok("registry", "add", "official", "--file", str(path), "--trust-level", "tested")
    return cli


@pytest.fixture(scope="module")
def address(kept: Cli) -> Iterator[str]:
    """Where a `thv serve` answers for it."""
    argv = ("serve", "--listen", "127.0.0.1:0")
    with Process(kept.home, *argv, THV_DATA=str(kept.data)) as process:
        process.until_served("/r/default/official/api/v1/info")
        yield f"http://127.0.0.1:{process.port}"


@pytest.fixture
def away(cli: Cli, address: str) -> Cli:
    """A user who knows the address alone."""
    return replace(cli, environ={"THV_SERVER": f"{address}/r/default/official"})


@pytest.mark.requirement("CLI-04", "CLI-07")
@pytest.mark.parametrize(
    "line",
    [
        "search", "search notes", "search notes -o json", "search --transport stdio -o name", "search -o wide",
        "search --limit 1 -o name", "show nothing", "show database-browser", "show database-browser -o json",
        "show com.example/notes --registry official -o upstream", "show io.github.acme/notes@1.0.0 -o toolhive",
        "show io.github.acme/notes --versions", "show database-browser --permissions",
        "registry export official", "registry export official --format toolhive --latest", "registry list -o name",
        "registry show official -o name",
    ],
)  # fmt: skip
def test_an_address_answers_what_the_place_of_the_registry_answers(
    kept: Cli, away: Cli, line: str
) -> None:
    assert away.ok(line).out == kept.ok(line).out


def test_what_a_registry_says_of_itself_is_shown(away: Cli) -> None:
    titles, line = away.ok("registry list").out.splitlines()
    assert titles.split() == ["NAME", "TYPE", "FORMAT", "TRUST", "SERVERS", "LAST-SYNC"]
    assert line.split()[:5] == ["official", "file", "upstream", "tested", "4"]
    shown = away.ok("registry show official").out
    assert f"Endpoint:   {away.environ['THV_SERVER']}" in shown
    assert away.ok("registry show official -o json").json["snapshot"]["servers"] == 4


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("registry sync official", 2, "needs the place that keeps registries"),
        ("registry list --watch", 2, "--watch is for registries that are resources"),
        ("registry show corp", 5, 'serves the registry "official", not "corp"'),
        ("registry export official --latest", 2, "leave out --latest"),
        ("show nobody/nothing-like-it", 5, "thv search nothing-like-it"),
        ("show notes", 5, "Did you mean: com.example/notes, io.github.acme/notes?"),
        ("registry list --token-file nowhere", 5, 'the token file "nowhere" cannot be read'),
        ("registry list --server ftp://x --token-file nowhere", 5, "nowhere"),
        ("registry list --server ftp://x", 2, "--server https://HOST:PORT"),
        ("registry list --server http://127.0.0.1:1", 10, "cannot be read: no connection"),
        ("registry list --server http://a --backend local", 2, "two places to read from"),
        ("registry list --server http://a --context b", 2, "two places to read from"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(away: Cli, line: str, code: int, said: str) -> None:
    ran = away(line)
    assert (ran.code, said in ran.err) == (code, True), ran.err


def test_a_place_on_the_command_line_wins_over_an_address_of_the_environment(away: Cli) -> None:
    assert "no registries" in away.ok("registry list --backend local").err
    away.ok("config set server http://nowhere.test")
    away.environ.pop("THV_SERVER")
    assert away("registry list").code == 10
    away.environ["THV_BACKEND"] = "local"
    assert away("registry list").code == 0


def test_many_registries_behind_one_address_are_searched_together(cli: Cli, address: str) -> None:
    cli.environ["THV_SERVER"] = address
    assert "com.example/notes" in cli.ok("search notes -o name").out
    assert "3.0.0" in cli.ok("show com.example/notes").out
    ran = cli("registry list")
    assert (ran.code, "/r/default/official" in ran.err) == (5, True)
    assert "thv catalog list" in ran.err
    found = cli.ok("search --category browser-automation --registry default/official -o json").json
    assert ([each["name"] for each in found["items"]], found["total"]) == ([BROWSER], 4)
    assert found["items"][0]["registry_info"]["trust_level"] == "tested"
    assert "have most of them" in cli.ok("search notes from nowhere").err


def test_an_official_api_is_searched(cli: Cli, upstream: Upstream) -> None:
    cli.environ["THV_SERVER"] = upstream.url
    upstream.corpus.publish("io.example/tides", "1.2.0")
    assert cli.ok("search -o name").out == "io.example/tides\n"
    ran = cli("search --category x")
    assert (ran.code, "cannot filter by category" in ran.err) == (2, True)


def test_the_token_of_the_file_is_sent_and_one_that_is_refused_names_the_way_to_another(
    cli: Cli, kept: Cli, tmp_path: Path
) -> None:
    access, token = tmp_path / "access.yaml", tmp_path / "token"
    words = ("--user", "jane", "--role", "toolhive-registry-user", "--file", str(access))
    token.write_text(replace(kept, now=datetime.now(UTC)).ok("auth", "token", *words).out)
    argv = ("serve", "--listen", "127.0.0.1:0", "--token-file", str(access), "--read-only")
    with Process(kept.home, *argv, THV_DATA=str(kept.data)) as process:
        cli.environ["THV_SERVER"] = f"http://127.0.0.1:{process.port}/r/default/official"
        ran = cli("registry list")
        assert (ran.code, "--token-file" in ran.err) == (4, True)
        assert "official" in cli.ok("registry", "list", "--token-file", str(token)).out
