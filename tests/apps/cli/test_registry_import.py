from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from tests.apps.cli.running import Cli, check_golden
from tests.builders import array, item, page, server, toolhive

pytestmark = pytest.mark.flows


def imported(cli: Cli, content: bytes, *words: str, name: str = "servers.json") -> str:
    path = cli.file(name, content)
    ran = cli.ok("registry", "import", "--file", str(path), "--registry", "local-servers", *words)
    return ran.err


def names(cli: Cli) -> list[str]:
    return cli.ok("search --registry local-servers -o name").out.split()


@pytest.mark.requirement("CLI-02")
def test_the_entries_of_a_file_become_a_registry(cli: Cli) -> None:
    path = cli.file("registry.json", toolhive(one={}, two={}))
    ran = cli.ok(
        "registry import --file registry.json --registry local-servers".replace(
            "registry.json", str(path)
        )
    )
    assert ran.out == "mcpregistry/local-servers imported\n"
    check_golden("registry_import", cli.settled(ran.err))
    path.unlink()
    assert "the source has not changed" in cli.ok("registry sync local-servers").err
    assert names(cli) == ["one", "two"]


@pytest.mark.requirement("CLI-02")
def test_a_second_import_adds_and_changes(cli: Cli) -> None:
    imported(cli, array(server("io.example/a"), server("io.example/b")))
    said = imported(cli, array(server("io.example/b", description="new"), server("io.example/c")))
    assert "2 entries read: 1 new, 1 changed, 0 as before" in said
    assert "+1 added  ~1 changed  -0 removed" in said
    assert names(cli) == ["io.example/a", "io.example/b", "io.example/c"]


def test_an_import_may_take_the_place_of_what_was_there(cli: Cli) -> None:
    imported(cli, array(server("io.example/a"), server("io.example/b")))
    said = imported(cli, array(server("io.example/b")), "--mode", "replace")
    assert "0 new, 0 changed, 1 as before, 1 removed" in said
    assert names(cli) == ["io.example/b"]


def test_a_dry_run_changes_nothing(cli: Cli) -> None:
    path = cli.file("a.json", array(server("io.example/a")))
    ran = cli.ok("registry", "import", "--file", str(path), "--registry", "x", "--dry-run")
    assert ran.out == "mcpregistry/x would be imported\n"
    assert (cli.ok("registry list -o name").out, (cli.data / "imports").exists()) == ("", False)


@pytest.mark.requirement("FMT-02")
@pytest.mark.parametrize("name", ["servers.json.gz", "folder/one.yaml"])
def test_packed_files_and_folders_are_imported(cli: Cli, name: str) -> None:
    if name.endswith(".gz"):
        imported(cli, gzip.compress(array(server("io.example/a"))), name=name)
        assert names(cli) == ["io.example/a"]
        return
    entry = b"description: d\nimage: ghcr.io/example/one:1\ntransport: stdio\ntier: Community\nstatus: Active\ntools: [x]\n"
    folder = cli.file(name, entry).parent
    cli.ok("registry", "import", "--file", str(folder), "--registry", "local-servers")
    assert names(cli) == ["one"]


def test_the_standard_input_is_imported(cli: Cli) -> None:
    cli.ok("registry import --file - --registry local-servers", stdin=array(server("io.example/a")))
    assert names(cli) == ["io.example/a"]


@pytest.mark.requirement("FMT-03")
def test_what_the_source_said_about_an_entry_is_kept(cli: Cli) -> None:
    said = {
        "publishedAt": "2025-01-01T00:00:00Z",
        "updatedAt": "2025-02-01T00:00:00Z",
        "isLatest": True,
    }
    items = page(item(server("io.example/a"), **{**said, "status": "deprecated"}))
    content = b'{"servers":[%s],"metadata":{"count":1}}' % b",".join(items)
    imported(cli, content)
    path = cli.file("direct.json", content)
    cli.ok("registry", "add", "direct", "--file", str(path))
    assert cli("registry diff direct local-servers").code == 0
    documents = [
        cli.ok(f"registry export {name} --format upstream").out
        for name in ("direct", "local-servers")
    ]
    assert "deprecated" in documents[1]
    shown = [
        cli.ok(f"show io.example/a --registry {n} -o json").json
        for n in ("direct", "local-servers")
    ]
    assert str(shown[0]).count("2025-01-01") == str(shown[1]).count("2025-01-01") >= 1


def test_bad_entries_are_skipped_and_named_or_stop_everything(cli: Cli) -> None:
    content = array(server("io.example/a"), {"name": "io.example/bad"})
    path = cli.file("servers.json", content)
    strict = cli("registry", "import", "--file", str(path), "--registry", "strict", "--strict")
    assert strict.code == 1
    check_golden("registry_import_strict", cli.settled(strict.err))
    assert cli.ok("registry list -o name").out == ""
    assert "! skipped [1]: version is missing" in imported(cli, content)
    assert names(cli) == ["io.example/a"]


def test_a_registry_with_another_source_takes_no_entries(cli: Cli) -> None:
    path = cli.file("servers.json", array(server("io.example/a")))
    cli.ok("registry", "add", "follows", "--file", str(path))
    ran = cli("registry", "import", "--file", str(path), "--registry", "follows")
    assert ran.code == 6
    check_golden("registry_import_other_source", ran.err)


def test_a_registry_of_a_config_map_takes_them_there(cli: Cli) -> None:
    cli.ok("registry add cm --configmap servers --no-sync")
    path = cli.file("a.json", array(server("io.example/a")))
    cli.ok("registry", "import", "--file", str(path), "--registry", "cm")
    path = cli.file("b.json", array(server("io.example/b")))
    assert "+1 added" in cli.ok("registry", "import", "--file", str(path), "--registry", "cm").err
    assert cli.ok("search --registry cm -o name").out == "io.example/a\nio.example/b\n"


def test_what_does_not_fit_into_a_config_map_is_refused_whole(cli: Cli) -> None:
    cli.ok("registry add cm --configmap servers --no-sync")
    path = cli.file(
        "a.json", array(*(server(f"io.example/a{n}", title="x" * 900) for n in range(900)))
    )
    ran = cli("registry", "import", "--file", str(path), "--registry", "cm", "-o", "json")
    assert (ran.code, ran.error["code"]) == (1, "SIZE_LIMIT_EXCEEDED")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--file nowhere.json --registry x", 5),
        ("--file here.html --registry x", 1),
        ("--file here.json --registry Bad_Name", 2),
        ("--file here.json --registry x --format toolhive", 1),
        ("--registry x", 2),
        ("--file here.json", 2),
    ],
)
def test_what_cannot_be_imported_leaves_nothing_behind(
    cli: Cli, words: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.file("here.json", array(server("io.example/a")))
    cli.file("here.html", b"<html>")
    monkeypatch.chdir(cli.home)
    assert cli(f"registry import {words}").code == code
    assert cli.ok("registry list -o name").out == ""
    left = {path.name for path in cli.data.iterdir()} if cli.data.exists() else set()
    assert not [name for name in left if name.startswith("import")]


@pytest.mark.parametrize(
    ("output", "start"), [("name", "mcpregistry/local-servers\n"), ("json", "{")]
)
def test_the_result_has_the_usual_forms(cli: Cli, output: str, start: str) -> None:
    path = cli.file("a.json", array(server("io.example/a")))
    ran = cli.ok(
        "registry", "import", "--file", str(path), "--registry", "local-servers", "--no-sync", "-o", output
    )  # fmt: skip
    assert ran.out.startswith(start)
    if output == "json":
        assert (ran.json["kind"], ran.json["read"], ran.json["created"]) == ("ImportResult", 1, 1)


def test_the_entries_go_with_the_registry(cli: Cli) -> None:
    imported(cli, array(server("io.example/a")))
    document = cli.data / "imports" / "default" / "local-servers.json"
    assert document.stat().st_mode & 0o777 == 0o600
    cli.ok("registry remove local-servers --yes")
    assert not document.exists()


@pytest.mark.requirement("CLI-02")
def test_the_entries_are_part_of_a_backup_and_move_with_the_data_folder(
    cli: Cli, tmp_path: Path
) -> None:
    imported(cli, array(server("io.example/a")))
    backup = tmp_path / "backup.tar.gz"
    cli.ok("backup", "--output", str(backup))
    shutil.rmtree(cli.data)
    there = Cli(tmp_path / "elsewhere")
    there.ok("restore", str(backup), "--yes")
    imported(there, array(server("io.example/b")))
    assert names(there) == ["io.example/a", "io.example/b"]


@pytest.mark.requirement("CLI-02", "FMT-03")
def test_an_imported_dump_has_the_digest_of_a_followed_one(cli: Cli, real_data: Path) -> None:
    dump = real_data / "upstream-official-dumps" / "2025-12-18.wrapped.json"
    cli.ok("registry", "add", "followed", "--file", str(dump))
    cli.ok(
        "registry", "import", "--file", str(dump), "--registry", "imported", "--format", "upstream"
    )
    digests = {
        cli.ok(f"registry show {name} -o json").json["status"]["snapshot"]["digest"]
        for name in ("followed", "imported")
    }
    assert len(digests) == 1
