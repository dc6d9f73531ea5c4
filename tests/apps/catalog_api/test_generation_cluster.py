"""Registries of one's own on a real API server, made with the token of whoever asks.

`THV_CASES` gives the number of selections that are applied, with kubectl and through the catalog; `THV_SEED` other ones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apps.catalog_api.plane import Catalog, catalog_in, documented_user
from tests.apps.standalone.process import Reply
from tests.catalog.generate.selections import Pool, Selection, Wanted
from tests.control_plane.fixtures import namespace_in
from tests.control_plane.plane import ControlPlane
from thv.domain.canonical import JsonObject
from thv.domain.resources import GROUP, PREFIX
from thv.domain.roles import DEPLOYER_ROLE

pytestmark = pytest.mark.flows

CASES = int(os.environ.get("THV_CASES", "5").replace("all", "200"))
SEED = int(os.environ.get("THV_SEED", "1000"))
POOL = Pool()
_SNAPSHOT = ("toolhive.stacklok.io/component", "snapshot")


def source(name: str, document: Any) -> list[JsonObject]:
    """A registry over a ConfigMap."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"{name}-source"},
            "data": {"registry.json": json.dumps(document)},
        },
        {
            "apiVersion": "toolhive.stacklok.io/v1alpha1",
            "kind": "MCPRegistry",
            "metadata": {"name": name},
            "spec": {"source": {"type": "configmap", "configMap": {"name": f"{name}-source"}}},
        },
    ]


@pytest.fixture(scope="module")
def catalog(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Catalog]:
    with (
        namespace_in(control_plane) as namespace,
        catalog_in(control_plane, namespace, tmp_path_factory.mktemp("catalog")) as found,
    ):
        found.apply(*source("toolhive", POOL.toolhive), *source("official", POOL.official))
        reader = found.own_token("reader")
        total = len(POOL.names)

        def knows() -> bool:
            reply = found.ask("GET", "/api/v1/mcp_servers?limit=1", by=reader)
            return reply.status == 200 and reply.json["metadata"]["total_count"] == total

        found.until("the catalog knows all servers", knows)
        yield found


def made(catalog: Catalog) -> str:
    return f"/api/v1/registries/{catalog.namespace}"


def code(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["error"]["code"]


def request(name: str, *servers: str) -> JsonObject:
    return {"metadata": {"registry_name": name}, "servers": [{"name": each} for each in servers]}


def left(catalog: Catalog, registry: str) -> set[str]:
    """What there is of a registry, but for its snapshots."""
    kinds = ("mcpregistries", "mcptoolconfigs.toolhive.stacklok.io", "configmaps")
    every = (obj["metadata"] for kind in kinds for obj in catalog.objects(kind))
    found = [each["name"] for each in every if _SNAPSHOT not in each.get("labels", {}).items()]
    return {name for name in found if name == registry or name.startswith(f"{registry}-")}


# ---------------------------------------------------------------- selections


@pytest.mark.requirement("CAT-07", "CAT-11")
def test_selections_are_applied_and_served(catalog: Catalog, tmp_path: Path) -> None:
    maker, reader = catalog.token("maker"), catalog.own_token("reader")
    theirs = catalog.plane.service_account(catalog.namespace, "maker")
    for number in range(CASES):
        name = f"case-{number}"
        selection = POOL.selection(SEED + number, name)
        rendered = render(catalog, selection, reader)
        file = tmp_path / f"{name}.yaml"
        file.write_bytes(rendered)
        done = catalog.plane.kubectl(
            *("-n", catalog.namespace, "create", "--dry-run=server", "--validate=strict"),
            *("-f", str(file)),
            kubeconfig=theirs,
        )
        assert done.returncode == 0, (selection.body, done.stderr)
        reply = catalog.ask("POST", f"{made(catalog)}?wait=30", selection.body, by=maker)
        assert reply.status == 201, (selection.body, reply.json)
        assert reply.json["registry"]["phase"] == "Ready", reply.json["registry"]
        assert reply.json["manifests"] == list(yaml.safe_load_all(rendered))
        assert_served(catalog, selection, name, reader)


def render(catalog: Catalog, selection: Selection, by: str) -> bytes:
    """The manifests as YAML, twice the same."""
    path, sent = f"{made(catalog)}/render", selection.body
    first, again = (
        catalog.ask("POST", path, sent, by=by, accept="application/yaml") for _ in range(2)
    )
    assert first.status == 200, (sent, first.body)
    assert first.body == again.body
    return first.body


def assert_served(catalog: Catalog, selection: Selection, name: str, by: str) -> None:
    """Exactly the chosen servers, with the chosen tools under their new names."""
    base = f"/r/{catalog.namespace}/{name}/api/v1/servers"
    listed = catalog.until("it is served", lambda: _listed(catalog, base, by))
    found = {server["name"]: server for server in listed}
    assert set(found) == {wanted.key for wanted in selection.servers}
    for wanted in selection.servers:
        assert told(found[wanted.key], wanted) == wanted
    configs = {
        obj["metadata"]["annotations"]["toolhive.stacklok.io/server-name"]: obj["spec"]
        for obj in catalog.objects("mcptoolconfigs.toolhive.stacklok.io")
        if obj["metadata"]["labels"]["toolhive.stacklok.io/registry-name"] == name
    }
    assert configs == selection.configs


def _listed(catalog: Catalog, base: str, by: str) -> list[JsonObject]:
    reply = catalog.ask("GET", base, by=by)
    return list(reply.json["servers"]) if reply.status == 200 else []


def told(server: JsonObject, wanted: Wanted) -> Wanted:
    """What is served of a server, as a selection has it."""
    variables = server.get("env_vars", [])
    return Wanted(
        key=server["name"],
        version=server["registry_info"]["version"],
        tools=tuple(server.get("tools", ())),
        image=server.get("image") if wanted.image else None,
        defaults={each["name"]: each["default"] for each in variables if "default" in each},
    )


# ---------------------------------------------------------------- rights


@pytest.mark.requirement("CAT-09")
def test_without_a_right_nothing_is_left_and_the_right_is_named(catalog: Catalog) -> None:
    reply = catalog.ask(
        "POST", made(catalog), request("no", "server-1"), by=catalog.token("reader")
    )
    assert code(reply) == (403, "NAMESPACE_ACCESS_DENIED")
    assert "create mcpregistries" in reply.json["error"]["message"]
    assert left(catalog, "no") == set()


@pytest.mark.requirement("CAT-09")
@pytest.mark.parametrize("lacking", ["mcpregistries", "configmaps", "mcptoolconfigs"])
def test_each_right_that_is_missing_is_named(catalog: Catalog, lacking: str) -> None:
    role = documented_user(catalog.namespace)
    role["metadata"]["name"] = account = f"lacks-{lacking}"
    for rule in role["rules"]:
        rule["resources"] = [each for each in rule["resources"] if each != lacking]
    role["rules"] = [
        *(rule for rule in role["rules"] if rule["resources"]),
        {
            "apiGroups": ["toolhive.stacklok.io"],
            "resources": ["mcpregistries"],
            "verbs": ["get", "list"],
        },
    ]
    catalog.account(account)
    catalog.bind(account, role)
    server = next(name for name in POOL.names if POOL.toolhive["servers"][name]["tools"])
    tool = POOL.toolhive["servers"][server]["tools"][0]
    body = request("partly", server)
    body["servers"][0]["configuration"] = {"tool_overrides": {tool: {"name": "other"}}}
    reply = catalog.ask("POST", made(catalog), body, by=catalog.token(account))
    assert code(reply) == (403, "NAMESPACE_ACCESS_DENIED")
    assert f"create {lacking}" in reply.json["error"]["message"]
    assert left(catalog, "partly") == set()


@pytest.mark.requirement("CAT-09")
def test_the_role_of_the_specification_suffices(catalog: Catalog) -> None:
    catalog.account("documented")
    catalog.bind("documented", documented_user(catalog.namespace))
    by = catalog.token("documented")
    reply = catalog.ask("POST", f"{made(catalog)}?wait=30", request("spec", "server-2"), by=by)
    assert reply.status == 201, reply.json
    assert left(catalog, "spec") == {"spec", "spec-data"}
    tag = catalog.ask("GET", _one(catalog, "spec"), by=catalog.own_token("documented")).headers[
        "etag"
    ]
    body = request("spec", "server-3")
    done = catalog.ask("PUT", f"{_one(catalog, 'spec')}?wait=30", body, by=by, if_match=tag)
    assert done.status == 200, done.json
    taken = catalog.ask("POST", made(catalog), body, by=by)
    assert code(taken) == (409, "REGISTRY_EXISTS")


def _one(catalog: Catalog, name: str) -> str:
    return f"/api/v1/namespaces/{catalog.namespace}/registries/{name}"


def test_a_token_for_the_catalog_alone_is_not_sent_on(catalog: Catalog) -> None:
    by = catalog.own_token("maker")
    reply = catalog.ask("POST", made(catalog), request("own", "server-1"), by=by)
    assert code(reply) == (403, "TOKEN_NOT_FORWARDABLE")
    assert "kubectl create token" in reply.json["error"]["details"]["hint"]
    nobody = catalog.ask("POST", made(catalog), request("own", "server-1"), by="guessed")
    assert code(nobody) == (401, "INVALID_TOKEN")
    assert left(catalog, "own") == set()


@pytest.mark.requirement("CAT-07")
def test_an_object_of_somebody_else_is_not_touched(catalog: Catalog) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "foreign-data"},
        "data": {"mine": "yes"},
    }
    catalog.apply(foreign)
    by = catalog.token("maker")
    reply = catalog.ask("POST", made(catalog), request("foreign", "server-1"), by=by)
    assert code(reply) == (409, "RESOURCE_EXISTS")
    assert left(catalog, "foreign") == {"foreign-data"}
    found = next(
        o for o in catalog.objects("configmaps") if o["metadata"]["name"] == "foreign-data"
    )
    assert found["data"] == {"mine": "yes"}


def test_a_dry_run_writes_nothing(catalog: Catalog) -> None:
    by = catalog.token("maker")
    reply = catalog.ask("POST", f"{made(catalog)}?dry_run=true", request("dry", "server-1"), by=by)
    assert (reply.status, reply.json["dry_run"]) == (200, True)
    assert left(catalog, "dry") == set()


# ---------------------------------------------------------------- registries of any source


def test_a_manifest_is_written_and_switched_with_the_callers_own_token(catalog: Catalog) -> None:
    maker, own = catalog.token("maker"), catalog.own_token("maker")
    base = f"/api/v1/namespaces/{catalog.namespace}/registries"
    manifest = {
        "metadata": {"name": "given"},
        "spec": {"source": {"type": "configmap", "configMap": {"name": "toolhive-source"}}},
    }
    assert code(catalog.ask("POST", base, manifest, by=own)) == (403, "TOKEN_NOT_FORWARDABLE")
    made = catalog.ask("POST", f"{base}?wait=30", manifest, by=maker)
    assert made.status == 201, made.json
    assert made.json["registry"]["phase"] == "Ready"
    taken = catalog.ask("POST", base, manifest, by=maker)
    assert code(taken) == (409, "REGISTRY_EXISTS")
    for verb, is_on in (("suspend", False), ("resume", True)):
        reply = catalog.ask("POST", f"{base}/given/{verb}", {}, by=maker)
        assert (reply.status, reply.json["suspended"]) == (200, not is_on), reply.json
        stored = next(
            each for each in catalog.objects("mcpregistries") if each["metadata"]["name"] == "given"
        )
        assert stored["spec"]["syncPolicy"]["enabled"] is is_on


def test_what_the_cluster_refuses_of_a_manifest_is_said_by_field(catalog: Catalog) -> None:
    manifest = {
        "metadata": {"name": "wrong"},
        "spec": {
            "source": {"type": "git", "git": {"repository": "/srv/x", "branch": "a b"}},
            "syncPolicy": {"interval": "5s"},
        },
    }
    base = f"/api/v1/namespaces/{catalog.namespace}/registries?dry_run=true"
    reply = catalog.ask("POST", base, manifest, by=catalog.token("maker"))
    assert reply.status == 400
    assert {each["location"]: each["message"] for each in reply.json["errors"]} == {
        "body.spec.source.git.repository": "spec.source.git.repository must be an http, https or ssh URL, or user@host:path, without a password in it",
        "body.spec.source.git.branch": 'a Git reference must start with a letter, digit or "_" and must not contain spaces or ".."',
        "body.spec.syncPolicy.interval": "spec.syncPolicy.interval must be at least 1m and at most 720h",
    }


# ---------------------------------------------------------------- servers that were there before


def by_hand(name: str, image: str) -> JsonObject:
    return {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": name},
        "spec": {"image": image},
    }


@pytest.mark.requirement("SRV-02", "CAT-09")
def test_a_server_is_adopted_with_the_callers_own_token_and_keeps_its_spec(
    catalog: Catalog,
) -> None:
    server, entry = next(
        (name, entry) for name, entry in POOL.toolhive["servers"].items() if "/" not in name
    )
    catalog.account("deployer", DEPLOYER_ROLE)
    catalog.apply(by_hand(server, entry["image"]))
    before = one(catalog, server)
    place = f"/api/v1/namespaces/{catalog.namespace}/deployments/{server}"
    wish = {"registry": "toolhive", "server": server}
    lister = catalog.own_token("deployer")
    listed = f"/api/v1/deployments?origin=none&namespace={catalog.namespace}"

    def shown() -> list[str]:
        reply = catalog.ask("GET", listed, by=lister)
        return [each["name"] for each in reply.json.get("deployments", ())]

    catalog.until("it is listed", lambda: server in shown())
    guessed = catalog.ask("GET", f"{place}/candidates", by=lister).json["candidates"]
    assert (guessed[0]["server"], guessed[0]["likeness"]) == (server, "image")
    for account in ("reader", "maker"):
        refused = catalog.ask("POST", f"{place}/adopt", wish, by=catalog.token(account))
        assert code(refused) == (403, "NAMESPACE_ACCESS_DENIED")
        assert "patch mcpservers" in refused.json["error"]["message"]
    own = catalog.ask("POST", f"{place}/adopt", wish, by=lister)
    assert code(own) == (403, "TOKEN_NOT_FORWARDABLE")
    assert one(catalog, server) == before
    adopted = catalog.ask("POST", f"{place}/adopt", wish, by=catalog.token("deployer"))
    assert adopted.status == 200, adopted.json
    assert (adopted.json["server_name"], adopted.json["drift"]) == (server, "none")
    assert server not in shown()
    after = one(catalog, server)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert after["metadata"]["labels"][f"{PREFIX}registry-name"] == "toolhive"
    other = {"registry": "official", "server": POOL.official[0]["name"]}
    taken = catalog.ask("POST", f"{place}/adopt", other, by=catalog.token("deployer"))
    assert code(taken) == (409, "STATE_CONFLICT")
    moved = catalog.ask(
        "POST", f"{place}/adopt", {**other, "move": True}, by=catalog.token("deployer")
    )
    assert moved.json["registry"] == f"{catalog.namespace}/official"


@pytest.mark.requirement("CAT-09")
def test_who_may_patch_and_not_get_is_told_so_by_the_cluster(catalog: Catalog) -> None:
    role = documented_user(catalog.namespace)
    role["metadata"]["name"] = "patches-only"
    rule = {"apiGroups": [GROUP], "resources": ["mcpservers"], "verbs": ["patch"]}
    role["rules"].append(rule)
    catalog.account("blind")
    catalog.bind("blind", role)
    catalog.apply(by_hand("seen-by-nobody", "ghcr.io/example/x"))
    place = f"/api/v1/namespaces/{catalog.namespace}/deployments/seen-by-nobody/adopt"
    wish = {"registry": "toolhive", "server": next(iter(POOL.toolhive["servers"]))}
    refused = catalog.ask("POST", place, wish, by=catalog.token("blind"))
    assert code(refused) == (403, "NAMESPACE_ACCESS_DENIED")
    assert "get" in refused.json["error"]["message"]


def one(catalog: Catalog, name: str) -> JsonObject:
    """An MCPServer as an admin sees it."""
    every = catalog.objects(f"mcpservers.{GROUP}")
    return next(each for each in every if each["metadata"]["name"] == name)
