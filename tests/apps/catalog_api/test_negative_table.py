"""Rows of the negative table that the catalog's reads and syncs answer for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.apps.catalog_api.catalogs import Callers, CatalogSite, osv, rights
from tests.builders import manifest
from tests.stores.models.world import an_entry
from thv.apps.catalog_api.settings import Settings
from thv.domain.registry import load_registry
from thv.domain.resources import MCP_REGISTRY

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("CAT-08")]


@pytest.mark.parametrize(
    ("path", "status", "code", "field"),
    [
        ("mcp_servers?category=secure", 400, "INVALID_REQUEST", "category"),
        ("mcp_servers?limit=0", 400, "INVALID_REQUEST", "limit"),
        ("mcp_servers?limit=1001", 400, "INVALID_REQUEST", "limit"),
        ("mcp_servers?cursor=abc", 400, "INVALID_CURSOR", "cursor"),
        ("mcp_servers?cursor=%25%25", 400, "INVALID_CURSOR", "cursor"),
        ("mcp_servers?catagory=web", 400, "INVALID_REQUEST", "catagory"),
        ("mcp_servers?transport=grpc", 400, "INVALID_REQUEST", "transport"),
        ("mcp_servers?tags=a,,b", 400, "INVALID_REQUEST", "tags"),
        ("mcp_servers?tags=" + ",".join("abcdefghijklmnopqrstu"), 400, "INVALID_REQUEST", "tags"),
        (f"mcp_servers?search={'a' * 201}", 400, "INVALID_REQUEST", "search"),
        ("mcp_servers?search=b+c+d+e+f+g+h+j+k+l+m", 400, "INVALID_REQUEST", "search"),
        ("mcp_servers?sort=relevance", 400, "INVALID_REQUEST", "sort"),
        ("mcp_servers?format=xml", 400, "INVALID_REQUEST", "format"),
        ("mcp_servers?duplicates=some", 400, "INVALID_REQUEST", "duplicates"),
        ("mcp_servers?facets=1", 400, "INVALID_REQUEST", "facets"),
        ("mcp_servers?signed=yes", 400, "INVALID_REQUEST", "signed"),
        ("mcp_servers?reach=far", 400, "INVALID_REQUEST", "reach"),
        ("mcp_servers?scan=maybe", 400, "INVALID_REQUEST", "scan"),
        ("mcp_servers?labelSelector=tier%20in%20(", 400, "INVALID_REQUEST", "labelSelector"),
        ("servers/nope", 404, "SERVER_NOT_FOUND", "name"),
        ("mcp_servers/nope", 404, "SERVER_NOT_FOUND", "name"),
        ("servers/a%00b", 400, "INVALID_REQUEST", "name"),
        ("tools?sort=size", 400, "INVALID_REQUEST", "sort"),
        ("tools/nope", 404, "TOOL_NOT_FOUND", "tool"),
        ("registries/Bad_NS", 400, "INVALID_REQUEST", "namespace"),
        ("registries/Bad_NS/status", 400, "INVALID_REQUEST", "namespace"),
        ("namespaces/ok/registries/nope", 404, "REGISTRY_NOT_FOUND", "registry"),
        ("namespaces/ok/registries/Bad_Name", 400, "INVALID_REQUEST", "registry"),
        ("namespaces/ok/registries/nope/status", 404, "REGISTRY_NOT_FOUND", "registry"),
        ("namespaces/ok/registries/nope/history", 404, "REGISTRY_NOT_FOUND", "registry"),
        ("registries?source_type=ftp", 400, "INVALID_REQUEST", "source_type"),
        ("nothing", 404, "NOT_FOUND", None),
    ],
)
async def test_what_is_refused(
    site: CatalogSite, path: str, status: int, code: str, field: str | None
) -> None:
    await site.put("one", osv())
    reply = await site.client().get(f"/api/v1/{path}")
    assert (reply.status, reply.code, reply.field) == (status, code, field)


async def test_who_means_a_subject_is_told_where_that_is(site: CatalogSite) -> None:
    reply = await site.client().get("/api/v1/mcp_servers?category=secure")
    details = reply.json["error"]["details"]
    assert details["value"] == "secure"
    assert "functional_category" in details["hint"]


async def test_what_cannot_be_shown_as_it_is_wanted(site: CatalogSite) -> None:
    client = site.client()
    for accept in ("text/html", "application/json; format=xml"):
        reply = await client.get("/api/v1/mcp_servers", accept=accept)
        assert (reply.status, reply.code) == (406, "NOT_ACCEPTABLE")


async def test_before_anything_is_joined_everybody_is_told_to_wait(tmp_path: Any) -> None:
    reply = await CatalogSite(tmp_path).client().get("/api/v1/mcp_servers")
    assert (reply.status, reply.code) == (503, "SNAPSHOT_UNAVAILABLE")
    assert reply.headers["retry-after"] == "1"


# ---------------------------------------------------------------- syncs


async def stored(site: CatalogSite, name: str, namespace: str = "ok") -> None:
    """A registry that is an object, too."""
    await site.put(name, an_entry(f"com.example/{name}"), namespace=namespace)
    made = await site.resources.apply(manifest(name, namespace), manager="tests", force=True)
    site.places[namespace, name].served.describe(load_registry(made))


async def obeyed(site: CatalogSite, name: str, namespace: str = "ok") -> None:
    """As the operator does it."""
    obj = await site.resources.get(MCP_REGISTRY, namespace, name)
    asked = obj["metadata"]["annotations"]["toolhive.stacklok.io/sync-requested-at"]
    obj["status"] = {"lastHandledSyncRequest": asked, "syncStatus": {"phase": "Complete"}}
    place = site.places[namespace, name]
    place.served.describe(load_registry(obj))
    await site.moved(place)


@pytest.mark.requirement("CAT-06")
async def test_a_sync_is_asked_for_and_waited_for(site: CatalogSite) -> None:
    await stored(site, "one")
    client = site.client()
    path = "/api/v1/registries/ok/sync"
    asked = await client.ask("POST", path)
    assert asked.status == 202
    body = asked.json
    assert body == {
        "registry": {"namespace": "ok", "name": "one"},
        "request": body["request"],
        "state": "queued",
        "joined": False,
        "status_url": "/api/v1/namespaces/ok/registries/one/status",
    }
    obj = await site.resources.get(MCP_REGISTRY, "ok", "one")
    assert obj["metadata"]["annotations"] == {
        "toolhive.stacklok.io/sync-requested-at": body["request"]
    }
    site.places["ok", "one"].served.describe(load_registry(obj))
    again = await client.ask("POST", "/api/v1/namespaces/ok/registries/one/sync")
    assert again.json == {**body, "joined": True}
    waiting = asyncio.ensure_future(client.ask("POST", f"{path}?registry=one&wait=60"))
    await asyncio.sleep(0)
    await obeyed(site, "one")
    ended = await waiting
    assert (ended.status, ended.json["state"]) == (200, "succeeded")
    assert ended.json["result"]["outcome"] == "Succeeded"


async def test_which_registry_to_sync_must_be_said(site: CatalogSite) -> None:
    client = site.client()
    path = "/api/v1/registries/ok/sync"
    none = await client.ask("POST", path)
    assert (none.status, none.code) == (404, "REGISTRY_NOT_FOUND")
    await stored(site, "one")
    await stored(site, "two")
    several = await client.ask("POST", path)
    assert (several.status, several.code, several.field) == (400, "INVALID_REQUEST", "registry")
    assert "one, two" in several.json["error"]["message"]
    named = await client.ask("POST", f"{path}?registry=two")
    assert (named.status, named.json["registry"]["name"]) == (202, "two")
    for wait in ("61", "-1", "soon"):
        wrong = await client.ask("POST", f"{path}?registry=one&wait={wait}")
        assert (wrong.status, wrong.field) == (400, "wait")
    unknown = await client.ask("POST", f"{path}?registry=three")
    assert (unknown.status, unknown.code) == (404, "REGISTRY_NOT_FOUND")


async def test_who_only_reads_asks_for_no_sync(site: CatalogSite) -> None:
    await stored(site, "one")
    client = site.client(settings=Settings(read_only=True))
    for path in ("/api/v1/registries/ok/sync", "/api/v1/namespaces/ok/registries/one/sync"):
        refused = await client.ask("POST", path)
        assert (refused.status, refused.code) == (403, "READ_ONLY")


async def test_a_reader_asks_for_no_sync(site: CatalogSite) -> None:
    await stored(site, "one")
    callers = Callers(reader=("ok",), deployer=("ok",))
    callers.allow("deployer", *rights("one", "ok"))
    client = site.client(site.guard(callers))
    for path in ("/api/v1/registries/ok/sync?registry=one", "/api/v1/registries/ok/sync?wait=61"):
        refused = await client.ask("POST", path, authorization="Bearer reader")
        assert (refused.status, refused.code) == (403, "NAMESPACE_ACCESS_DENIED")
    path = "/api/v1/namespaces/ok/registries/one/sync"
    assert (await client.ask("POST", path, authorization="Bearer deployer")).status == 202
