from __future__ import annotations

import base64
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apps.cli.library import TOOLHIVE
from tests.apps.cli.running import Cli, check_golden
from tests.builders import server

pytestmark = pytest.mark.requirement("CLI-03")


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


@pytest.fixture
def path(cli: Cli) -> Path:
    return cli.file("registry.json", json.dumps(TOOLHIVE, indent=2) + "\n")


def test_the_line_of_the_documents_works(cli: Cli, path: Path) -> None:
    target = cli.home / "k8s-registry.yaml"
    ran = cli.ok(f"registry migrate {path} --output {target}")
    check_golden("migrate", target.read_text())
    check_golden("migrate_said", cli.settled(ran.err))
    config_map, registry = documents(target.read_text())
    assert config_map["data"]["registry.json"] == path.read_text()
    assert registry["spec"]["source"] == {
        "type": "configmap",
        "configMap": {"name": "registry", "key": "registry.json"},
    }


def test_what_comes_out_can_be_applied_synchronized_and_searched(cli: Cli, path: Path) -> None:
    manifests = cli.ok(f"registry migrate {path} --name corp").out
    assert cli.ok("apply -f -", stdin=manifests).out == (
        "configmap/corp created\nmcpregistry.toolhive.stacklok.io/corp created\n"
    )
    cli.ok("registry sync corp")
    assert cli.ok("search -o name").out.split() == ["notes", "weather"]
    assert cli.ok("registry export corp --format toolhive").json["servers"] == TOOLHIVE["servers"]


def test_a_namespace_and_policy_can_be_said(cli: Cli, path: Path) -> None:
    line = (
        f"registry migrate {path} -n team-a --trust-level tested --interval 2h --display-name Corp"
    )
    config_map, registry = documents(cli.ok(line).out)
    assert config_map["metadata"]["namespace"] == registry["metadata"]["namespace"] == "team-a"
    assert registry["spec"]["trustLevel"] == "tested"
    assert registry["spec"]["syncPolicy"] == {"interval": "2h"}


@pytest.mark.parametrize(
    "text", ["x\u2028y", "tab\there", "\u200b", "\x7f", "ends  ", "é\U0001f600"]
)
def test_any_text_survives_the_manifest(cli: Cli, text: str) -> None:
    document = {
        **TOOLHIVE,
        "servers": {"notes": {**TOOLHIVE["servers"]["notes"], "overview": text}},
    }
    for ending in ("", "\n", "\n\n"):
        content = json.dumps(document, ensure_ascii=False, indent=1) + ending
        path = cli.file("odd.json", content)
        config_map, _ = documents(cli.ok(f"registry migrate {path}").out)
        assert json.loads(config_map["data"]["registry.json"]) == document


def test_a_larger_file_is_compressed_and_one_beyond_the_limit_refused(cli: Cli) -> None:
    many = [server(f"io.example/s{n}", "1.0.0") for n in range(1500)]
    path = cli.file("many.json", json.dumps(many))
    ran = cli.ok(f"registry migrate {path}")
    config_map, registry = documents(ran.out)
    assert registry["spec"]["source"]["configMap"]["key"] == "registry.json.gz"
    packed = base64.b64decode(config_map["binaryData"]["registry.json.gz"])
    assert json.loads(gzip.decompress(packed)) == many
    assert ran.out == cli.ok(f"registry migrate {path}").out
    cli.ok("apply -f -", stdin=ran.out)
    assert cli.ok("registry sync many --quiet").code == 0


def test_an_entry_that_is_no_text_is_left_out_and_named(cli: Cli) -> None:
    odd = {**TOOLHIVE["servers"]["notes"], "overview": "@"}
    document = {**TOOLHIVE, "servers": {"odd": odd, **TOOLHIVE["servers"]}}
    path = cli.file("registry.json", json.dumps(document))
    path.write_bytes(path.read_bytes().replace(b'"@"', b'"\xa6"'))
    ran = cli.ok(f"registry migrate {path}")
    assert "damaged: odd" in ran.err
    assert "1 entry is damaged and will not be in the registry" in ran.err
    config_map, _ = documents(ran.out)
    assert json.loads(config_map["data"]["registry.json"])["servers"] == TOOLHIVE["servers"]


def test_what_no_configmap_can_hold_is_refused_with_what_to_do_instead(cli: Cli) -> None:
    chance = random.Random(1)
    noise = [
        server(f"io.example/s{n}", "1.0.0", overview=base64.b64encode(chance.randbytes(3000)).decode())
        for n in range(500)
    ]  # fmt: skip
    path = cli.file("noise.json", json.dumps(noise))
    ran = cli(f"registry migrate {path} -o json")
    assert (ran.code, ran.error["code"], ran.out) == (1, "SIZE_LIMIT_EXCEEDED", "")
    assert "--as url --url" in ran.error["hint"]
    remote = f"registry migrate {path} --as url --url https://example.com/noise.json"
    (registry,) = documents(cli.ok(remote).out)
    assert registry["spec"]["source"]["url"] == {"url": "https://example.com/noise.json"}


def test_a_repository_can_be_the_source(cli: Cli, path: Path) -> None:
    line = (
        f"registry migrate {path} --as git --git-repo https://example.com/r.git --git-path a.json"
    )
    (registry,) = documents(cli.ok(line).out)
    assert registry["spec"]["source"]["git"] == {
        "repository": "https://example.com/r.git",
        "path": "a.json",
    }
    assert cli(f"registry migrate {path} --as git").code == 2


def test_json_is_written_on_demand(cli: Cli, path: Path) -> None:
    listed = cli.ok(f"registry migrate {path} -o json").json
    assert [each["kind"] for each in listed["items"]] == ["ConfigMap", "MCPRegistry"]
    assert cli.ok("apply -f -", stdin=json.dumps(listed)).code == 0


def test_what_the_schema_refuses_is_never_written(cli: Cli, path: Path) -> None:
    ran = cli(f"registry migrate {path} --interval 5s")
    assert (ran.code, ran.out) == (2, "")
    assert "spec.syncPolicy.interval" in ran.err


def test_the_input_needs_a_name_and_an_empty_registry_is_refused(cli: Cli) -> None:
    assert cli("registry migrate -", stdin=json.dumps(TOOLHIVE)).code == 2
    assert cli.ok("registry migrate - --name x", stdin=json.dumps(TOOLHIVE)).out
    assert cli("registry migrate - --name x", stdin='{"servers": {}}').code == 1


OLD = """
apiVersion: toolhive.stacklok.dev/v1alpha1
kind: MCPRegistry
metadata:
  name: old
  annotations:
    toolhive.stacklok.dev/manual-sync: "1"
spec:
  displayName: Old
  source:
    type: git
    format: toolhive
    git:
      repository: https://github.com/example/registry
      branch: main
      path: registry.json
  syncPolicy:
    interval: 30m
  filter:
    names:
      include: ["github*"]
      exclude: ["*-beta"]
    tags:
      include: ["database"]
  podTemplateSpec: {}
"""


def test_a_registry_of_an_older_toolhive_is_rewritten(cli: Cli) -> None:
    ran = cli.ok(f"registry migrate {cli.file('old.yaml', OLD)}")
    (registry,) = documents(ran.out)
    assert registry["apiVersion"] == "toolhive.stacklok.io/v1alpha1"
    assert registry["metadata"]["annotations"] == {"toolhive.stacklok.io/manual-sync": "1"}
    spec = registry["spec"]
    assert (spec["format"], "format" in spec["source"]) == ("toolhive", False)
    assert spec["filter"] == {
        "include": {"names": ["github*"], "tags": ["database"]},
        "exclude": {"names": ["*-beta"]},
    }
    assert "spec.podTemplateSpec has no counterpart here" in ran.err
    assert cli.ok("apply -f -", stdin=ran.out).code == 0


def test_applying_a_registry_of_an_older_toolhive_names_the_way(cli: Cli) -> None:
    ran = cli("apply", "-f", str(cli.file("old.yaml", OLD)))
    assert ran.code == 2
    assert "thv registry migrate" in ran.err
