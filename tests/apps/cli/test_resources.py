from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.apps.cli.library import steady
from tests.apps.cli.running import Cli, check_golden

pytestmark = pytest.mark.requirement("REG-13")

MANIFESTS = Path(__file__).parents[2] / "data" / "manifests"
CANARY = "canary-7d41"
SEVERAL = f"""\
# everything that a registry needs
apiVersion: v1
kind: ConfigMap
metadata:
  name: corp
data:
  registry.json: |
    {{"servers": {{"pears": {{"description": "Grows pears", "transport": "stdio", "image": "x:1"}}}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: git-read}}
stringData: {{token: {CANARY}}}
---
apiVersion: toolhive.stacklok.io/v1alpha1
kind: MCPRegistry
metadata: {{name: corp, labels: {{team: mcp}}}}
spec: {{source: {{type: configmap, configMap: {{name: corp}}}}}}
"""
APPLIED = """\
configmap/corp {verb}
secret/git-read {verb}
mcpregistry.toolhive.stacklok.io/corp {verb}
"""


@pytest.fixture
def several(cli: Cli) -> Path:
    return cli.file("several.yaml", SEVERAL)


def registry(name: str = "corp", **spec: object) -> str:
    source = {"type": "configmap", "configMap": {"name": "corp"}}
    return json.dumps(
        {
            "apiVersion": "toolhive.stacklok.io/v1alpha1",
            "kind": "MCPRegistry",
            "metadata": {"name": name},
            "spec": {"source": source, **spec},
        }
    )


# apply -----------------------------------------------------------------------------------------------------


def test_apply_says_what_kubectl_says(cli: Cli, several: Path) -> None:
    assert cli.ok(f"apply -f {several}").out == APPLIED.format(verb="created")
    assert cli.ok(f"apply -f {several}").out == APPLIED.format(verb="unchanged")
    changed = registry(displayName="Corp")
    assert cli.ok("apply -f -", stdin=changed).out == (
        "mcpregistry.toolhive.stacklok.io/corp configured\n"
    )


def test_what_was_applied_is_synchronized_and_found(cli: Cli, several: Path) -> None:
    cli.ok(f"apply -f {several}")
    cli.ok("registry sync corp")
    assert cli.ok("search -o name").out == "pears\n"


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_manifests_of_the_documents_apply_as_they_are_printed(cli: Cli, path: Path) -> None:
    name = yaml.safe_load(path.read_text())["metadata"]["name"]
    assert cli.ok(f"apply -f {path}").out == f"mcpregistry.toolhive.stacklok.io/{name} created\n"


def test_a_credential_among_plain_headers_is_applied_and_remarked(cli: Cli) -> None:
    url = {"url": "https://a.example/s.json", "headers": {"Authorization": CANARY}}
    path = cli.file("corp.json", registry(source={"type": "url", "url": url}))
    ran = cli.ok("apply", "-f", str(path))
    assert "corp: put credentials into authSecret or headersSecret, not into headers" in ran.err
    assert CANARY not in ran.out + ran.err


def test_a_folder_and_a_list_are_applied_in_their_order(cli: Cli) -> None:
    cli.file("all/b.json", registry("second"))
    cli.file("all/a.yaml", yaml.safe_dump(json.loads(registry("first"))))
    cli.file("all/readme.txt", "no manifest")
    assert cli.ok(f"apply -f {cli.home}/all -o name").out.split() == [
        "mcpregistry.toolhive.stacklok.io/first",
        "mcpregistry.toolhive.stacklok.io/second",
    ]
    listed = {"apiVersion": "v1", "kind": "List", "items": [json.loads(registry("third"))]}
    assert cli.ok("apply -f -", stdin=json.dumps(listed)).out.count("created") == 1


def test_a_dry_run_checks_everything_and_writes_nothing(cli: Cli, several: Path) -> None:
    ran = cli.ok(f"apply -f {several} --dry-run")
    assert ran.out == APPLIED.format(verb="created (server dry run)")
    assert cli.ok("get mcpreg -o name").out == ""
    assert cli("apply -f - --dry-run", stdin=registry(trustLevel="gold")).code == 2


def test_a_field_that_is_not_in_the_manifest_any_more_is_removed(cli: Cli) -> None:
    cli.ok("apply -f -", stdin=registry(displayName="Corp"))
    cli.ok("apply -f -", stdin=registry())
    assert "displayName" not in cli.ok("get mcpreg corp -o json").json["spec"]


def test_a_conflict_names_the_manager_and_how_to_take_over(cli: Cli) -> None:
    cli.ok("apply -f - --field-manager gitops", stdin=registry(displayName="Corp"))
    ran = cli("apply -f - -o json", stdin=registry(displayName="Other"))
    assert ran.code == 6
    assert 'spec.displayName belongs to "gitops"' in ran.error["message"]
    assert "--force-conflicts" in ran.error["hint"]
    taken = cli.ok("apply -f - --force-conflicts", stdin=registry(displayName="Other"))
    assert "configured" in taken.out


def test_a_wrong_field_is_named_with_document_path_and_value(cli: Cli) -> None:
    wrong = json.dumps({"servers": 1})
    documents = [SEVERAL, registry("odd", trustLevel="gold", sourse=1), wrong]
    path = cli.file("wrong.yaml", "\n---\n".join(documents[:2]))
    ran = cli(f"apply -f {path}")
    assert ran.code == 2
    assert ran.out == APPLIED.format(verb="created")
    check_golden("apply_wrong", cli.settled(ran.err))


def test_unknown_fields_can_be_left_out(cli: Cli) -> None:
    ran = cli.ok("apply -f - --validate ignore", stdin=registry(sourse=1))
    assert "created" in ran.out


def test_kinds_that_mean_nothing_here_are_named_and_the_others_applied(
    cli: Cli, several: Path
) -> None:
    others = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
---
apiVersion: v1
kind: Namespace
metadata: {name: prod}
---
apiVersion: example.com/v1
kind: Pear
metadata: {name: a}
"""
    path = cli.file("mixed.yaml", SEVERAL + others)
    ran = cli(f"apply -f {path}")
    assert (ran.code, ran.out) == (2, APPLIED.format(verb="created"))
    check_golden("apply_unknown_kinds", cli.settled(ran.err))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no resource"),
        ("---\n# only a remark\n---\n", "holds no resource"),
        ("a: b", "is no resource: found a document with a"),
        ("- 1", "is no resource"),
        ("a: [", "neither YAML nor JSON"),
        ('{"servers": {}}', "thv registry migrate"),
    ],
)
def test_what_is_no_manifest_is_refused(cli: Cli, content: str, said: str) -> None:
    path = cli.file("odd.yaml", content)
    ran = cli(f"apply -f {path}")
    assert ran.code in (1, 2)
    assert said in ran.err
    assert ran.out == ""


def test_a_url_is_refused_with_what_to_type(cli: Cli) -> None:
    ran = cli("apply -f https://example.com/registry.yaml")
    assert ran.code == 2
    assert "curl -sSf https://example.com/registry.yaml | thv apply -f -" in ran.err


def test_a_file_that_is_not_there_has_its_exit_code(cli: Cli, several: Path) -> None:
    ran = cli(f"apply -f {several.with_name('sevral.yaml')} -o json")
    assert (ran.code, ran.error["suggestions"]) == (5, [str(several)])


def test_the_namespace_of_a_manifest_and_of_the_command_line_must_agree(cli: Cli) -> None:
    manifest = json.loads(registry())
    manifest["metadata"]["namespace"] = "team-a"
    assert cli("apply -n team-b -f -", stdin=json.dumps(manifest)).code == 2
    cli.ok("apply -n team-a -f -", stdin=json.dumps(manifest))
    cli.ok("apply -n team-b -f -", stdin=registry())
    assert [line.split()[0] for line in cli.ok("get mcpreg -A --no-headers").out.splitlines()] == [
        "team-a",
        "team-b",
    ]


SERVERS = """
apiVersion: toolhive.stacklok.io/v1alpha1
kind: MCPToolConfig
metadata: {name: docs-tools}
spec: {toolsFilter: [read_file]}
---
apiVersion: toolhive.stacklok.io/v1alpha1
kind: MCPServer
metadata: {name: docs, labels: {toolhive.stacklok.io/registry-name: corp}}
spec: {image: "mcp/filesystem:1.0.0", toolConfigRef: {name: docs-tools}}
"""


def test_servers_and_tool_configs_are_kept_too(cli: Cli) -> None:
    assert cli.ok("apply -f -", stdin=SERVERS).out == (
        "mcptoolconfig.toolhive.stacklok.io/docs-tools created\n"
        "mcpserver.toolhive.stacklok.io/docs created\n"
    )
    shown = cli.ok("get mcpservers,tc -o wide").out
    assert "docs-tools" in shown
    assert "mcp/filesystem:1.0.0" in shown
    assert cli.ok("get mcpserver docs -o json").json["spec"]["transport"] == "stdio"
    assert "proxyPort" in cli.ok("explain mcpserver.spec").out
    host_path = SERVERS.replace("toolConfigRef: {name: docs-tools}", "volumes: [{hostPath: /}]")
    ran = cli("apply -f -", stdin=host_path)
    assert (ran.code, "does not ignore them" in ran.err) == (2, True)


# get -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml", "name"])
def test_resources_are_printed_in_every_format(cli: Cli, several: Path, output: str) -> None:
    cli.ok(f"apply -f {several}")
    ran = cli.ok(f"get mcpregistries,cm,secrets -o {output}")
    shown = ran.out if output in ("table", "name") else steady(cli, ran.out)
    check_golden(f"get_{output}", shown)
    assert CANARY not in ran.out + ran.err
    assert "\x1b" not in ran.out


@pytest.mark.requirement("OPS-07")
def test_the_value_of_a_secret_is_never_printed(cli: Cli, several: Path) -> None:
    encoded = "Y2FuYXJ5LTdkNDE="
    for line in ("apply -f {} -o yaml", "get secret git-read -o json", "get secrets -A -o yaml",
                 "get secret git-read -o yaml --show-managed-fields", "delete secret git-read -y -o json"):  # fmt: skip
        ran = cli.ok(line.format(several))
        assert CANARY not in ran.out + ran.err
        assert encoded not in ran.out + ran.err


@pytest.mark.requirement("OPS-07")
def test_a_secret_that_was_printed_is_refused_when_it_is_applied(cli: Cli, several: Path) -> None:
    cli.ok(f"apply -f {several}")
    printed = cli.ok("get secret git-read -o yaml").out
    assert cli("apply -f -", stdin=printed).code == 2


@pytest.mark.parametrize(
    "words",
    ["mcpregistry", "mcpregistries", "mcpreg", "MCPRegistry", "mcpregistries.toolhive.stacklok.io"],
)
def test_a_kind_has_many_words(cli: Cli, several: Path, words: str) -> None:
    cli.ok(f"apply -f {several}")
    assert cli.ok(f"get {words} -o name").out == "mcpregistry.toolhive.stacklok.io/corp\n"
    assert cli.ok(f"get {words}/corp -o name").out == "mcpregistry.toolhive.stacklok.io/corp\n"


def test_labels_select(cli: Cli, several: Path) -> None:
    cli.ok(f"apply -f {several}")
    assert cli.ok("get mcpreg -l team=mcp -o name").out
    assert cli.ok("get mcpreg -l team!=mcp -o name").out == ""


def test_what_is_not_there_is_answered_with_what_is_like_it(cli: Cli, several: Path) -> None:
    cli.ok(f"apply -f {several}")
    ran = cli("get mcpreg crop -o json")
    assert (ran.code, ran.error["suggestions"]) == (5, ["corp"])
    ran = cli("get mcpregistris -o json")
    assert (ran.code, ran.error["suggestions"][0]) == (2, "mcpregistries")


# delete ----------------------------------------------------------------------------------------------------


def test_delete_says_what_kubectl_says(cli: Cli, several: Path) -> None:
    cli.ok(f"apply -f {several}")
    ran = cli.ok(f"delete -f {several} --yes")
    assert ran.out == (
        'mcpregistry.toolhive.stacklok.io "corp" deleted\n'
        'secret "git-read" deleted\n'
        'configmap "corp" deleted\n'
    )
    assert cli.ok("get all,secret -o name").out == ""


def test_delete_asks_and_without_anybody_to_ask_it_fails(
    cli: Cli, terminal: Cli, several: Path
) -> None:
    cli.ok(f"apply -f {several}")
    ran = cli("delete mcpreg corp")
    assert ran.code == 2
    assert "thv delete mcpreg corp --yes" in ran.err
    assert terminal("delete mcpreg corp", stdin="n\n").code == 2
    assert terminal.ok("delete mcpreg corp", stdin="y\n").out


def test_delete_needs_to_know_what(cli: Cli, several: Path) -> None:
    cli.ok(f"apply -f {several}")
    assert cli("delete").code == 2
    assert cli("delete mcpreg --yes").code == 2
    assert cli(f"delete mcpreg corp -f {several}").code == 2
    assert cli("delete cm nobody --yes").code == 5
    assert cli("delete cm nobody --yes --ignore-not-found").code == 0
    assert cli.ok("delete cm --all --yes").out == 'configmap "corp" deleted\n'
    assert cli.ok("delete mcpreg -l team=mcp --yes -o name").out.endswith("/corp\n")


# explain ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    ["mcpregistry", "mcpreg.spec.syncPolicy", "mcpregistry.spec.trustLevel", "secret", "cm.data"],
)
def test_explain_has_the_shape_of_kubectl(cli: Cli, field: str) -> None:
    check_golden(f"explain_{field.replace('.', '_')}", cli.ok(f"explain {field}").out)


def test_explain_shows_a_whole_tree(cli: Cli) -> None:
    check_golden("explain_recursive", cli.ok("explain mcpregistry.spec.source --recursive").out)


def test_explain_says_what_was_perhaps_meant(cli: Cli) -> None:
    ran = cli("explain mcpregistry.spec.sorce -o json")
    assert (ran.code, ran.error["suggestions"]) == (5, ["mcpregistry.spec.source"])
    assert cli("explain pear").code == 5
    assert "mcpregistry" in cli.ok("explain").out


def test_every_field_of_a_registry_is_explained(cli: Cli) -> None:
    def walk(path: str, schema: dict[str, object]) -> None:
        for holder in ("items", "additionalProperties"):
            inner = schema.get(holder)
            if isinstance(inner, dict):
                schema = inner
        for name, field in (schema.get("properties") or {}).items():  # type: ignore[attr-defined]
            if path == "mcpregistry" and name == "metadata":
                continue
            assert "(none)" not in cli.ok(f"explain {path}.{name}").out, f"{path}.{name}"
            if path.count(".") < 3:
                walk(f"{path}.{name}", field)

    walk("mcpregistry", cli.ok("explain mcpregistry -o json").json)


# secret ----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("OPS-07")
def test_a_secret_is_made_of_the_input_and_its_value_never_shown(cli: Cli, terminal: Cli) -> None:
    ran = cli("secret create git-read --from-stdin", stdin=f"{CANARY}\n")
    assert (ran.code, ran.out, ran.err) == (0, "secret/git-read created\n", "")
    stored = [path.read_text() for path in (cli.data / "secrets").iterdir()]
    assert stored == ['{"token":"Y2FuYXJ5LTdkNDE="}']
    assert [path.stat().st_mode & 0o777 for path in (cli.data / "secrets").iterdir()] == [0o600]
    assert CANARY.encode() not in (cli.data / "store.db").read_bytes()


@pytest.mark.requirement("OPS-07")
def test_a_secret_of_files_has_the_type_that_ssh_needs(cli: Cli) -> None:
    key, hosts = cli.file("id_ed25519", "key\n"), cli.file("known_hosts", "host\n")
    cli.ok(f"secret create ssh --from-file ssh-privatekey={key} --from-file {hosts}")
    shown = cli.ok("get secret ssh -o json").json
    assert shown["type"] == "kubernetes.io/ssh-auth"
    assert set(shown["data"]) == {"ssh-privatekey", "known_hosts"}


def test_a_secret_is_replaced_only_on_demand(cli: Cli) -> None:
    cli.ok("secret create a --from-stdin", stdin="1")
    ran = cli("secret create a --from-stdin", stdin="2")
    assert ran.code == 6
    assert "--replace" in ran.err
    replaced = cli.ok("secret create a --from-stdin --key password --replace", stdin="2")
    assert replaced.out == "secret/a replaced\n"
    assert list(cli.ok("get secret a -o json").json["data"]) == ["password"]


@pytest.mark.parametrize("line", ["secret create a", "secret create a --from-file nope"])
def test_a_secret_needs_a_value(cli: Cli, line: str) -> None:
    assert cli(line).code in (2, 5)
    assert cli("secret create a --from-stdin", stdin="").code == 2
    assert cli("secret create A_B --from-stdin", stdin="x").code == 2
