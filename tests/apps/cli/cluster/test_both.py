"""One table of command lines, run on one machine and on a cluster: what they print is equal but for names of backends."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apps.cli.library import OFFICIAL, TOOLHIVE, steady
from tests.apps.cli.running import Cli, Ran

pytestmark = pytest.mark.e2e

LINES = """
registry list
apply -f data.yaml
registry add tools --configmap tools/registry.json --trust-level trusted --label team=search
registry add tools --configmap tools/registry.json
registry add official --configmap official/registry.json --interval 2h --exclude-name 'com.example/*'
registry add above --registry-ref tools --include-tier Official --display-name Above --description Text
registry add dry --configmap tools --dry-run
registry add dry --configmap tools --dry-run -o json
registry wait tools official above
registry list
registry list -o wide
registry list -o name
registry list -l team=search
registry list --trust raw -o name
registry show tools
registry show official --servers 1
registry status tools
registry history official
registry sync official
registry sync --all -o name
registry sync -l team=search --error-unchanged
registry sync nothing
registry sync
registry sync tools --force -o json
search
search notes
search notes --registry official -o json
search --category nothing
search --tier official -o name
search -l tier=Official -o wide
show notes
show notes --registry tools
show io.github.acme/notes@1.0.0 -o upstream
show notes --registry tools -o toolhive
show weather --include-registry-info
show weather --versions
show nothing
registry info notes --registry tools --permissions
registry export tools
registry export official --format upstream
registry export official --format toolhive --latest
registry diff tools -f tools.json
registry diff official -f tools.json
registry diff tools above
apply -f changed.yaml
!registry sync tools
!registry sync above
registry diff tools -f tools.json
registry history tools -o wide
search weather
show weather
registry suspend tools
registry list
registry sync tools
registry resume tools
registry status official
get mcpregistries
get mcpreg tools -o name
get mcpreg toosl
get nothing
get cm tools -o yaml
get mcpreg tools official -o json
explain mcpregistry.spec.source
secret create token --from-stdin
secret create token --from-stdin
secret create token --from-stdin --replace -o json
get secret token -o yaml
get secrets
apply -f broken.yaml
apply -f registry.yaml
!registry sync more
registry wait more
registry wait nothing
delete mcpreg more
delete mcpreg more --yes
registry wait more --for=delete
delete mcpreg more --yes
registry remove above
registry remove tools --yes
registry remove official above --yes -o name
registry remove official
!registry add copied --file tools.json
!registry list -o name
show weather --registry copied
registry import --file official.json --registry imported
!registry import --file tools.json --registry imported -o json
!registry list -o name
search -o name --registry imported
registry import --file tools.json --registry imported --mode replace --dry-run
registry remove copied imported --yes
search
registry list
"""


def files(cli: Cli) -> None:
    """What the command lines name."""
    changed = {**TOOLHIVE, "remote_servers": {}}
    cli.file("tools.json", json.dumps(TOOLHIVE))
    cli.file("official.json", json.dumps(OFFICIAL))
    cli.file("data.yaml", maps(tools=TOOLHIVE, official=OFFICIAL))
    cli.file("changed.yaml", maps(tools=changed))
    source = {"type": "configmap", "configMap": {"name": "official"}}
    cli.file("registry.yaml", manifest("more", {"source": source}))
    cli.file("broken.yaml", manifest("more", {"source": {**source, "ulr": {}}}))


def maps(**documents: object) -> str:
    items = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {"registry.json": json.dumps(document)},
        }
        for name, document in documents.items()
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def manifest(name: str, spec: object) -> str:
    return json.dumps(
        {
            "apiVersion": "toolhive.stacklok.io/v1alpha1",
            "kind": "MCPRegistry",
            "metadata": {"name": name},
            "spec": spec,
        }
    )


NAMES = (
    ("--backend kubernetes ", ""),
    ("as soon as the operator does it", "KEPT"),
    ("as soon as a thv serve runs", "KEPT"),
    ("the operator tries again by itself", "TRIED AGAIN"),
    ("it is tried again by itself while a thv serve runs", "TRIED AGAIN"),
)
ONLY = re.compile(r"^(?:Endpoint: .*|APIReady .*|Reconciling .*)\n", re.MULTILINE)
"""What says where a cluster serves a registry."""
UNSTEADY = (
    (re.compile(r"\brevision REVISION\b"), "REVISION"),
    (re.compile(r"\bjust now\b"), "AGE"),
    (re.compile(r"  \d+(?=  \w+/registry\.json)"), "  N"),
    (re.compile(r"\b\d+[smh]\d*s?\b(?: ago)?"), "AGE"),
    (re.compile(r"\b(?:Manual|SourceChanged|SpecChanged|Interval)\b"), "TRIGGER"),
    (re.compile(r", (?:by request|because the \w+ changed|when it was due)"), ", TRIGGER"),
    (re.compile(r"\b(revision|Revision:) +\d+\b"), "REVISION"),
    (re.compile(r"  \d+$", re.MULTILINE), "  N"),
    (re.compile(r" \(0\.AGE\)"), ""),
)


@pytest.mark.requirement("CLI-01", "CLI-02", "CLI-04", "CLI-07", "REG-08")
def test_every_command_line_prints_the_same_on_a_machine_and_on_a_cluster(
    here: Cli, there: Cli
) -> None:
    lines = [line for line in LINES.splitlines() if line]
    told = {cli.home.name: [(line, run(cli, line)) for line in lines] for cli in (here, there)}
    for name, runs in told.items() if "BOTH" in os.environ else ():
        (Path(os.environ["BOTH"]) / name).write_text("".join(f"$ {a}\n{b}\n" for a, b in runs))
    assert told["here"] == told["there"]


def run(cli: Cli, line: str) -> str:
    if not (cli.home / "data.yaml").exists():
        files(cli)
    words = [
        str(cli.home / word) if (cli.home / word).is_file() else word
        for word in shlex.split(line.lstrip("!"))
    ]
    ran = cli(*words, stdin="s3cr3t")
    return same(cli, Ran(ran.code, ran.out, "" if line.startswith("!") else ran.err))


def same(cli: Cli, ran: Ran) -> str:
    """What a command line printed, without what differs from run to run and with the place."""
    found = yaml.safe_load(ran.out) if ran.out.startswith(("{", "apiVersion: ", "kind: ")) else None
    out = json.dumps(alike(found), indent=1) if found else ran.out
    text = steady(cli, f"exit {ran.code}\n{out}\n{ran.err}")
    for word, instead in NAMES:
        text = text.replace(word, instead)
    for pattern, instead in UNSTEADY:
        text = pattern.sub(instead, text)
    return ONLY.sub("", text)


def alike(value: Any) -> Any:
    """JSON without the order of its keys, and without what tells where a cluster serves a registry."""
    if isinstance(value, list):
        return [alike(each) for each in value if not _is_of_api(each)]
    if not isinstance(value, dict):
        return value
    return {key: alike(value[key]) for key in sorted(value) if key not in VARYING}


VARYING = {
    "apiStatus", "generation", "history", "observedGeneration", "resourceVersion", "revision", "store", "trigger",
}  # fmt: skip


def _is_of_api(condition: Any) -> bool:
    return isinstance(condition, dict) and condition.get("type") in ("APIReady", "Reconciling")
