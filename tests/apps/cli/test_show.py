from __future__ import annotations

import json

import pytest

from tests.apps.cli.library import NOTES, fill, registry_folder, steady
from tests.apps.cli.running import Cli, check_golden

pytestmark = pytest.mark.requirement("CLI-04")


@pytest.fixture
def library(cli: Cli) -> Cli:
    return fill(cli)


@pytest.mark.parametrize("output", ["text", "json", "yaml", "toolhive", "upstream"])
def test_a_server_is_shown_in_every_format(library: Cli, output: str) -> None:
    ran = library.ok(f"show notes --registry tools -o {output}")
    shown = ran.out if output == "text" else steady(library, ran.out)
    check_golden(f"show_{output}", shown)


def test_a_terminal_of_80_columns_gets_no_longer_line(library: Cli, terminal: Cli) -> None:
    terminal.columns = 80
    library.ok("registry list")
    ran = terminal.ok("show notes --registry tools --include-registry-info")
    prose = [line for line in ran.out.splitlines() if "docker run" not in line]
    assert max(map(len, prose)) <= 80
    check_golden("show_80_columns", steady(library, ran.out))


def test_colours_come_only_when_they_are_wanted(library: Cli) -> None:
    assert "\x1b" not in library.ok("show notes --registry tools").out
    library.environ["NO_COLOR"] = ""
    assert "\x1b" not in library.ok("show notes --registry tools").out
    assert "\x1b[1mnotes" in library.ok("show notes --registry tools --color always").out


@pytest.mark.parametrize("part", ["tools", "permissions", "versions", "provenance"])
def test_one_part_is_shown_alone(library: Cli, part: str) -> None:
    ran = library.ok(f"show notes --registry tools --{part}")
    check_golden(f"show_{part}", ran.out)
    assert library.ok(f"show notes --registry tools --{part} -o json").json["name"] == "notes"


def test_two_parts_are_a_usage_error(library: Cli) -> None:
    assert library("show notes --tools --versions").code == 2


def test_a_remote_server_is_shown_with_its_headers(library: Cli) -> None:
    check_golden("show_remote", library.ok("show weather").out)


def test_an_exact_name_wins_over_a_short_one(library: Cli) -> None:
    ran = library.ok("show notes -o json")
    assert (ran.json["name"], ran.json["image"]) == ("notes", NOTES["image"])
    assert ran.json["registry_info"]["name"] == "tools"


def test_a_short_name_is_enough_where_it_means_one_server(library: Cli) -> None:
    assert (
        library.ok("show database-browser -o json").json["name"]
        == "io.github.acme/database-browser"
    )
    assert library.ok("show Database-Browser -o json").json["registry_info"]["version"] == "0.3.0"


def test_a_short_name_of_several_servers_names_them(library: Cli) -> None:
    ran = library("show notes --registry official -o json")
    assert ran.code == 2
    assert ran.error["suggestions"] == ["com.example/notes", "io.github.acme/notes"]


def test_one_version_can_be_asked_for(library: Cli) -> None:
    latest = library.ok("show io.github.acme/notes -o json").json["registry_info"]
    assert (latest["version"], latest["versions_count"]) == ("1.1.0", 2)
    older = library.ok("show io.github.acme/notes@1.0.0 -o upstream").json
    assert older["version"] == "1.0.0"
    item = library.ok("show io.github.acme/notes@1.0.0 -o upstream --include-registry-info").json
    assert item["server"] == older


def test_a_version_that_is_not_there_is_answered_with_those_that_are(library: Cli) -> None:
    ran = library("show io.github.acme/notes@1.0.1 -o json")
    assert ran.code == 5
    versions = {"io.github.acme/notes@1.1.0", "io.github.acme/notes@1.0.0"}
    assert set(ran.error["suggestions"]) == versions


def test_a_name_that_is_not_there_is_answered_with_what_was_perhaps_meant(library: Cli) -> None:
    ran = library("show datebase-browser")
    assert ran.code == 5
    check_golden("show_not_found", ran.err)


def test_registries_without_content_do_not_disturb(library: Cli) -> None:
    path = library.file("late.json", "{}")
    library.ok("registry", "add", "late", "--file", str(path), "--no-sync")
    assert library.ok("show weather").err == ""


def test_without_a_registry_the_next_step_is_named(cli: Cli) -> None:
    ran = cli("show notes")
    assert ran.code == 5
    assert "thv registry add" in ran.err


def test_the_most_trusted_registry_answers_and_the_others_are_named(library: Cli) -> None:
    copy = (registry_folder(library) / "tools.json").read_bytes()
    path = library.file("copy.json", copy)
    library.ok("registry", "add", "approved", "--file", str(path), "--trust-level", "trusted")
    text = library.ok("show notes").out
    assert "approved (trusted); also in tools (raw)" in text
    assert (
        library.ok("show notes --registry tools -o json").json["registry_info"]["name"] == "tools"
    )


def test_the_alias_of_toolhive_shows_the_same(library: Cli) -> None:
    shown = library.ok("show weather").out
    assert library.ok("registry info weather").out == shown
    as_json = library.ok("registry info weather --format json").json
    assert as_json["name"] == "weather"


def test_text_of_strangers_cannot_move_the_cursor_or_start_a_command(cli: Cli) -> None:
    evil = {
        "description": "clears \x1b[2J the screen, \u202eturns text",
        "transport": "stdio",
        "image": "example.com/x:1; rm -rf /",
        "args": ["$(reboot)"],
    }
    folder = registry_folder(cli)
    folder.mkdir(parents=True)
    (folder / "evil.json").write_text(json.dumps({"servers": {"evil": evil}}))
    ran = cli.ok("show evil")
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    assert "'example.com/x:1; rm -rf /' '$(reboot)'" in ran.out


def test_a_server_that_nobody_can_run_says_why(library: Cli) -> None:
    assert "not runnable here: neither packages nor remotes" in library.ok("show nothing").out
