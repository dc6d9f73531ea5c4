"""R14: which servers are installed from a registry, and how they stand to it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.apps.kit.memory_reviews import ALICE, MemoryReviews
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
from tests.apps.registry_api.places import Place
from tests.stores.models.world import an_entry
from thv.apps.kit.authorization import Authorization
from thv.apps.registry_api import deployments
from thv.apps.registry_api import fleet as fleets
from thv.apps.registry_api.fleet import Fleet
from thv.apps.registry_api.fleet import Place as Spot
from thv.apps.registry_api.guard import Guard
from thv.catalog.installed import installed_of
from thv.domain.errors import Code, ThvError
from thv.domain.permissions import LIST_SERVERS, READ, server_ways
from thv.domain.resources import MCP_SERVER, OLD_GROUP, Kind
from thv.stores.resources.memory import MemoryStore

pytestmark = pytest.mark.anyio

PATH = "/api/v1/deployments"
OLD, NEW = "ghcr.io/x/osv:1.0.0", "ghcr.io/x/osv:1.1.0"
NAMED = {"registry_name": "corp", "registry_namespace": "default", "server_name": "osv"}
LABELS = {
    "toolhive.stacklok.io/registry-name": "corp",
    "toolhive.stacklok.io/registry-namespace": "default",
    "toolhive.stacklok.io/server-name": "osv",
}


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    await made.sync()
    return made


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def fleet(store: MemoryStore) -> AsyncIterator[Fleet]:
    async with followed(Fleet(), store) as made:
        yield made


async def asked(place: Place, fleet: Fleet, query: str = "", **headers: str) -> Reply:
    return await place.client(fleet=fleet).get(f"{PATH}{query}", **headers)


def drifts(reply: Reply) -> dict[str, str]:
    return {each["name"]: each["drift"] for each in reply.json["deployments"]}


@pytest.mark.requirement("SRV-02", "SRV-03")
async def test_an_existing_server_is_associated_by_labels(
    place: Place, fleet: Fleet, store: MemoryStore
) -> None:
    plain = an_installed("scan", NEW)
    await install(store, plain, an_installed("other", NEW))
    assert (await asked(place, fleet)).json["deployments"] == []
    before = await store.get(MCP_SERVER, "default", "other")
    await install(store, an_installed("scan", NEW, version="1.1.0", **NAMED))
    await runs(store, "scan")
    await until(lambda: any(installed.url for _, installed in fleet.every()))
    reply = await asked(place, fleet)
    assert reply.json == {
        "deployments": [
            {
                "name": "scan",
                "namespace": "default",
                "server_name": "osv",
                "server_version": "1.1.0",
                "image": NEW,
                "transport": "stdio",
                "status": "Running",
                "ready": True,
                "endpoint_url": "http://mcp-scan-proxy:8080",
                "labels": LABELS,
                "drift": "none",
            }
        ],
        "metadata": {"total_count": 1, "filtered_count": 1, "count": 1},
    }
    assert await store.get(MCP_SERVER, "default", "other") == before
    assert reply.headers["x-snapshot"].startswith("sha256:")
    same = await asked(place, fleet, if_none_match=reply.headers["etag"])
    assert same.status == 304
    await store.delete(MCP_SERVER, "default", "scan")
    await until(lambda: not names(fleet))
    assert (await asked(place, fleet, if_none_match=reply.headers["etag"])).status == 200


async def test_each_drift(place: Place, fleet: Fleet, store: MemoryStore) -> None:
    def osv(name: str, image: str, version: str, **more: str) -> Any:
        return an_installed(name, image, version=version, **{**NAMED, **more})

    await install(
        store,
        osv("current", NEW, "1.1.0"),
        osv("unversioned", NEW, ""),
        osv("older", OLD, "1.0.0"),
        osv("forgotten", "ghcr.io/x/osv:0.1.0", "0.1.0"),
        osv("swapped", "ghcr.io/evil/osv:1.1.0", "1.1.0"),
        osv("unknown", NEW, "1.1.0", server_name="nobody"),
        of_toolhive("theirs", NEW, registry_name="corp", server_name="osv"),
        osv("elsewhere", NEW, "1.1.0", registry_name="another"),
        an_installed("far", NEW, namespace="far", **NAMED),
    )
    await until(lambda: len(names(fleet)) == 9)
    assert drifts(await asked(place, fleet)) == {
        "current": "none",
        "forgotten": "outdated",
        "older": "outdated",
        "swapped": "image",
        "theirs": "none",
        "unknown": "unknown-entry",
        "unversioned": "none",
    }
    image = [{"registryType": "oci", "identifier": "x:2", "transport": {"type": "stdio"}}]
    place.world.put(an_entry("io.github.stacklok/osv", "2.0.0", packages=image))
    await place.sync(delta=True)
    assert drifts(await asked(place, fleet))["current"] == "outdated"


@pytest.mark.requirement("SRV-03")
@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("tier=Official", ["a"]),
        ("toolhive.stacklok.io/tier=Official", ["a"]),
        ("tier!=Official", ["b", "c"]),
        ("tier in (Official,Community),!team", ["a", "c"]),
        ("team=blue", ["b"]),
        ("category,tier=Community", ["c"]),
        ("nothing=x", []),
    ],
)
async def test_queries_by_label(
    place: Place, fleet: Fleet, store: MemoryStore, selector: str, found: list[str]
) -> None:
    first = an_installed("a", NEW, tier="Official", **NAMED)
    second = an_installed("b", NEW, **NAMED)
    second["metadata"]["labels"]["team"] = "blue"
    third = of_toolhive("c", NEW, tier="Community", category="web", **NAMED)
    await install(store, first, second, third)
    await until(lambda: len(names(fleet)) == 3)
    query = selector.replace(" ", "%20").replace("!", "%21")
    reply = await asked(place, fleet, f"?labelSelector={query}")
    assert list(drifts(reply)) == found
    assert reply.json["metadata"]["total_count"] == 3


@pytest.mark.parametrize("sort", ["name", "-name"])
async def test_pages_hold_each_once_while_servers_come_and_go(
    place: Place, fleet: Fleet, store: MemoryStore, sort: str
) -> None:
    every = [an_installed(f"s{number}", NEW, **NAMED) for number in range(7)]
    await install(store, *every)
    await until(lambda: len(names(fleet)) == 7)
    found, target = list[str](), f"{PATH}?limit=3&sort={sort}"
    while target:
        reply = await place.client(fleet=fleet).get(target)
        found += drifts(reply)
        assert ("next_cursor" in reply.json["metadata"]) is ("link" in reply.headers)
        if len(found) == 3:
            await store.delete(MCP_SERVER, "default", found[0])
            await until(lambda: len(names(fleet)) == 6)
        target = (
            reply.headers.get("link", "").partition(">")[0].removeprefix("<http://registry.test")
        )
    assert found == sorted((each["metadata"]["name"] for each in every), reverse=sort == "-name")


async def test_a_page_has_a_most(
    place: Place, fleet: Fleet, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployments, "PAGE_LIMIT", 700)
    every = [an_installed(f"s{number}", NEW, **NAMED) for number in range(5)]
    await install(store, *every)
    await until(lambda: len(names(fleet)) == 5)
    reply = await asked(place, fleet)
    assert 0 < reply.json["metadata"]["count"] < 5
    assert "next_cursor" in reply.json["metadata"]


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("limit=201", "INVALID_REQUEST", "limit"),
        ("limit=0", "INVALID_REQUEST", "limit"),
        ("sort=status", "INVALID_REQUEST", "sort"),
        ("labelSelector=tier%20in%20(", "INVALID_REQUEST", "labelSelector"),
        ("cursor=abc", "INVALID_CURSOR", "cursor"),
        ("namespace=team", "INVALID_REQUEST", "namespace"),
    ],
)
async def test_what_is_wrong(place: Place, fleet: Fleet, query: str, code: str, field: str) -> None:
    reply = await asked(place, fleet, f"?{query}")
    assert (reply.status, reply.code, reply.field) == (400, code, field)


async def test_the_cursor_of_another_query(place: Place, fleet: Fleet, store: MemoryStore) -> None:
    await install(store, *(an_installed(n, NEW, **NAMED) for n in "ab"))
    await until(lambda: len(names(fleet)) == 2)
    cursor = (await asked(place, fleet, "?limit=1")).json["metadata"]["next_cursor"]
    reply = await asked(place, fleet, f"?sort=-name&cursor={cursor}")
    assert (reply.status, reply.code) == (400, "INVALID_CURSOR")


async def test_before_anything_is_known(tmp_path: Path, fleet: Fleet) -> None:
    place = Place(tmp_path)
    assert (await asked(place, fleet)).code == "SNAPSHOT_UNAVAILABLE"
    await place.sync()
    reply = await asked(place, Fleet())
    assert (reply.status, reply.code) == (503, "SNAPSHOT_UNAVAILABLE")


# ---------------------------------------------------------------- rights


async def test_a_right_on_servers_is_needed_beside_that_on_the_registry(
    tmp_path: Path, fleet: Fleet
) -> None:
    place = Place(tmp_path, api={"anonymousRead": True})
    await place.sync()
    reviews = MemoryReviews()
    reviews.tokens = {("good", "corp-api.default.svc"): ALICE}
    authorization = Authorization(reviews, ways=server_ways)
    guard = Guard(place.find, authorization, lambda: True)
    client = place.client(fleet=fleet, authorize=guard.authorize)

    async def status(client: Client) -> tuple[int, str]:
        reply = await client.get(PATH, authorization="Bearer good")
        return reply.status, "" if reply.status == 200 else reply.code

    assert (await client.get(PATH)).code == "UNAUTHENTICATED"
    assert await status(client) == (403, "NAMESPACE_ACCESS_DENIED")
    owner = place.served.owner
    old = server_ways(LIST_SERVERS.on(owner[0]))[1]
    assert old.group == OLD_GROUP
    for right in (LIST_SERVERS.on(owner[0]), old):
        reviews.rights = {("alice", READ.on(*owner)), ("alice", right)}
        reviews.revision += 1
        assert await status(client) == (200, "")


# ---------------------------------------------------------------- the fleet


async def test_kinds_may_come_and_go(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fleets, "LOOK", 0.001)
    served: list[Kind] = []

    async def kinds(wanted: Sequence[Kind]) -> tuple[Kind, ...]:
        return tuple(kind for kind in wanted if kind in served)

    await install(store, an_installed("a", NEW, **NAMED))
    with caplog.at_level(logging.WARNING):
        async with followed(Fleet(), store, kinds) as fleet:
            assert names(fleet) == []
            served.append(MCP_SERVER)
            fleet.ask()
            await until(lambda: names(fleet) == ["a"])
    assert not caplog.records


async def test_a_store_that_is_away_is_asked_again(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fleets, "_FIRST_PAUSE", 0.001)
    tries = []

    async def kinds(wanted: Sequence[Kind]) -> tuple[Kind, ...]:
        tries.append(wanted)
        if len(tries) < 5:
            raise ThvError(Code.STORE_UNAVAILABLE, "away")
        return await fleets.kept_here(wanted)

    await install(store, an_installed("a", NEW, **NAMED))
    async with followed(Fleet(), store, kinds) as fleet:
        assert names(fleet) == ["a"]
    assert len([each for each in caplog.records if "watch of servers" in each.message]) == 1


def test_what_is_kept_of_a_server_is_bounded() -> None:
    obj = an_installed("a", "i" * 5000, **NAMED)
    obj["metadata"]["labels"] |= {f"label-{number}": "x" for number in range(100)}
    obj["metadata"]["annotations"] = {"big": "x" * 200_000}
    fleet = Fleet()
    fleet.put(Spot("a", "default", MCP_SERVER.group), installed_of(obj))
    ((_, kept),) = fleet.every()
    assert len(kept.image) < 2100
    assert len(kept.labels) <= 50
    assert LABELS.items() <= kept.labels.items()
