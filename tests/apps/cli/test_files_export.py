from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.apps.cli.library import OFFICIAL, TOOLHIVE, fill
from tests.apps.cli.running import Cli

pytestmark = pytest.mark.requirement("CLI-02")


@pytest.fixture
def library(cli: Cli) -> Cli:
    return fill(cli)


def test_the_line_of_the_documents_works(library: Cli) -> None:
    target = library.home / "exported.json"
    ran = library.ok(f"registry export tools --format toolhive --output {target}")
    written = json.loads(target.read_text())
    assert written["servers"] == TOOLHIVE["servers"]
    assert written["remote_servers"] == TOOLHIVE["remote_servers"]
    assert (ran.out, "wrote 2 entries of mcpregistry/tools" in ran.err) == ("", True)


def test_the_format_of_the_source_is_the_default(library: Cli) -> None:
    key = lambda each: (each["name"], each["version"])  # noqa: E731 # a sort key
    assert library.ok("registry export official").json["data"]["servers"] == sorted(
        OFFICIAL["data"]["servers"], key=key
    )


LATEST = [
    "com.example/notes",
    "com.example/nothing",
    "io.github.acme/database-browser",
    "io.github.acme/notes",
]


def test_a_toolhive_document_has_a_key_for_each_older_version(library: Cli) -> None:
    ran = library.ok("registry export official --format toolhive")
    assert sorted(ran.json["servers"]) == sorted([*LATEST, "io.github.acme/notes@1.0.0"])
    assert "1 older version as NAME@VERSION" in ran.err


def test_the_latest_versions_alone_are_written_where_that_is_asked(library: Cli) -> None:
    ran = library.ok("registry export official --format toolhive --latest")
    assert list(ran.json["servers"]) == LATEST
    assert "1 older version left out" in ran.err


def test_the_same_content_gives_the_same_bytes(library: Cli) -> None:
    first = library.ok("registry export official").out
    assert library.ok("registry export official --output -").out == first


def test_what_was_exported_is_read_back_without_loss(library: Cli) -> None:
    for format_ in ("toolhive", "upstream"):
        target = library.home / f"{format_}.json"
        library.ok(f"registry export tools --format {format_} --output {target}")
        library.ok("registry", "add", f"back-{format_}", "--file", str(target))
        again = library.ok(f"registry export back-{format_} --format toolhive").json
        assert again["servers"] == TOOLHIVE["servers"]


def test_a_name_as_it_is_printed_is_accepted(library: Cli) -> None:
    (name, *_) = library.ok("registry list -o name").out.split()
    assert library.ok(f"registry export {name}").out


def test_a_file_is_replaced_whole_or_not_at_all(library: Cli) -> None:
    target = library.file("out.json", "precious")
    ran = library("registry", "export", "nobody", "--output", str(target))
    assert (ran.code, target.read_text()) == (5, "precious")
    nowhere = library(f"registry export tools --output {library.home}/no/such/folder.json")
    assert nowhere.code == 5
    assert "mkdir -p" in nowhere.err


def test_the_short_o_is_a_format_and_never_a_file(library: Cli) -> None:
    ran = library("registry export tools -o exported.json")
    assert ran.code == 2
    assert "--output" in ran.err


def test_a_registry_without_content_names_the_next_step(cli: Cli) -> None:
    path: Path = cli.file("r.json", json.dumps(TOOLHIVE))
    cli.ok("registry", "add", "late", "--file", str(path), "--no-sync")
    ran = cli("registry export late")
    assert ran.code == 5
    assert "thv registry sync late" in ran.err
