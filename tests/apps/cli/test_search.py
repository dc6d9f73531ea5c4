from __future__ import annotations

import json

import pytest

from tests.apps.cli.library import fill, steady
from tests.apps.cli.running import Cli, check_golden

pytestmark = pytest.mark.requirement("CLI-04")


@pytest.fixture
def library(cli: Cli) -> Cli:
    return fill(cli)


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml", "name"])
def test_a_search_is_printed_in_every_format(library: Cli, output: str) -> None:
    ran = library.ok(f"search notes -o {output}")
    shown = ran.out if output in ("table", "wide") else steady(library, ran.out)
    check_golden(f"search_{output}", shown)
    assert "\x1b" not in ran.out + ran.err


def test_a_table_fits_into_80_columns(library: Cli, terminal: Cli) -> None:
    terminal.columns = 80
    ran = terminal.ok("search")
    assert max(map(len, ran.out.splitlines())) <= 80
    check_golden("search_80_columns", ran.out)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("search --category browser-automation", ["io.github.acme/database-browser"]),
        ("search --tool write_note", ["notes"]),
        ("search --tier official", ["notes"]),
        ("search --tag text", ["notes"]),
        ("search --transport streamable-http", ["weather"]),
        ("search weather --registry tools", ["weather"]),
        ("search weather --registry official", []),
        ("search notes --registry official", ["com.example/notes", "io.github.acme/notes"]),
        ("search --trust trusted", []),
        ("search -l tier=Official", ["notes"]),
        ("search noth", ["com.example/nothing"]),
    ],
)
def test_filters_and_words_find_what_they_say(library: Cli, line: str, names: list[str]) -> None:
    assert library.ok(f"{line} -o name").out.split() == names


def test_a_registry_is_also_named_with_its_namespace(library: Cli) -> None:
    short, full = (library.ok("search", "--registry", each, "-o", "name").out for each in ("official", "files/official"))  # fmt: skip
    assert short == full
    refused = library("search --registry elsewhere/official")
    assert (refused.code, 'in the namespace "elsewhere"' in refused.err) == (5, True)


def test_a_remark_says_how_many_were_found_and_where_to_go_on(library: Cli, terminal: Cli) -> None:
    check_golden("search_remark", terminal.ok("search forecast").err)
    said = library.ok("search zzz from nowhere").err
    assert "none of 6 servers matches. Try: thv catalog servers --search 'zzz from nowhere'" in said
    assert "none of 6 servers matches\n" in library.ok("search --tag zzz").err
    said = library.ok("search --limit 2").err
    assert "2 of 6 matches shown; all: thv search --limit 6\n" in said
    assert "thv search --limit 6\n" in library.ok("search --limit=5").err


def test_the_format_flag_of_toolhive_still_works(library: Cli) -> None:
    assert library.ok("search weather --format json").json["items"][0]["name"] == "weather"


def test_an_unknown_registry_is_answered_with_what_was_perhaps_meant(library: Cli) -> None:
    ran = library("search --registry tool -o json")
    assert (ran.code, ran.error["suggestions"]) == (5, ["tools"])


@pytest.mark.requirement("CLI-07")
def test_a_stored_registry_and_a_file_answer_together(library: Cli) -> None:
    library.ok("registry", "add", "mine", "--file", str(library.file("m.json", _ONE)))
    found = library.ok("search pears -o json").json["items"]
    assert [(each["name"], each["registry_info"]["name"]) for each in found] == [("pears", "mine")]
    assert library.ok("search -o json").json["total"] == 7


_ONE = (
    '{"servers": {"pears": {"description": "Grows pears", "transport": "stdio", "image": "x:1"}}}'
)


def test_the_prefix_that_converted_names_get_is_not_searched(cli: Cli) -> None:
    entry = {"description": "Forecasts.", "transport": "stdio", "image": "example.com/weather:1"}
    document = {"version": "1.0.0", "servers": {"weather": entry}}
    file = cli.file("weather.json", json.dumps(document))
    cli.ok("registry", "add", "w", "--file", str(file))
    assert cli.ok("search github -o name").out == ""
    assert cli.ok("search io.github.stacklok/weather -o name").out.strip() == "weather"
