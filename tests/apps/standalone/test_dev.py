"""`thv dev`, as somebody uses it who has just cloned this."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.apps.catalog_api.machine import Machine
from tests.apps.standalone.process import SCRIPT, Process, names, run

pytestmark = pytest.mark.e2e

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.mark.requirement("REG-11", "REG-03", "API-02", "API-03", "OPS-01", "OPS-05")
@needs_git
def test_one_command_gives_a_filled_service(tmp_path: Path) -> None:
    with Process(tmp_path, "dev", "--port", "0") as dev:
        dev.until(lambda: "Ctrl-C ends it." in dev.said)
        rows = {line.split()[0]: line.split() for line in dev.said.splitlines()[:6]}
        assert rows.keys() == {
            "NAME",
            "community",
            "databases",
            "developers",
            "essentials",
            "platform",
        }
        assert {row[5] for row in rows.values()} == {"READY", "True"}
        for registry in rows.keys() - {"NAME"}:
            own = dev.until_served(f"/r/default/{registry}/api/v1/servers")
            official = dev.until_served(f"/r/default/{registry}/v0.1/servers?version=latest")
            assert len(own.json["servers"]) == len(official.json["servers"]) > 0
        everything = dev.get("/v0.1/servers?limit=100").json["servers"]
        assert len(everything) > 30
        _check_owner(dev, tmp_path)
    gone = run(tmp_path, "dashboard", "--no-open")
    assert gone.returncode == 5
    assert "no service runs" in gone.stderr


def _check_owner(dev: Process, home: Path) -> None:
    """Whoever started it signs in by a link, once each; others look."""
    [first] = [line.split()[1] for line in dev.said.splitlines() if "signin/once" in line]
    made = run(home, "dashboard", "--no-open")
    assert made.returncode == 0, made.stderr
    for link in (first, made.stdout.strip()):
        path = link.partition(str(dev.port))[2]
        signed = dev.get(path)
        assert (signed.status, signed.headers["location"]) == (303, "/")
        cookie = signed.headers["set-cookie"].partition(";")[0]
        assert b"Signed in as" in dev.get("/", cookie=cookie).body
        assert b"a one-time link" in dev.get("/settings/access", cookie=cookie).body
        assert dev.get(path).status == 404
    assert b"Signed in as" not in dev.get("/").body
    sync = "/api/v1/namespaces/default/registries/community/sync"
    assert Machine(dev, home).ask("POST", sync).status == 401


@needs_git
def test_a_filtered_and_a_layered_registry_lie_on_top(tmp_path: Path) -> None:
    # The access file of a real service is none of the sandbox's.
    with Process(tmp_path, "dev", "--port", "0", THV_ACCESS_FILE="tokens.yaml") as dev:
        dev.until(lambda: "Ctrl-C ends it." in dev.said)
        community, databases, developers = (
            set(names(dev.until_served(f"/r/default/{name}/api/v1/servers")))
            for name in ("community", "databases", "developers")
        )
        assert databases < community
        assert developers < community
        assert "com.example.demo/handwritten-notes" in community - developers


@needs_git
def test_every_printed_command_works_from_another_terminal(tmp_path: Path) -> None:
    with Process(tmp_path, "dev", "--port", "0") as dev:
        dev.until(lambda: "Ctrl-C ends it." in dev.said)
        offered = [shlex.split(line) for line in dev.said.splitlines() if line.startswith("  ")]
        assert len(offered) == 6
        for words in offered:
            if words[0] == "curl":
                path = words[1].partition(str(dev.port))[2]
                assert dev.get(path).json["servers"]
            else:
                assert Path(words[0]).name == SCRIPT.name
                done = run(tmp_path, *words[1:])
                assert done.returncode == 0, done.stderr


@needs_git
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    home, scratch = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    scratch.mkdir()
    with Process(home, "dev", "--port", "0", TMPDIR=str(scratch)) as dev:
        dev.until(lambda: "Ctrl-C ends it." in dev.said)
        assert list(scratch.iterdir())
        assert dev.end() == 0
        assert "Traceback" not in dev.said
    assert list(scratch.iterdir()) == []
    assert list(home.iterdir()) == []


@needs_git
def test_a_folder_that_is_named_is_kept(tmp_path: Path) -> None:
    for _ in range(2):
        with Process(tmp_path, "dev", "--port", "0", "--data", "kept") as dev:
            dev.until(lambda: "Ctrl-C ends it." in dev.said)
            assert dev.end() == 0
    listed = run(tmp_path, "--data", "kept", "registry", "list", "-o", "name")
    assert "mcpregistry/community" in listed.stdout


def test_without_git_the_sample_from_git_is_left_out_and_named(tmp_path: Path) -> None:
    with Process(tmp_path, "dev", "--port", "0", PATH="/nowhere") as dev:
        dev.until(lambda: "Ctrl-C ends it." in dev.said)
        assert "git is not installed (Debian, Ubuntu: apt-get install git)" in dev.said
        assert "platform" not in dev.said
        assert dev.get("/r/default/platform/api/v1/servers").status == 404
