"""C21, and what C16 and C18 tell of it: installed servers, of the namespaces in which a caller may list servers."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.apps.catalog_api.catalogs import Callers, CatalogSite, osv
from tests.apps.registry_api.asking import Client, Reply
from tests.apps.registry_api.fleets import (
    an_installed,
    followed,
    install,
    names,
    of_toolhive,
    runs,
    until,
)
from tests.stores.models.world import an_entry
from thv.apps.registry_api.fleet import Fleet, Place
from thv.catalog.installed import installed_of
from thv.domain.permissions import LIST, LIST_SERVERS, READ
from thv.domain.resources import MCP_SERVER

pytestmark = pytest.mark.anyio

PATH = "/api/v1/deployments"
IMAGE = "ghcr.io/stackloklabs/osv-mcp/server"
TEAM = {"registry_name": "shared", "registry_namespace": "team", "server_name": "osv-scanner"}
VAULT = {**TEAM, "registry_name": "vault", "registry_namespace": "secret"}


@pytest.fixture
async def filled(site: CatalogSite) -> AsyncIterator[CatalogSite]:
    """Two registries; servers of both in three namespaces."""
    await site.put("shared", osv("0.1.0"), namespace="team")
    await site.put("vault", osv("6.6.6"), namespace="secret", trustLevel="trusted")
    await install(
        site.resources,
        an_installed("scan", IMAGE, namespace="team", version="0.1.0", **TEAM),
        an_installed("evil", "ghcr.io/evil/osv", namespace="team", version="0.1.0", **TEAM),
        of_toolhive("near", IMAGE, namespace="team", registry_name="shared", server_name="osv-scanner"),
        an_installed("guest", IMAGE, namespace="team", **VAULT),
        an_installed("scan", IMAGE, namespace="prod", version="0.0.9", **TEAM),
        an_installed("hidden", IMAGE, namespace="secret", **VAULT),
        an_installed("orphan", IMAGE, namespace="team"),
    )  # fmt: skip
    await runs(site.resources, "scan", namespace="prod")
    async with followed(site.fleet, site.resources):
        await until(lambda: any(each.is_ready for _, each in site.fleet.every()))
        yield site


async def asked(client: Client, query: str = "", *, by: str = "", path: str = PATH) -> Reply:
    headers = {"authorization": f"Bearer {by}"} if by else {}
    return await client.get(f"{path}{query}", **headers)


def shown(reply: Reply) -> list[tuple[str, str, str, str]]:
    return [
        (each["namespace"], each["name"], each["registry"], each["drift"])
        for each in reply.json["deployments"]
    ]


ALL = [
    ("team", "evil", "team/shared", "image"),
    ("team", "guest", "secret/vault", "none"),
    ("secret", "hidden", "secret/vault", "none"),
    ("team", "near", "team/shared", "none"),
    ("prod", "scan", "team/shared", "outdated"),
    ("team", "scan", "team/shared", "none"),
]


@pytest.mark.requirement("SRV-02", "SRV-03")
async def test_what_is_installed_from_all_registries(filled: CatalogSite) -> None:
    reply = await asked(filled.client())
    assert shown(reply) == ALL
    assert reply.json["metadata"] == {"total_count": 6, "filtered_count": 6, "count": 6}
    assert reply.headers["cache-control"] == "private, no-cache"
    one = reply.json["deployments"][4]
    assert (one["status"], one["ready"], one["endpoint_url"]) == (
        "Running",
        True,
        "http://mcp-scan-proxy:8080",
    )
    assert (one["server_name"], one["server_version"]) == ("osv-scanner", "0.0.9")


@pytest.mark.requirement("SRV-03")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("namespace=prod", ["scan"]),
        ("namespace=prod,secret", ["hidden", "scan"]),
        ("namespace=nowhere", []),
        ("registry=vault", ["guest", "hidden"]),
        ("registry=secret/vault&namespace=team", ["guest"]),
        ("registry=nowhere", []),
        ("labelSelector=registry-name%3Dshared", ["evil", "near", "scan", "scan"]),
        ("labelSelector=registry-namespace", ["evil", "guest", "hidden", "scan", "scan"]),
        ("sort=-name&limit=2", ["scan", "scan"]),
    ],
)
async def test_each_parameter(filled: CatalogSite, query: str, found: list[str]) -> None:
    reply = await asked(filled.client(), f"?{query}")
    assert [each[1] for each in shown(reply)] == found
    assert reply.json["metadata"]["total_count"] == 6


@pytest.mark.parametrize("sort", ["name", "-name"])
async def test_pages_hold_each_once(filled: CatalogSite, sort: str) -> None:
    client = filled.client()
    found, target = list[Any](), f"{PATH}?limit=1&sort={sort}"
    while target:
        reply = await client.get(target)
        found += shown(reply)
        target = (
            reply.headers.get("link", "").partition(">")[0].removeprefix("<http://registry.test")
        )
    assert found == (ALL if sort == "name" else ALL[::-1])
    first = await asked(client, "?limit=1")
    cursor = first.json["metadata"]["next_cursor"]
    other = await asked(client, f"?namespace=team&cursor={cursor}")
    assert (other.status, other.code) == (400, "INVALID_CURSOR")


@pytest.mark.parametrize("query", ["limit=201", "sort=age", "labelSelector=a%20in%20(", "nope=1"])
async def test_what_is_wrong(filled: CatalogSite, query: str) -> None:
    reply = await asked(filled.client(), f"?{query}")
    assert (reply.status, reply.field) == (400, query.partition("=")[0])


# ---------------------------------------------------------------- callers


@pytest.mark.requirement("CAT-09")
async def test_each_caller_sees_the_servers_that_he_may_list(filled: CatalogSite) -> None:
    callers = Callers(deployer=("team",), reader=("team", "secret"), everybody=("",))
    callers.allow("deployer", LIST_SERVERS.on("team"))
    callers.allow("everybody", LIST_SERVERS.on(""))
    client = filled.client(filled.guard(callers))
    assert shown(await asked(client, by="everybody")) == ALL
    reply = await asked(client, by="deployer")
    # The registry that is named is not seen: whether it is there is not said.
    assert shown(reply) == [
        ("team", "evil", "team/shared", "image"),
        ("team", "guest", "secret/vault", "unknown-entry"),
        ("team", "near", "team/shared", "none"),
        ("team", "scan", "team/shared", "none"),
    ]
    assert reply.json["metadata"]["total_count"] == 4
    assert b"hidden" not in reply.body
    for query in ("?namespace=secret", "?namespace=absent"):
        assert (await asked(client, query, by="deployer")).json["deployments"] == []
    assert (await asked(client, by="reader")).json["metadata"]["total_count"] == 0
    assert (await asked(client)).code == "UNAUTHENTICATED"


@pytest.mark.requirement("CAT-09", "LAT-03")
async def test_counts_are_of_what_is_seen(filled: CatalogSite) -> None:
    callers = Callers(deployer=("team",), everybody=("",))
    callers.allow("deployer", LIST_SERVERS.on("team"), READ.on("team", "shared"), LIST.on("team"))
    callers.allow("everybody", LIST_SERVERS.on(""), READ.on("team", "shared"))
    client = filled.client(filled.guard(callers))

    async def counts(by: str) -> tuple[Any, Any, Any]:
        told = (await asked(client, by=by, path="/api/v1/stats")).json
        path = "/api/v1/namespaces/team/registries/shared/status"
        state = (await asked(client, by=by, path=path)).json
        return told["deployments"], told["top_servers"], state["deployed_servers"]

    assert await counts("everybody") == (
        {"total": 6, "by_registry": {"secret/vault": 2, "team/shared": 2}, "drifted": 2},
        [{"name": "osv-scanner", "deployments": 4}],
        2,
    )
    assert await counts("deployer") == (
        {"total": 4, "by_registry": {"team/shared": 2}, "drifted": 2},
        [{"name": "osv-scanner", "deployments": 2}],
        2,
    )


async def test_nothing_is_said_before_anything_is_known(site: CatalogSite) -> None:
    await site.put("shared", osv(), namespace="team")
    client = site.client()
    reply = await asked(client)
    assert (reply.status, reply.code) == (503, "SNAPSHOT_UNAVAILABLE")
    told = (await asked(client, path="/api/v1/stats")).json
    assert not {"deployments", "top_servers"} & told.keys()
    state = (await asked(client, path="/api/v1/registries/team/status")).json
    assert "deployed_servers" not in state
    async with followed(site.fleet, site.resources):
        assert (await asked(client)).json == {
            "deployments": [],
            "metadata": {"total_count": 0, "filtered_count": 0, "count": 0},
        }
        told = (await asked(client, path="/api/v1/stats")).json
        assert told["deployments"] == {"total": 0, "by_registry": {}, "drifted": 0}


async def test_another_content_is_compared_anew(filled: CatalogSite) -> None:
    client = filled.client()
    assert ALL[5] in shown(await asked(client))
    place = filled.places["team", "shared"]
    package = {"registryType": "oci", "identifier": f"{IMAGE}:2", "transport": {"type": "stdio"}}
    place.world.put(an_entry("io.github.stacklok/osv-scanner", "2.0.0", packages=[package]))
    await place.sync(delta=True)
    await filled.moved(place)
    assert (*ALL[5][:3], "outdated") in shown(await asked(client))


def test_ten_thousand_servers_take_little_memory() -> None:
    obj = an_installed("one", IMAGE, version="0.1.0", tier="Official", category="security", **TEAM)
    obj["metadata"]["managedFields"] = [{"fieldsV1": {f"f:{n}": {} for n in range(200)}}]
    fleet = Fleet()
    tracemalloc.start()
    try:
        for number in range(10_000):
            obj["status"] = {"url": f"http://mcp-server-{number}-proxy:8080", "phase": "Running"}
            named = Place(f"server-{number}", f"namespace-{number % 100}", MCP_SERVER.group)
            fleet.put(named, installed_of(obj))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(names(fleet)) == 10_000
    assert taken < 15_000_000
