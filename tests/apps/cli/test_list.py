from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apps.cli.library import TOOLHIVE, fill, registry_folder, steady
from tests.apps.cli.running import Cli, check_golden

pytestmark = pytest.mark.requirement("CLI-07")


@pytest.fixture
def library(cli: Cli) -> Cli:
    return fill(cli)


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml", "name"])
def test_registries_are_listed_in_every_format(library: Cli, output: str) -> None:
    ran = library.ok(f"registry list -o {output}")
    check_golden(f"registry_list_{output}", steady(library, ran.out))
    assert "\x1b" not in ran.out + ran.err


def test_a_table_fits_into_80_columns(library: Cli, terminal: Cli) -> None:
    terminal.columns = 80
    assert max(map(len, terminal.ok("registry list -A").out.splitlines())) <= 80


def test_a_file_that_changes_changes_the_registry(library: Cli) -> None:
    assert _servers(library, "tools") == 2
    more = {**TOOLHIVE["servers"], "more": TOOLHIVE["servers"]["notes"]}
    (registry_folder(library) / "tools.json").write_text(json.dumps({**TOOLHIVE, "servers": more}))
    assert _servers(library, "tools") == 3


def test_a_file_that_goes_takes_its_registry_with_it(library: Cli) -> None:
    library.ok("registry list")
    (registry_folder(library) / "tools.json").unlink()
    assert [each["metadata"]["name"] for each in _items(library)] == ["official"]


def test_a_stored_registry_hides_the_file_of_its_name(library: Cli) -> None:
    path = library.file("other.json", json.dumps({**TOOLHIVE, "remote_servers": {}}))
    library.ok("registry", "add", "tools", "--file", str(path))
    assert _servers(library, "tools") == 1
    said = library.ok("registry list -v").err
    assert "tools.json is hidden by mcpregistry/tools" in said
    library.ok("registry remove tools --yes")
    assert _servers(library, "tools") == 2


def test_a_registry_that_is_a_file_is_not_changed_by_commands(library: Cli) -> None:
    ran = library("registry remove tools --yes")
    assert ran.code == 2
    assert "tools.json" in ran.err


def test_a_damaged_file_says_so_and_leaves_the_others(library: Cli) -> None:
    (registry_folder(library) / "broken.json").write_text("{")
    ran = library.ok("registry list")
    assert "official" in ran.out
    assert "files/broken: " in ran.err
    assert "not valid JSON" in ran.err


def _items(cli: Cli) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = cli.ok("registry list -o json").json["items"]
    return items


def _servers(cli: Cli, name: str) -> int:
    shown = cli.ok("registry list -o json").json["items"]
    found = next(item for item in shown if item["metadata"]["name"] == name)
    return int(found["status"]["serverCount"])
