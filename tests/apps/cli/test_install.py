"""`thv install`, `run`, `list` and `uninstall`, on one machine: what is written is what a cluster would get."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from tests.apps.cli.library import TOOLHIVE, fill
from tests.apps.cli.running import Cli
from tests.builders import toolhive
from thv.domain.canonical import JsonObject

pytestmark = pytest.mark.requirement("CLI-05")

FILESYSTEM = {
    "description": "Files of a folder",
    "image": "mcpproject/filesystem-server:1.2.0",
    "transport": "stdio",
    "tier": "Official",
    "status": "Active",
    "tools": ["read_file", "list_directory"],
    "env_vars": [
        {"name": "FILESYSTEM_ROOT", "description": "Root of what is shown", "required": True}
    ],
    "custom_metadata": {"category": "filesystem"},
}
DOCUMENT = {**TOOLHIVE, "servers": {**TOOLHIVE["servers"], "filesystem-server": FILESYSTEM}}
RUN = "thv run filesystem-server --env FILESYSTEM_ROOT=/data"


def document(cli: Cli, **servers: object) -> Path:
    content = {**DOCUMENT, "servers": {**DOCUMENT["servers"], **servers}}
    return cli.file("registry.json", json.dumps(content))


@pytest.fixture
def corp(cli: Cli) -> Cli:
    """A user with one registry in the namespace `default`."""
    cli.ok("registry", "add", "corp", "--file", str(document(cli)))
    return cli


def server(cli: Cli, name: str, *more: str) -> JsonObject:
    found: JsonObject = cli.ok("get", "mcpserver", name, "-o", "json", *more).json
    return found


# install ---------------------------------------------------------------------------------------------------


def test_a_server_is_installed_from_a_registry_of_another_namespace(corp: Cli) -> None:
    ran = corp.ok(f"{RUN} my-filesystem --registry corp --namespace production")
    assert ran.out == "mcpserver.toolhive.stacklok.io/my-filesystem created\n"
    assert "nothing runs servers on this machine yet" in ran.err
    obj = server(corp, "my-filesystem", "-n", "production")
    assert obj["metadata"]["labels"]["toolhive.stacklok.io/registry-namespace"] == "default"
    assert obj["spec"]["env"] == [{"name": "FILESYSTEM_ROOT", "value": "/data"}]
    selected = corp.ok(
        "get mcpserver -A -o name -l "
        "toolhive.stacklok.io/registry-name=corp,toolhive.stacklok.io/category=filesystem"
    )
    assert selected.out == "mcpserver.toolhive.stacklok.io/my-filesystem\n"


@pytest.mark.parametrize(
    ("line", "namespace"),
    [
        ("thv install postgres-server --registry upstream-raw      # Development", "development"),
        ("thv install postgres-server --registry staging-tested   # QA/Testing", "testing"),
        ("thv install postgres-server --registry production-catalog # Production (trusted)", "production"),
    ],
)  # fmt: skip
def test_the_same_command_installs_from_each_level_of_trust(
    cli: Cli, line: str, namespace: str
) -> None:
    path = cli.file("registry.json", toolhive(postgres_server={}))
    for name in ("upstream-raw", "staging-tested", "production-catalog"):
        cli.ok("registry", "add", name, "--file", str(path))
    cli.environ["THV_NAMESPACE"] = namespace
    cli.ok(*shlex.split(line, comments=True))
    assert server(cli, "postgres-server")["spec"]["image"] == "ghcr.io/example/server:1.0.0"


@pytest.mark.parametrize("dry", ["client", "server"])
def test_a_dry_run_prints_what_can_be_applied(corp: Cli, dry: str) -> None:
    printed = corp.ok(f"{RUN} --tools read_file --dry-run={dry} -o yaml").out
    assert corp.ok("get mcpservers,tc -o name").out == ""
    assert [obj["kind"] for obj in yaml.safe_load_all(printed)] == ["MCPToolConfig", "MCPServer"]
    corp.ok("apply -f -", stdin=printed)
    assert server(corp, "filesystem-server")["spec"]["toolConfigRef"] == {
        "name": "filesystem-server-tools"
    }


def test_what_stands_behind_two_dashes_is_for_the_server(corp: Cli) -> None:
    corp.ok(f"{RUN} --name docs -- --root /srv -v")
    assert server(corp, "docs")["spec"]["args"] == ["--root", "/srv", "-v"]
    corp.ok(f"{RUN} more -- x")
    assert server(corp, "more")["spec"]["args"] == ["x"]


def test_variables_come_from_files_too_and_the_command_line_wins(corp: Cli) -> None:
    file = corp.file("a.env", "# where\nFILESYSTEM_ROOT=/srv\n\nLEVEL=a=b\n")
    corp.ok(f"install filesystem-server --env-file {file} -e LEVEL=c")
    assert server(corp, "filesystem-server")["spec"]["env"] == [
        {"name": "FILESYSTEM_ROOT", "value": "/srv"},
        {"name": "LEVEL", "value": "c"},
    ]


def test_everything_can_be_chosen(corp: Cli) -> None:
    digest = f"sha256:{'a' * 64}"
    corp.ok(
        f"{RUN} --permission-profile configmap/strict/a.json --image-digest {digest} "
        "--proxy-port 9001 --target-port 9000 --resources cpu=500m,memory=256Mi --version 1.2.0"
    )
    spec = server(corp, "filesystem-server")["spec"]
    assert spec["image"] == f"mcpproject/filesystem-server:1.2.0@{digest}"
    assert (spec["port"], spec["targetPort"]) == (9001, 9000)
    assert spec["resources"]["limits"] == {"cpu": "500m", "memory": "256Mi"}
    assert spec["permissionProfile"] == {"type": "configmap", "name": "strict", "key": "a.json"}


def test_a_name_that_is_taken_is_refused_or_replaced(corp: Cli) -> None:
    corp.ok(f"{RUN} --tools read_file")
    ran = corp(RUN)
    assert (ran.code, "filesystem-server@1.2.0 of corp" in ran.err) == (6, True)
    corp.ok(
        "apply -f - --field-manager other --force-conflicts",
        stdin=json.dumps({**KIND, "metadata": {"name": "filesystem-server", "labels": {"team": "a"}}, "spec": {"image": "x:1"}}),
    )  # fmt: skip
    replaced = corp.ok(f"{RUN} --replace --tools list_directory")
    assert replaced.out.count("replaced") == 2
    obj = server(corp, "filesystem-server")
    assert obj["metadata"]["labels"]["team"] == "a"
    assert obj["spec"]["image"] == "mcpproject/filesystem-server:1.2.0"
    config = corp.ok("get tc filesystem-server-tools -o json").json
    assert config["spec"] == {"toolsFilter": ["list_directory"]}
    corp.ok(f"{RUN} --replace")
    assert "toolConfigRef" not in server(corp, "filesystem-server")["spec"]
    assert corp.ok("get tc -o name").out == ""


KIND = {"apiVersion": "toolhive.stacklok.io/v1alpha1", "kind": "MCPServer"}


def test_a_tool_config_of_somebody_else_is_not_touched(corp: Cli) -> None:
    theirs = {**KIND, "kind": "MCPToolConfig", "metadata": {"name": "docs-tools"}, "spec": {}}
    corp.ok("apply -f -", stdin=json.dumps(theirs))
    ran = corp(f"{RUN} --name docs --tools read_file")
    assert (ran.code, "not made by thv install" in ran.err) == (6, True)
    assert corp.ok("get mcpservers -o name").out == ""


# choices ---------------------------------------------------------------------------------------------------


def test_missing_values_are_named_with_the_commands_that_give_them(corp: Cli) -> None:
    ran = corp("install notes --registry corp")
    assert ran.code == 2
    lines = [line.removeprefix("Try:").strip() for line in ran.err.splitlines()]
    create = "thv secret create notes --from-file NOTES_TOKEN=FILE"
    assert create in lines
    assert lines[-1] == "thv install notes --registry corp --secret notes"
    assert 'no Secret "absent" yet' in corp.ok("install notes --name a --secret absent").err
    corp.ok(create.replace("FILE", str(corp.file("token", "canary"))))
    assert "no Secret" not in corp.ok(lines[-1]).err
    assert server(corp, "notes")["spec"]["secrets"] == [
        {"name": "notes", "key": "NOTES_TOKEN", "targetEnvName": "NOTES_TOKEN"}
    ]


def test_a_secret_of_the_command_line_is_refused_and_not_repeated(corp: Cli) -> None:
    ran = corp("install notes --env NOTES_TOKEN=canary")
    assert (ran.code, "--secret notes" in ran.err, "canary" in ran.err) == (2, True, False)


@pytest.mark.parametrize("option", ["-e ", "-e", "--env ", "--env="])
def test_values_are_not_repeated_where_a_command_line_is(corp: Cli, option: str) -> None:
    line = f"install notes --registry corp {option}DB_URL=https://u:canary@db=1 --secret notes"
    corp.ok(line)
    ran = corp(line)
    again = f"thv install notes --registry corp {option}DB_URL=VALUE --secret notes --replace"
    assert (ran.code, "canary" in ran.err, again in ran.err) == (6, False, True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("install", "missing argument"),
        ("run filesystem-server a b", "too many words: b"),
        ("run filesystem-server a --name b", 'called "a" and --name b'),
        ("install notes@1 --version 2", "two versions"),
        ("install notes --secret notes,key=x", "cannot be read"),
        ("install notes --secret notes/A,target=B,target=C", "cannot be read"),
        ("install notes --env NOTES_DIR", "--env wants NAME=VALUE"),
        ("install notes --permission-profile host", "no permission profile"),
        ("install notes --resources gpu=1", "knows no gpu"),
        ("install notes --secret notes --tools wri_note", "write_note"),
        ("install notes --secret notes --name Upper", "--name NAME"),
        ("install notes --secret notes --image-digest 1", "is no digest"),
        ("install notes --secret notes --wait", "nothing runs servers on this machine"),
        ("install notes -e A=1 --secret notes/A", "keep either --env or --secret of A"),
        ("install notes -e A=1 --secret notes/B,target=NOTES_TOKEN --secret a/A", "keep either"),
        ("install weather", "https://weather.example.com/mcp"),
        ("install notes --env-file nowhere", "nowhere"),
    ],
)
def test_a_wrong_choice_says_what_to_type(corp: Cli, line: str, said: str) -> None:
    ran = corp(line)
    assert ran.code in (2, 5), ran.err
    assert said in ran.err
    assert corp.ok("get mcpservers -o name").out == ""


# which registry --------------------------------------------------------------------------------------------


def test_several_registries_that_hold_it_have_to_be_told_apart(corp: Cli) -> None:
    corp.ok("registry", "add", "lab", "--file", str(document(corp)))
    ran = corp(RUN)
    assert (ran.code, "--registry corp" in ran.err, "--registry lab" in ran.err) == (2, True, True)
    corp.ok(f"{RUN} --registry lab")
    corp.ok("registry", "add", "corp", "--file", str(document(corp)), "-n", "far")
    ran = corp(f"{RUN} --registry corp -n third")
    assert (ran.code, "--registry far/corp" in ran.err) == (2, True)
    corp.ok(f"{RUN} --registry far/corp -n third")
    corp.ok(f"{RUN} --registry corp -n far")
    ran = corp(f"{RUN} --registry crop -n third")
    assert ran.code == 5, ran.err


def test_a_registry_that_is_a_file_will_do(cli: Cli) -> None:
    fill(cli).ok("install database-browser")
    obj = server(cli, "database-browser")
    assert obj["metadata"]["labels"]["toolhive.stacklok.io/registry-namespace"] == "files"
    assert cli.ok("list --no-headers").out.split()[:6] == [
        "database-browser", "official", "io.github.acme/database-browser", "0.3.0", "Unknown", "none",
    ]  # fmt: skip


# list ------------------------------------------------------------------------------------------------------


def rows(cli: Cli, line: str) -> list[list[str]]:
    return [each.split() for each in cli.ok(f"{line} --no-headers").out.splitlines()]


def test_servers_are_listed_with_how_they_stand_to_their_registry(corp: Cli) -> None:
    corp.ok(f"{RUN} kept")
    corp.ok(f"{RUN} gone")
    corp.ok("apply -f -", stdin=json.dumps({**KIND, "metadata": {"name": "alien"}, "spec": {"image": "x:1"}}))  # fmt: skip
    drift = {each["name"]: each["drift"] for each in corp.ok("list -o json").json["items"]}
    assert drift == {"alien": "unknown", "gone": "none", "kept": "none"}
    newer = {**FILESYSTEM, "image": "mcpproject/filesystem-server:1.3.0"}
    document(corp, **{"filesystem-server": newer})
    corp.ok("registry sync corp")
    found = {each["name"]: each for each in corp.ok("list -o json").json["items"]}
    assert (found["kept"]["drift"], found["kept"]["latestVersion"]) == ("outdated", "1.3.0")
    assert rows(corp, "list")[2][:6] == ["kept", "corp", "filesystem-server", "1.2.0", "Unknown", "1.3.0"]  # fmt: skip
    corp.ok("registry remove corp --yes")
    assert {each["drift"] for each in corp.ok("list -o json").json["items"]} == {"unknown"}


def test_a_registry_is_listed_with_where_its_servers_are(corp: Cli) -> None:
    corp.ok(f"{RUN} docs -n team")
    found = corp.ok("list --registry corp -o json").json["items"]
    assert {each["name"]: each["deployed"] for each in found} == {
        "filesystem-server": ["team/docs"],
        "notes": [],
        "weather": [],
    }
    assert rows(corp, "list --registry corp")[0][4] == "team/docs"
    assert "1 of 3 servers shown" in corp.ok("list --registry corp --limit 1").err
    assert "no server is installed" in corp.ok("list -n nowhere").err
    assert "has these labels" in corp.ok("list -l team=nobody").err


def test_a_server_that_was_labelled_by_hand_belongs_to_its_registry(corp: Cli) -> None:
    labels = {
        "toolhive.stacklok.io/registry-name": "corp",
        "toolhive.stacklok.io/registry-namespace": "default",
        "toolhive.stacklok.io/server-name": "filesystem-server",
    }
    metadata = {"name": "old", "namespace": "team", "labels": labels}
    spec = {"image": "mcpproject/filesystem-server:1.2.0"}
    corp.ok("apply -f -", stdin=json.dumps({**KIND, "metadata": metadata, "spec": spec}))
    assert corp.ok("list -A -o json").json["items"][0]["drift"] == "none"
    assert rows(corp, "list --registry corp")[0][4] == "team/old"


def test_show_tells_where_an_installed_server_came_from(corp: Cli) -> None:
    corp.ok(f"{RUN} my-filesystem")
    ran = corp.ok("show my-filesystem --include-registry-info")
    assert ran.out.startswith("filesystem-server  1.2.0")
    assert "filesystem-server@1.2.0 of mcpregistry/corp" in ran.err
    assert corp("show my-filesystm").code == 5


# uninstall -------------------------------------------------------------------------------------------------


def test_a_server_is_removed_with_the_tool_config_that_was_made_for_it(corp: Cli) -> None:
    corp.ok(f"{RUN} docs --tools read_file")
    corp.ok(f"{RUN} more")
    ran = corp("uninstall dosc --yes")
    assert (ran.code, "Did you mean: docs?" in ran.err) == (5, True)
    assert corp("uninstall docs").code == 2
    assert corp.ok("uninstall docs mcpserver/more --yes").out == (
        "mcpserver.toolhive.stacklok.io/docs uninstalled\n"
        "mcpserver.toolhive.stacklok.io/more uninstalled\n"
    )
    assert corp.ok("get mcpservers,tc -o name").out == ""


def test_a_server_of_another_namespace_is_not_the_one_of_that_name_here(corp: Cli) -> None:
    corp.ok(f"{RUN} docs")
    ran = corp("uninstall production/docs --yes")
    assert (ran.code, "thv uninstall docs -n production" in ran.err) == (2, True)
    assert corp.ok("list -o name").out == "mcpserver.toolhive.stacklok.io/docs\n"
    corp.ok("uninstall default/docs --yes")
    assert corp.ok("list -o name").out == ""
