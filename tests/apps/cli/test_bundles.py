"""Both sides of a place without a way out: save, carry, verify, load."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.apps.cli.running import Cli, check_golden
from tests.builders import array, server, toolhive

pytestmark = pytest.mark.flows

ROOT = Path(__file__).resolve().parents[3]
DIGEST = "sha256:" + "ab" * 32
CONTENT = toolhive(
    osv={"image": f"ghcr.io/example/osv:1.0.0@{DIGEST}", "tools": ["scan"], "title": "OSV"},
    postgres={"image": "docker.io/example/postgres:2.0.0"},
)
MIRROR = "registry.corp.example/mcp"


@pytest.fixture
def open_side(cli: Cli) -> Cli:
    """Somebody with a registry and a way out."""
    path = cli.file("registry.json", CONTENT)
    cli.ok("registry", "add", "corp", "--file", str(path), "--trust-level", "tested")
    return cli


@pytest.fixture
def closed_side(tmp_path: Path) -> Cli:
    """Somebody with neither."""
    return Cli(tmp_path / "closed")


def saved(side: Cli, *words: str, name: str = "bundle") -> Path:
    folder = side.home / name
    side.ok("catalog", "save", "corp", "--output", str(folder), *words)
    return folder


def carried(bundle: Path, side: Cli) -> Path:
    """Only a copy of the folder goes over."""
    there = side.home / "bundle"
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(bundle, there)
    return there


@pytest.mark.requirement("CAT-10")
def test_a_registry_is_carried_over(open_side: Cli, closed_side: Cli) -> None:
    told = open_side.ok("catalog", "save", "corp", "--output", str(open_side.home / "bundle"), "--image-registry", MIRROR)  # fmt: skip
    check_golden("catalog_save", re.sub(r"[\d,]+ bytes", "N bytes", told.err))
    digest = told.out.split()[-1]
    bundle = carried(open_side.home / "bundle", closed_side)
    loaded = closed_side.ok("catalog", "load", str(bundle), "--digest", digest)
    assert loaded.out == "mcpregistry/corp loaded\n"
    (registry,) = closed_side.ok("registry list -o json").json["items"]
    assert registry["spec"]["trustLevel"] == "tested"
    shutil.rmtree(bundle)  # what was loaded needs it no more
    assert closed_side.ok("search --registry corp -o name").out.split() == ["osv", "postgres"]
    osv = closed_side.ok("show osv -o toolhive").json["osv"]
    assert osv["image"] == f"{MIRROR}/example/osv:1.0.0"
    assert osv["custom_metadata"]["toolhive.stacklok.io"] == {
        "image_digest": DIGEST,
        "offline_docs_path": "docs/osv/README.md",
    }


def test_the_same_registry_gives_the_same_bundle(open_side: Cli) -> None:
    first, second = saved(open_side), saved(open_side, name="again")
    assert (first / "bundle.json").read_bytes() == (second / "bundle.json").read_bytes()


def test_a_bundle_may_hold_some_servers_alone(open_side: Cli) -> None:
    bundle = saved(open_side, "--server", "osv@1.0.0")
    assert json.loads((bundle / "registry.json").read_bytes())["servers"].keys() == {"osv"}
    assert (bundle / "images.txt").read_text() == f"ghcr.io/example/osv@{DIGEST}\n"


def test_a_server_that_is_chosen_again_is_in_the_bundle_once(open_side: Cli) -> None:
    again = ("--server", "osv", "--server", "osv", "--server", "osv@1.0.0")
    once, twice = saved(open_side, "--server", "osv", name="once"), saved(open_side, *again)
    assert (twice / "bundle.json").read_bytes() == (once / "bundle.json").read_bytes()


def test_a_bundle_holds_one_version_of_a_server(cli: Cli) -> None:
    versions = (server("com.example/osv", version) for version in ("1.0.0", "2.0.0"))
    path = cli.file("registry.json", array(*versions))
    cli.ok("registry", "add", "corp", "--file", str(path), "--format", "upstream")
    both = ("--server", "osv@1.0.0", "--server", "osv@2.0.0")
    refused = cli("catalog", "save", "corp", "--output", str(cli.home / "bundle"), *both)
    assert refused.code == 2
    assert "com.example/osv is to be 1.0.0 and 2.0.0" in refused.err
    assert not (cli.home / "bundle").exists()


def test_a_newer_bundle_takes_the_place_of_an_older_one(open_side: Cli, closed_side: Cli) -> None:
    closed_side.ok("catalog", "load", str(saved(open_side, "--server", "osv", name="old")))
    closed_side.ok("catalog", "load", str(saved(open_side, "--server", "postgres", name="new")))
    assert closed_side.ok("search --registry corp -o name").out.split() == ["postgres"]


def test_a_registry_with_another_source_is_left_alone(open_side: Cli) -> None:
    refused = open_side("catalog", "load", str(saved(open_side)))
    assert refused.code == 6
    assert "mcpregistry/corp takes its entries from a source of type file" in refused.err
    assert open_side.ok("catalog", "load", str(saved(open_side, name="b")), "--name", "other").code == 0  # fmt: skip


def test_a_bundle_that_was_changed_is_used_for_nothing(open_side: Cli, closed_side: Cli) -> None:
    bundle = saved(open_side)
    (bundle / "registry.json").write_bytes((bundle / "registry.json").read_bytes() + b" ")
    for command in ("verify", "load"):
        refused = closed_side("catalog", command, str(bundle))
        assert refused.code == 9
        assert "the bundle is damaged: registry.json has more than" in refused.err
    assert closed_side.ok("registry list -o name").out == ""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('name": "corp"', 'name": "../../corp"', 'a registry cannot be called "../../corp"'),
        ('name": "corp"', 'name": "other/corp"', 'a registry cannot be called "other/corp"'),
        ('trust-level": "tested"', 'trust-level": "very"', "spec.trustLevel"),
    ],
)
def test_a_bundle_names_nothing_but_its_registry(
    open_side: Cli, closed_side: Cli, before: str, after: str, said: str
) -> None:
    bundle = saved(open_side)
    text = (bundle / "bundle.json").read_text()
    assert before in text
    (bundle / "bundle.json").write_text(text.replace(before, after))
    refused = closed_side("catalog", "load", str(bundle))
    assert (refused.code, said in refused.err) == (2, True), refused.err
    assert not list(closed_side.home.rglob("*.json"))


def test_a_bundle_is_known_by_its_digest(open_side: Cli) -> None:
    bundle = str(saved(open_side))
    ran = open_side.ok("catalog", "verify", bundle, "-o", "json")
    assert ran.json["catalog"]["servers"] == 2
    assert open_side.ok("catalog", "verify", bundle, "--digest", ran.json["digest"]).err.count("\n") == 1  # fmt: skip
    assert open_side("catalog", "verify", bundle, "--digest", DIGEST).code == 9
    assert open_side("catalog", "verify", bundle, "--digest", "sha256:1").code == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nothing",), 5),
        (("corp", "--server", "nothing"), 5),
        (("corp", "--image-registry", "https://registry.corp.example"), 2),
    ],
)
def test_what_cannot_be_saved_leaves_nothing(
    open_side: Cli, words: tuple[str, ...], code: int
) -> None:
    refused = open_side("catalog", "save", *words, "--output", str(open_side.home / "bundle"))
    assert refused.code == code
    assert not (open_side.home / "bundle").exists()


@pytest.mark.requirement("CAT-10")
def test_the_closed_side_needs_no_network(open_side: Cli, tmp_path: Path) -> None:
    if not _has_network_namespaces():
        pytest.skip("no network namespace of one's own can be made here (unshare of util-linux)")
    bundle = saved(open_side, "--image-registry", MIRROR)
    digest = open_side.ok("catalog", "verify", str(bundle), "-o", "json").json["digest"]
    home = tmp_path / "closed"
    home.mkdir()
    shutil.copytree(bundle, home / "bundle")
    done = subprocess.run(
        [
            *_UNSHARED,
            sys.executable,
            "-m",
            "tests.apps.cli.closed_side",
            str(home),
            "bundle",
            digest,
        ],
        cwd=ROOT,
        env={**os.environ, "THV_BACKEND": "local"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {each["name"]: each["image"] for each in found["servers"]} == {
        "osv": f"{MIRROR}/example/osv:1.0.0",
        "postgres": f"{MIRROR}/example/postgres:2.0.0",
    }
    assert found["servers"][0]["air_gapped"] == {
        "image_digest": DIGEST,
        "offline_docs_path": "docs/osv/README.md",
        "dependencies": [],
    }
    assert [each["name"] for each in found["tools"]] == ["do", "scan"]
    assert [each["kind"] for each in found["manifests"]] == ["ConfigMap", "MCPRegistry"]


_UNSHARED = ("unshare", "--net", "--map-root-user")


def _has_network_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_UNSHARED, "true"], capture_output=True, check=False).returncode == 0
