"""The catalog on a real API server: the installed console script with the rights that its manifests give it."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.apps.catalog_api.plane import OPTIONAL
from tests.apps.kit.provider import CLIENT, SECRET, LocalProvider, a_provider
from tests.apps.registry_api.cluster import PATIENCE, Pod, Team, rule
from tests.apps.registry_api.pods import a_pod, a_team
from tests.apps.standalone.process import Process
from tests.contracts.cluster import install_kinds
from tests.control_plane.plane import ControlPlane
from tests.stores.models.world import World, an_entry
from thv.domain.resources import GROUP, MCP_REGISTRY, OLD_GROUP
from thv.domain.roles import CATALOG, SESSIONS
from thv.domain.text import label_value
from thv.formats.install import Installation
from thv.formats.install_catalog import catalog_rights, render_catalog, session_shelves

pytestmark = pytest.mark.anyio

SERVERS = "/api/v1/mcp_servers"
_REFUSED = "the catalog may only set the annotation"
_SYNC = "toolhive.stacklok.io/sync-requested-at"


class CatalogPod(Pod):
    """`thv catalog-api` in a process of its own."""

    def __init__(self, kubeconfig: Path, folder: Path, namespace: str, **environ: str) -> None:
        super().__init__(kubeconfig, folder, "--namespace", namespace, **environ)
        place = self._command.index("registry-api")
        self._command[place] = "catalog-api"


@pytest.fixture
async def team(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Team]:
    async with a_team(control_plane, namespace) as made:
        yield made


@contextmanager
def a_catalog(team: Team, folder: Path, **environ: str) -> Iterator[CatalogPod]:
    """Its account, its rights as they are installed, and the process."""
    team.account(CATALOG)
    installation = Installation(namespace=team.namespace)
    for obj in (*catalog_rights(installation), *session_shelves(installation)):
        applied(team.plane, obj)
    with a_replica(team, folder, **environ) as pod:
        yield pod


@contextmanager
def a_replica(team: Team, folder: Path, **environ: str) -> Iterator[CatalogPod]:
    """The process, where its account is."""
    kubeconfig = team.plane.service_account(team.namespace, CATALOG)
    with CatalogPod(kubeconfig, folder, team.namespace, **environ) as pod:
        yield pod


def applied(plane: ControlPlane, obj: dict[str, Any]) -> None:
    done = plane.kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--validate=strict",
        "-f",
        "-",
        stdin=json.dumps(obj),
    )
    assert done.returncode == 0, done.stderr


def lister(team: Team, account: str, *verbs: str, group: str = GROUP) -> str:
    """An account with rights on the registries of the namespace; its token for the catalog."""
    team.account(account)
    team.allow(account, rule(group, "mcpregistries", *verbs))
    return team.token(account, f"thv-catalog.{team.namespace}.svc")


WANTED = {"metadata": {"registry_name": "mine"}, "servers": [{"name": "com.example/one"}]}


def posted(pod: CatalogPod, path: str, token: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer."""
    request = urllib.request.Request(  # our own server
        f"http://127.0.0.1:{pod.port}{path}",
        method="POST",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.requirement("CAT-09", "CAT-06", "OPS-01")
async def test_it_serves_each_caller_what_the_cluster_lets_him_list(
    team: Team, tmp_path: Path
) -> None:
    team.register_again("corp")
    team.register_again("open", anonymousRead=True)
    await team.point("corp", await team.write(World(an_entry("com.example/one")), "corp"))
    await team.point("open", await team.write(World(an_entry("com.example/two")), "open"))
    reader, stranger = lister(team, "reader", "list", "get"), lister(team, "stranger", "watch")
    documented = lister(team, "documented", "create", "get", "list", "update", group=OLD_GROUP)
    deployer = lister(team, "deployer", "list", "update")
    team.account("maker")
    verbs = ("get", "list", "create", "update")
    kinds = (rule(GROUP, "mcpregistries", *verbs), rule("", "configmaps", *verbs))
    team.allow("maker", *kinds, rule(GROUP, "mcptoolconfigs", *verbs))
    maker = team.token("maker", f"thv-catalog.{team.namespace}.svc")
    with a_catalog(team, tmp_path) as pod:
        pod.until_ready()
        for token, names in (
            (reader, ["com.example/one", "com.example/two"]),
            (documented, ["com.example/one", "com.example/two"]),
            (stranger, ["com.example/two"]),
        ):
            assert pod.get(SERVERS, token).names == names
        assert pod.get(SERVERS).code == "UNAUTHENTICATED"
        api_server_token = team.plane.token(team.namespace, "reader")
        assert pod.get(SERVERS, api_server_token).code == "INVALID_TOKEN"
        assert pod.get(f"/api/v1/registries/{team.namespace}", reader).status == 200
        assert pod.get("/api/v1/registries/elsewhere", reader).code == "NAMESPACE_ACCESS_DENIED"
        inside = f"/r/{team.namespace}/corp/api/v1/servers"
        assert pod.get(inside, documented).names == ["com.example/one"]
        assert pod.get(inside, stranger).code == "NAMESPACE_ACCESS_DENIED"

        path = f"/api/v1/namespaces/{team.namespace}/registries/corp/sync"
        assert posted(pod, path, reader)[0] == 403
        status, asked = posted(pod, path, deployer)
        assert status == 202
        registry = await team.store.get(MCP_REGISTRY, team.namespace, "corp")
        assert registry["metadata"]["annotations"] == {_SYNC: asked["request"]}

        assert posted(pod, f"/api/v1/registries/{team.namespace}", maker, WANTED)[0] == 403
        forwarded = team.plane.token(team.namespace, "maker")
        status, made = posted(pod, f"/api/v1/registries/{team.namespace}", forwarded, WANTED)
        assert (status, made["registry"]["name"]) == (201, "mine")
        assert (await team.store.get(MCP_REGISTRY, team.namespace, "mine"))["spec"]["source"]

        spec = {"source": {"type": "configmap", "configMap": {"name": "unknown"}}}
        wanted = {"metadata": {"name": "tried"}, "spec": spec}
        place = f"/api/v1/registries/{team.namespace}/preview"
        status, found = posted(pod, place, forwarded, wanted)
        assert (status, found["error"]["code"]) == (200, "SOURCE_NOT_FOUND")
        assert f"tries a source of type configmap for {team.namespace}/tried" in pod.log.read_text()

        world = World(an_entry("com.example/one"), an_entry("com.example/three"))
        await team.point("corp", await team.write(world, "corp"))
        pod.until("the change", lambda: "com.example/three" in pod.get(SERVERS, reader).names)
        await team.remove("corp")
        pod.until("the end", lambda: pod.get(SERVERS, reader).names == ["com.example/two"])


class Person:
    """Looks at the pages of several replicas, as a balancer gives them."""

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}

    def asks(self, pod: CatalogPod, path: str, **form: str) -> tuple[int, str, str]:
        """Status, place to go on and page; a form is sent from a page of ours."""
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"accept": "text/html", "cookie": cookies, "host": "localhost"}
        if form:
            headers["content-type"] = "application/x-www-form-urlencoded"
            headers["sec-fetch-site"] = "same-origin"
        connection = http.client.HTTPConnection("127.0.0.1", pod.port, timeout=PATIENCE)
        try:
            connection.request("POST" if form else "GET", path, urlencode(form) or None, headers)
            answer = connection.getresponse()
            for line in answer.msg.get_all("set-cookie") or ():
                name, _, value = line.partition(";")[0].partition("=")
                self._cookies[name] = value
            return answer.status, answer.getheader("location") or "", answer.read().decode()
        finally:
            connection.close()

    def signs_in(self, pod: CatalogPod, token: str) -> tuple[int, str, str]:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.asks(pod, "/signin")[2])
        assert found
        return self.asks(pod, "/signin", csrf_token=found[1], token=token)


@pytest.mark.requirement("OPS-01")
async def test_people_sign_in_at_one_replica_and_are_signed_in_at_all(
    team: Team, tmp_path: Path
) -> None:
    team.register_again("corp")
    token = lister(team, "reader", "list", "get")
    with (
        people_of(team) as people,
        a_catalog(team, tmp_path / "one", **signing_in_at(people, team, tmp_path)) as one,
        a_replica(
            team,
            tmp_path / "other",
            **signing_in_at(people, team, tmp_path),
            THV_ACCEPT_CLUSTER_AUDIENCE="true",
        ) as other,
    ):
        one.until_ready()
        other.until_ready()
        rob = Person()
        assert rob.asks(one, "/")[:2] == (303, "/signin?next=%2F")
        refused = rob.signs_in(one, team.plane.token(team.namespace, "reader"))
        assert refused[0] == 401
        assert f"--audience thv-catalog.{team.namespace}.svc" in refused[2]
        assert rob.signs_in(one, token)[:2] == (303, "/")
        for pod in (one, other, one):
            status, _, page = rob.asks(pod, "/")
            assert status == 200
            assert f"system:serviceaccount:{team.namespace}:reader" in page
        assert Person().asks(other, "/")[0] == 303
        check_opened_without_a_copy(team, other, tmp_path)
        check_signed_in_elsewhere(team, people, one, other)
    stored = team.plane.kubectl("-n", team.namespace, "get", "configmaps", "-o", "yaml").stdout
    assert "thv-catalog-sessions-0" in stored
    assert token not in stored


@contextmanager
def people_of(team: Team) -> Iterator[LocalProvider]:
    """An issuer that the API server of the cluster trusts, for the client that the catalog is."""
    authority = team.plane.authority
    shown = authority.server("issuer", "IP:127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(shown.certificate, shown.key)
    with a_provider(tls) as people:
        named = {
            "url": people.url,
            "audiences": [CLIENT],
            "certificateAuthority": authority.files.certificate.read_text(),
        }
        claims = {"username": {"claim": "sub", "prefix": "people:"}}
        team.plane.trust_issuers({"issuer": named, "claimMappings": claims})
        yield people
        team.plane.trust_issuers()


def signing_in_at(people: LocalProvider, team: Team, folder: Path) -> dict[str, str]:
    secret = folder / "secret"
    secret.write_text(SECRET)
    return {
        "THV_OIDC_ISSUER": people.url,
        "THV_OIDC_CLIENT_ID": CLIENT,
        "THV_OIDC_CLIENT_SECRET_FILE": str(secret),
        "THV_PUBLIC_URL": "https://catalog.example.com",
        "THV_TRUST": str(team.plane.ca_file),
    }


def check_signed_in_elsewhere(
    team: Team, people: LocalProvider, one: CatalogPod, other: CatalogPod
) -> None:
    """The API server says who it is, where the catalog takes what is for the API server."""

    def came_back(alice: Person, pod: CatalogPod) -> tuple[int, str, str]:
        place = alice.asks(one, "/signin/issuer?next=/registries")[1]
        back = urlsplit(people.authorize(urlsplit(place).query))
        return alice.asks(pod, f"{back.path}?{back.query}")

    alice = Person()
    assert "its tokens are not accepted here" in came_back(alice, one)[2]
    other.until("the issuer is known", lambda: came_back(alice, other)[0] == 200)
    status, _, page = alice.asks(other, "/registries")
    assert (status, "people:alice" in page) == (200, True)
    assert f"{team.namespace}" not in page
    for pod in (one, other):
        pod.until("a line", partial(has_come_back, pod))
        said = pod.log.read_text()
        assert not [each for each in people.forms if each["code"] in said]
        assert SECRET not in said


def has_come_back(pod: CatalogPod) -> bool:
    return "GET /signin/callback" in pod.log.read_text()


def check_opened_without_a_copy(team: Team, pod: CatalogPod, home: Path) -> None:
    """A command makes a token and gets a link for it. Nodes are missing here, so kubectl only says that it forwards."""
    kubectl = home / "bin" / "kubectl"
    kubectl.parent.mkdir()
    said = f"Forwarding from 127.0.0.1:{pod.port} -> 8080"
    kubectl.write_text(f"#!/bin/sh\necho '{said}'\nexec sleep 600\n")
    kubectl.chmod(0o755)
    command = [
        *("dashboard", "--kubeconfig", str(team.plane.kubeconfig), "--backend", "kubernetes"),
        *("--no-open", "--service-account", "reader", "-n", team.namespace),
        *("--operator-namespace", team.namespace),
    ]
    with Process(home, *command, PATH=f"{kubectl.parent}:{os.environ['PATH']}") as process:
        found = process.until(lambda: re.search(r":\d+(/signin/once/\S+)", process.said))
        person = Person()
        assert person.asks(pod, found[1])[:2] == (303, "/")
        assert "reader" in person.asks(pod, "/")[2]
        assert Person().asks(pod, found[1])[0] == 404


async def test_its_own_account_can_write_nothing_but_requests_for_syncs(
    team: Team,
) -> None:
    team.register_again("corp")
    for obj in render_catalog(Installation(namespace=team.namespace)):
        applied(team.plane, obj)
    kubeconfig = team.plane.service_account(team.namespace, CATALOG)

    def patched(patch: Any) -> str:
        arguments = ("mcpregistry", "corp", "-n", team.namespace, "--type", "merge", "-p")
        done = team.plane.kubectl("patch", *arguments, json.dumps(patch), kubeconfig=kubeconfig)
        return done.stderr

    until_refused(lambda number: patched({"spec": {"description": f"{number}"}}))
    for wrong in (
        {"spec": {"trustLevel": "trusted"}},
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"annotations": {"other": "x"}}},
        {"metadata": {"finalizers": ["x.example/y"]}},
    ):
        assert _REFUSED in patched(wrong)
    assert not patched({"metadata": {"annotations": {_SYNC: "now"}}})
    for verb, name, may in (
        ("patch", SESSIONS[0], True),
        ("update", SESSIONS[0], False),
        ("patch", "other", False),
        ("create", "", False),
        ("delete", SESSIONS[0], False),
    ):
        asked = ("auth", "can-i", verb, f"configmaps/{name}".rstrip("/"), "-n", team.namespace)
        done = team.plane.kubectl(*asked, kubeconfig=kubeconfig)
        assert done.stdout.strip() == ("yes" if may else "no"), (verb, name)


def until_refused(write: Callable[[int], str]) -> None:
    """A policy holds a little after it was written; until then each write must be another one."""
    deadline = time.monotonic() + PATIENCE
    for number in itertools.count():
        said = write(number)
        if _REFUSED in said:
            return
        assert time.monotonic() < deadline, said
        threading.Event().wait(0.2)


@pytest.fixture
def servers_of_toolhive(control_plane: ControlPlane) -> Iterator[Callable[[], None]]:
    """Installs the kind that stands in for ToolHive's."""
    made = {"served": True, "storage": True, "name": "v1beta1"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"mcpservers.{OLD_GROUP}"},
        "spec": {
            "group": OLD_GROUP,
            "names": {"kind": "MCPServer", "plural": "mcpservers"},
            "scope": "Namespaced",
            "versions": [{**made, "schema": {"openAPIV3Schema": schema}}],
        },
    }

    def install() -> None:
        applied(control_plane, definition)
        control_plane.await_kinds(f"crd/mcpservers.{OLD_GROUP}")

    yield install
    control_plane.kubectl("delete", "crd", f"mcpservers.{OLD_GROUP}", "--ignore-not-found")


@pytest.mark.requirement("SRV-02", "SRV-03", "CAT-09", "OPS-01")
async def test_it_tells_of_servers_of_both_groups_also_where_their_kinds_come_later(
    team: Team, tmp_path: Path, servers_of_toolhive: Callable[[], None]
) -> None:
    team.register("corp")
    image = "ghcr.io/example/one:1.0.0"
    package = {"registryType": "oci", "identifier": image, "transport": {"type": "stdio"}}
    await team.publish(World(an_entry("com.example/one", packages=[package])))
    reader, account = lister(team, "reader", "list", "get"), f"thv-catalog.{team.namespace}.svc"
    team.account("deployer")
    listing = rule(GROUP, "mcpregistries", "list", "get"), rule(OLD_GROUP, "mcpservers", "list")
    team.allow("deployer", *listing)
    deployer, of_corp = team.token("deployer", account), team.token("deployer")
    path, inside = "/api/v1/deployments", f"/r/{team.namespace}/corp/api/v1/deployments"
    with a_catalog(team, tmp_path / "catalog") as pod:
        pod.until_ready()
        pod.until("an answer", lambda: pod.get(path, deployer).status == 200)
        assert pod.get(path, deployer).json["deployments"] == []
        install_kinds(team.plane, OPTIONAL)
        servers_of_toolhive()
        for version in (f"{GROUP}/v1alpha1", f"{OLD_GROUP}/v1beta1"):
            applied(team.plane, a_server(team, version, image))
            team.plane.kubectl(
                *("-n", team.namespace, "label", f"mcpservers.{version.partition('/')[0]}", "one"),
                "toolhive.stacklok.io/registry-name=corp",
                f"toolhive.stacklok.io/server-name={label_value('com.example/one')}",
            )
        found = pod.until("both", lambda: both(pod.get(path, deployer).json["deployments"]))
        assert [each["registry"] for each in found] == [f"{team.namespace}/corp"] * 2
        assert [each["drift"] for each in found] == ["none"] * 2
        assert pod.get(inside, deployer).json["metadata"]["total_count"] == 2
        assert pod.get(path, reader).json["metadata"]["total_count"] == 0
        assert pod.get(inside, reader).code == "NAMESPACE_ACCESS_DENIED"
        assert pod.get("/api/v1/stats", deployer).json["deployments"]["total"] == 2
        adopted_by_group(team, pod, image)
        since = pod.get("/api/v1/changes", deployer).json["since"]
        await team.publish(World(an_entry("com.example/two")))
        told = f"/api/v1/changes?since={since}&wait=30"
        waited = pod.until("told", lambda: pod.get(told, deployer).json.get("changes"))
        assert {each["registry"] for each in waited} == {f"{team.namespace}/corp"}
        with a_pod(team, tmp_path / "api") as api:
            api.until_ready()
            found = api.until("both", lambda: both(api.get(path, of_corp).json["deployments"]))
            assert {each["drift"] for each in found} == {"unknown-entry"}


def adopted_by_group(team: Team, pod: CatalogPod, image: str) -> None:
    """Where both groups have a server of one name, whoever adopts it says which one is meant."""
    for version in (f"{GROUP}/v1alpha1", f"{OLD_GROUP}/v1beta1"):
        applied(team.plane, a_server(team, version, image, name="two"))
    verbs = ("get", "list", "patch")
    listed = rule(GROUP, "mcpregistries", "get", "list")
    team.account("adopter")
    team.allow("adopter", listed, *(rule(g, "mcpservers", *verbs) for g in (GROUP, OLD_GROUP)))
    token = team.plane.token(team.namespace, "adopter")
    path = f"/api/v1/namespaces/{team.namespace}/deployments/two/adopt"
    wish = {"registry": "corp", "server": "com.example/one"}
    status, told = posted(pod, path, token, wish)
    assert (status, told["error"]["details"]["field"]) == (400, "group")
    status, told = posted(pod, path, token, {**wish, "group": OLD_GROUP})
    assert (status, told["drift"]) == (200, "none"), told
    for group, registry in ((GROUP, ""), (OLD_GROUP, "corp")):
        label = r"jsonpath={.metadata.labels.toolhive\.stacklok\.io/registry-name}"
        shown = team.plane.kubectl(
            *("-n", team.namespace, "get", f"mcpservers.{group}", "two", "-o", label)
        )
        assert shown.stdout == registry, shown.stderr
        team.plane.kubectl("-n", team.namespace, "delete", f"mcpservers.{group}", "two")


def both(found: list[Any]) -> list[Any]:
    return found if len(found) == 2 else []


def a_server(team: Team, api_version: str, image: str, name: str = "one") -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": "MCPServer",
        "metadata": {"name": name, "namespace": team.namespace},
        "spec": {"image": image, "transport": "stdio"},
    }
