from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.apps.cli.library import OFFICIAL, TOOLHIVE
from tests.apps.cli.running import Cli, check_golden
from tests.builders import server

pytestmark = pytest.mark.requirement("FMT-03")

VERSIONS = [server("io.example/a", "1.0.0"), server("io.example/a", "2.0.0")]


def written(cli: Cli, name: str, value: Any) -> Path:
    return cli.file(name, json.dumps(value, indent=2))


def test_a_file_is_converted_to_the_other_format_and_back(cli: Cli) -> None:
    path = written(cli, "registry.json", TOOLHIVE)
    there = cli.home / "there.json"
    cli.ok("registry", "convert", "--in", str(path), "--out", str(there))
    assert list(json.loads(there.read_text())) == ["$schema", "version", "meta", "data"]
    back = cli.ok("registry", "convert", "--in", str(there))
    assert json.loads(back.out) == TOOLHIVE


def test_input_and_output_are_the_default(cli: Cli) -> None:
    ran = cli.ok("registry convert", stdin=json.dumps(TOOLHIVE))
    assert [each["name"] for each in ran.json["data"]["servers"]] == [
        "io.github.stacklok/notes",
        "io.github.stacklok/weather",
    ]
    check_golden("convert_from_input", ran.err)


def test_the_same_file_gives_the_same_bytes(cli: Cli) -> None:
    path = written(cli, "array.json", VERSIONS)
    first, second = (cli.ok("registry", "convert", str(path)).out for _ in range(2))
    assert first == second


def test_in_place_keeps_the_old_file_and_never_overwrites_a_kept_one(cli: Cli) -> None:
    path = written(cli, "registry.json", TOOLHIVE)
    before = path.read_bytes()
    cli.ok("registry", "convert", "--in", str(path), "--in-place")
    assert path.with_name("registry.json.bak").read_bytes() == before
    converted = path.read_bytes()
    cli.ok("registry", "convert", "--in", str(path), "--in-place")
    assert path.with_name("registry.json.bak").read_bytes() == before
    assert path.with_name("registry.json.bak1").read_bytes() == converted
    assert json.loads(path.read_text()) == TOOLHIVE


def test_in_place_without_a_backup(cli: Cli) -> None:
    path = written(cli, "registry.json", TOOLHIVE)
    path.chmod(0o640)
    cli.ok("registry", "convert", "--in", str(path), "--in-place", "--no-backup")
    assert [each.name for each in path.parent.iterdir()] == ["registry.json"]
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_is_left_out_is_named(cli: Cli) -> None:
    path = written(cli, "official.json", OFFICIAL)
    convert = ("registry", "convert", str(path), "--latest", "--out", str(cli.home / "x.json"))
    check_golden("convert_losses", cli.settled(cli.ok(*convert).err))
    report = cli.ok(*convert, "-o", "json")
    items = json.loads(report.err)["items"]
    assert [(each["kind"], each["name"], each["version"]) for each in items] == [
        ("lost", "io.github.acme/notes", "1.0.0"),
        ("note", "com.example/nothing", "1.0.0"),
    ]


def test_every_version_is_kept_and_comes_back(cli: Cli) -> None:
    path = written(cli, "array.json", VERSIONS)
    there = cli.ok("registry", "convert", "--in", str(path)).out
    assert list(json.loads(there)["servers"]) == ["io.example/a@1.0.0", "io.example/a"]
    assert cli.ok("registry convert", stdin=there).json["data"]["servers"] == VERSIONS


def test_a_damaged_entry_is_named_and_costs_no_other(cli: Cli) -> None:
    path = written(cli, "array.json", [VERSIONS[0], {"name": "io.example/b"}, 7])
    ran = cli.ok("registry", "convert", "--in", str(path))
    assert list(ran.json["servers"]) == ["io.example/a"]
    assert "damaged: io.example/b ([1]): version is missing" in ran.err
    assert "damaged: [2]: expected an object" in ran.err
    assert cli("registry", "convert", "--in", str(path), "--strict").code == 1


def test_groups_survive(cli: Cli) -> None:
    group = {
        "name": "daily",
        "description": "Each day",
        "servers": {"notes": TOOLHIVE["servers"]["notes"]},
    }
    document = {**TOOLHIVE, "groups": [group]}
    there = cli.ok("registry convert", stdin=json.dumps(document)).out
    names = [each["name"] for each in json.loads(there)["data"]["servers"]]
    assert sorted(names) == sorted(set(names))
    assert cli.ok("registry convert", stdin=there).json == document


def test_what_is_no_registry_is_refused_with_what_was_expected(cli: Cli) -> None:
    ran = cli("registry", "convert", str(cli.file("page.html", "<html>")), "-o", "json")
    assert ran.code == 1
    assert "page.html is no registry document: found an HTML or XML page" in ran.error["message"]
    assert "Expected a ToolHive registry" in ran.error["hint"]
    assert ran.out == ""


def test_a_failed_conversion_leaves_the_target_as_it_was(cli: Cli) -> None:
    target = cli.file("target.json", "precious")
    assert cli("registry", "convert", "--out", str(target), stdin="{").code == 1
    assert target.read_text() == "precious"
    assert [each.name for each in cli.home.iterdir()] == ["target.json"]


@pytest.mark.parametrize(
    "options",
    ["--in-place", "--in a.json --in-place --out b.json", "x.json --in y.json", "--to xml"],
)
def test_options_that_do_not_fit_are_a_usage_error(cli: Cli, options: str) -> None:
    assert cli(f"registry convert {options}").code == 2


def test_a_file_that_is_not_there_is_answered_with_those_that_are_like_it(cli: Cli) -> None:
    written(cli, "registry.json", TOOLHIVE)
    ran = cli("registry", "convert", "--in", str(cli.home / "regisrty.json"), "-o", "json")
    assert (ran.code, ran.error["suggestions"]) == (5, [str(cli.home / "registry.json")])


def test_compressed_files_yaml_and_folders_are_read_as_well(cli: Cli) -> None:
    packed = cli.file("registry.json.gz", gzip.compress(json.dumps(TOOLHIVE).encode()))
    assert len(cli.ok("registry", "convert", str(packed)).json["data"]["servers"]) == 2
    entry = cli.file(
        "entries/files.yaml", "description: Keeps files\nimage: x/files:1.2.3\ntransport: stdio\n"
    )
    for place in (entry, entry.parent):
        (found,) = cli.ok("registry", "convert", str(place)).json["data"]["servers"]
        assert (found["name"], found["version"]) == ("io.github.stacklok/files", "1.2.3")


@pytest.mark.parametrize("command", ["convert --in", "validate", "migrate"])
def test_a_folder_in_which_nothing_is_an_entry_is_refused(cli: Cli, command: str) -> None:
    folder = cli.file("x/compose.yaml", "services: {}\n").parent
    ran = cli(f"registry {command} {folder} -o json")
    assert (ran.code, ran.error["code"]) == (1, "FORMAT_UNSUPPORTED")
    assert ran.error["message"].startswith(f"{folder} is no folder of entries: none of its files")
    assert "NAME/spec.yaml" in ran.error["hint"]


def test_a_folder_that_holds_a_whole_registry_is_answered_with_the_file(cli: Cli) -> None:
    folder = written(cli, "x/registry.json", TOOLHIVE).parent
    ran = cli(f"registry convert --in {folder} -o json")
    assert (ran.code, ran.error["code"]) == (1, "FORMAT_UNSUPPORTED")
    assert "registry.json in it is a whole registry" in ran.error["message"]
    assert "Name the file" in ran.error["hint"]


@pytest.mark.flows
def test_real_files_come_back_as_they_were(cli: Cli, real_data: Path) -> None:
    for path in sorted((real_data / "toolhive-registry-history").glob("*.json")):
        there = cli.home / "there.json"
        cli.file("there.json", "")
        cli.ok("registry", "convert", "--in", str(path), "--out", str(there))
        assert cli.ok("registry", "convert", "--in", str(there)).json == json.loads(
            path.read_text()
        )
    dump = real_data / "upstream-official-dumps" / "2025-12-18.wrapped.json"
    there = cli.home / "all.json"
    cli.ok("registry", "convert", "--in", str(dump), "--out", str(there))
    back = cli.ok("registry", "convert", "--in", str(there)).json["data"]["servers"]
    servers = [each["server"] for each in json.loads(dump.read_text("utf-8-sig"))]
    key = lambda each: (each["name"], each["version"])  # noqa: E731 # a sort key
    assert sorted(back, key=key) == sorted(servers, key=key)


@pytest.mark.flows
def test_ctrl_c_ends_a_long_conversion_at_once_and_leaves_nothing(cli: Cli, tmp_path: Path) -> None:
    many = [server(f"io.example/s{n}", "1.0.0") for n in range(30_000)]
    path, target = written(cli, "many.json", many), cli.home / "out.json"
    command = [
        sys.executable,
        "-c",
        "from thv.main import main; main()",
        "registry",
        "convert",
        "--in",
        str(path),
        "--out",
        str(target),
    ]
    with subprocess.Popen(command, env={**os.environ, "THV_DATA": str(cli.data)}) as process:
        while not list(cli.home.glob(".out.json.*")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 130
    assert [each.name for each in cli.home.iterdir()] == ["many.json"]
