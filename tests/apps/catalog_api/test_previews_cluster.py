"""Sources that are tried over a real API server: with the rights of whoever tries, and no others."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.apps.catalog_api.documents import Documents, documents
from tests.apps.catalog_api.plane import Catalog, catalog_in
from tests.apps.catalog_api.test_generation_cluster import code, source
from tests.apps.catalog_api.test_manifests import a_manifest
from tests.builders import array, server
from tests.control_plane.fixtures import namespace_in
from tests.control_plane.plane import ControlPlane
from thv.domain.canonical import JsonObject
from thv.domain.resources import GROUP

pytestmark = [pytest.mark.flows, pytest.mark.requirement("REG-09")]

LISTED = array(server("a/one"), server("a/two"))
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "corp-token"},
    "data": {"token": base64.b64encode(b"open sesame").decode()},
}


@pytest.fixture(scope="module")
def web() -> Iterator[Documents]:
    with documents() as there:
        there.content["/servers.json"] = LISTED
        yield there


@pytest.fixture(scope="module")
def catalog(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, web: Documents
) -> Iterator[Catalog]:
    """`maker` may make registries and read ConfigMaps, `narrow` only the first, `owner` also read Secrets."""
    with (
        namespace_in(control_plane) as namespace,
        catalog_in(control_plane, namespace, tmp_path_factory.mktemp("catalog")) as found,
    ):
        found.allow = (web.place,)
        found.apply(SECRET, *source("base", [server("a/one")]))
        for name, more in (("narrow", ()), ("owner", (("", "secrets", "get"),))):
            found.account(name)
            rules = [rule(GROUP, "mcpregistries", "create"), *(rule(*each) for each in more)]
            found.bind(name, {"metadata": {"name": name, "namespace": namespace}, "rules": rules})
        yield found


def rule(group: str, resource: str, *verbs: str) -> JsonObject:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


def tried(catalog: Catalog, manifest: JsonObject, by: str = "maker") -> JsonObject:
    path = f"/api/v1/registries/{catalog.namespace}/preview"
    reply = catalog.ask("POST", path, manifest, by=catalog.token(by))
    assert reply.status == 200, reply.json
    found: JsonObject = reply.json
    return found


def refused(catalog: Catalog, manifest: JsonObject, by: str) -> tuple[int, str]:
    path = f"/api/v1/registries/{catalog.namespace}/preview"
    return code(catalog.ask("POST", path, manifest, by=by))


def of_web(web: Documents, **more: JsonObject) -> JsonObject:
    return a_manifest("tried", url={"url": web.url("/servers.json"), **more})


def test_a_source_is_read_and_nothing_is_made(catalog: Catalog, web: Documents) -> None:
    before = [each["metadata"]["name"] for each in catalog.objects("mcpregistries")]
    wanted = of_web(web)
    wanted["spec"]["filter"] = {"exclude": {"names": ["*/two"]}}
    found = tried(catalog, wanted, by="narrow")
    assert (found["outcome"], found["entries"], found["first"]) == ("read", 2, ["a/one"])
    assert found["left_out"][0]["name"] == "a/two"
    assert [each["metadata"]["name"] for each in catalog.objects("mcpregistries")] == before


def test_a_secret_is_read_by_whoever_may_read_it(catalog: Catalog, web: Documents) -> None:
    wanted = of_web(web, authSecret={"name": "corp-token"})
    asked = len(web.tokens)
    found = tried(catalog, wanted)
    assert (found["outcome"], found["error"]["code"]) == ("failed", "FORBIDDEN")
    assert 'secrets "corp-token" is forbidden' in found["error"]["message"]
    assert "your own rights" in found["error"]["hint"]
    assert len(web.tokens) == asked
    assert tried(catalog, wanted, by="owner")["outcome"] == "read"
    assert web.tokens[asked:] == ["Bearer open sesame"]


def test_config_maps_and_registries_are_read_by_whoever_may_read_them(catalog: Catalog) -> None:
    listed = a_manifest("tried", configMap={"name": "base-source"})
    layered = a_manifest("tried", registry={"registryRef": {"name": "base"}})
    catalog.until("it is served", lambda: tried(catalog, layered)["outcome"] == "read")
    for wanted, kind in ((listed, "configmaps"), (layered, "mcpregistries")):
        assert tried(catalog, wanted)["first"] == ["a/one"]
        error = tried(catalog, wanted, by="narrow")["error"]
        assert error["code"] == "FORBIDDEN"
        assert f'cannot get resource "{kind}"' in error["message"]


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1:1/s.json", "http://169.254.169.254/latest/", "https://kubernetes.default"],
)
def test_what_a_sync_would_not_reach_is_not_reached(catalog: Catalog, url: str) -> None:
    error = tried(catalog, a_manifest("tried", url={"url": url}))["error"]
    assert error["code"] in ("ADDRESS_DENIED", "SOURCE_UNREACHABLE")


def test_it_is_for_those_who_may_make_registries_and_sent_their_own_token(
    catalog: Catalog, web: Documents
) -> None:
    asked = len(web.tokens)
    wanted = of_web(web)
    reader, own = catalog.token("reader"), catalog.own_token("maker")
    assert refused(catalog, wanted, reader) == (403, "NAMESPACE_ACCESS_DENIED")
    assert refused(catalog, wanted, own) == (403, "TOKEN_NOT_FORWARDABLE")
    assert refused(catalog, wanted, "")[0] == 401
    elsewhere = catalog.ask("POST", "/api/v1/registries/kube-system/preview", wanted, by=reader)
    assert elsewhere.status == 403
    assert len(web.tokens) == asked


def test_types_that_are_not_tried_say_what_to_do(catalog: Catalog) -> None:
    maker = catalog.token("maker")
    path = f"/api/v1/registries/{catalog.namespace}/preview"
    for block, said in (
        ({"git": {"repository": "https://git.example.com/a.git"}}, "THV_TRY_SOURCES"),
        ({"file": {"path": "/etc/passwd"}}, "No registry of a cluster reads files"),
    ):
        reply = catalog.ask("POST", path, a_manifest("tried", **block), by=maker)
        assert code(reply) == (403, "FORBIDDEN")
        assert said in reply.json["error"]["details"]["hint"]
