"""C19: what changed in all registries that a caller may list, and nothing of any other one."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from tests.apps.catalog_api.catalogs import Callers, CatalogSite
from tests.apps.registry_api.asking import Client, Reply
from tests.apps.registry_api.places import Place
from tests.builders import manifest
from tests.stores.models.world import an_entry
from thv.apps.catalog_api import changes
from thv.apps.catalog_api.since import MOST_REGISTRIES, Part, Since, parse_since
from thv.domain.registry import load_registry

pytestmark = pytest.mark.anyio

PATH = "/api/v1/changes"
SNAPSHOTS = 51
"""One more than are remembered."""


async def asked(client: Client, since: str = "", *, by: str = "", query: str = "") -> Reply:
    found = f"{PATH}?since={since}{query}" if since else f"{PATH}?{query.lstrip('&')}".rstrip("?")
    headers = {"authorization": f"Bearer {by}"} if by else {}
    return await client.get(found, **headers)


def told(body: Any) -> list[tuple[str, str, str]]:
    return [
        (each["registry"], each["type"], each["name"].removeprefix("com.example/"))
        for each in body["changes"]
    ]


async def put(site: CatalogSite, place: Place, *entries: Any) -> None:
    place.world.put(*entries)
    await place.sync(delta=True)
    await site.moved(place)


async def drop(site: CatalogSite, place: Place) -> None:
    del site.places[place.served.owner]
    await site.moved(place)


async def two(site: CatalogSite) -> tuple[Place, Place]:
    """Two registries of two namespaces."""
    one = await site.put("one", an_entry("com.example/a"), namespace="team")
    other = await site.put("other", an_entry("com.example/b"), namespace="secret")
    return one, other


@pytest.mark.requirement("LAT-02")
async def test_what_happened_in_every_registry_since_a_token(site: CatalogSite) -> None:
    one, other = await two(site)
    client = site.client()
    first = (await asked(client)).json
    assert (first["changes"], first["more"]) == ([], False)
    same = await asked(client, first["since"])
    assert same.json == first
    assert same.headers["cache-control"] == "private, no-cache"
    await put(site, one, an_entry("com.example/c"))
    other.world.remove(("com.example/b", "1.0.0"))
    await put(site, other, an_entry("com.example/d"))
    second = (await asked(client, first["since"])).json
    assert sorted(told(second)) == [
        ("secret/other", "added", "d"),
        ("secret/other", "removed", "b"),
        ("team/one", "added", "c"),
    ]
    assert second["changes"][0].keys() == {
        "registry",
        "seq",
        "type",
        "name",
        "version",
        "digest",
        "at",
    }
    assert (await asked(client, second["since"])).json["changes"] == []
    only = await asked(client, query="&registry=team/one")
    await put(site, one, an_entry("com.example/e"))
    await put(site, other, an_entry("com.example/f"))
    found = (await asked(client, only.json["since"], query="&registry=team/one")).json
    assert told(found) == [("team/one", "added", "e")]


async def test_all_of_a_new_registry_was_added(site: CatalogSite) -> None:
    await two(site)
    client = site.client()
    since = (await asked(client)).json["since"]
    new = await site.put("new", *(an_entry(f"com.example/{name}") for name in "yx"))
    found = (await asked(client, since)).json
    assert told(found) == [("default/new", "added", "x"), ("default/new", "added", "y")]
    assert (await asked(client, found["since"])).json["changes"] == []
    await put(site, new, an_entry("com.example/z"))
    assert told((await asked(client, found["since"])).json) == [("default/new", "added", "z")]


async def test_a_follower_of_a_registry_that_is_gone_begins_again(site: CatalogSite) -> None:
    _, other = await two(site)
    client = site.client()
    since = (await asked(client)).json["since"]
    await drop(site, other)
    reply = await asked(client, since)
    assert (reply.status, reply.code, reply.field) == (410, "CURSOR_EXPIRED", "since")
    again = (await asked(client)).json["since"]
    assert (await asked(client, again)).status == 200


async def test_what_is_too_old_is_said_to_be(site: CatalogSite) -> None:
    one, _ = await two(site)
    client = site.client()
    since = (await asked(client)).json["since"]
    for number in range(SNAPSHOTS):
        one.world.put(an_entry("com.example/a", description=str(number)))
        await one.sync(delta=True)
    await site.moved(one)
    assert (await asked(client, since)).code == "CURSOR_EXPIRED"


async def test_a_follower_waits_while_registries_are_joined_anew(site: CatalogSite) -> None:
    _, other = await two(site)
    client = site.client()
    since = (await asked(client)).json["since"]
    described = manifest("other", "secret")
    described["status"] = {"snapshot": msgspec.to_builtins(other.world.snapshot())}
    other.served.describe(load_registry(described))
    await drop(site, other)
    site.places["secret", "other"] = other
    site.joins.moved(("secret", "other"))
    reply = await asked(client, since)
    assert (reply.status, reply.code) == (503, "SNAPSHOT_UNAVAILABLE")
    assert reply.headers["retry-after"] == "1"
    await site.settle()
    assert (await asked(client, since)).json["changes"] == []


@pytest.mark.parametrize("most", [1, 2, 3, 7])
async def test_many_changes_come_in_parts_while_others_happen(
    site: CatalogSite, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(changes, "MOST", most)
    one, other = await two(site)
    client = site.client()
    since = (await asked(client)).json["since"]
    await put(site, one, *(an_entry(f"com.example/one{number}") for number in range(5)))
    await put(site, other, *(an_entry(f"com.example/other{number}") for number in range(4)))
    new = await site.put("new", *(an_entry(f"com.example/new{number}") for number in range(3)))
    late = {other: "late1", new: "late2"}
    found = list[tuple[str, str, str]]()
    while True:
        page = (await asked(client, since)).json
        assert len(page["changes"]) <= most
        found += told(page)
        since = page["since"]
        if late:
            place, name = late.popitem()
            await put(site, place, an_entry(f"com.example/{name}"))
        elif not page["more"]:
            break
    assert len(found) == len(set(found)) == 14
    assert found.index(("team/one", "added", "one0")) < found.index(("team/one", "added", "one4"))
    assert (await asked(client, since)).json["changes"] == []


async def test_a_follower_is_told_at_once(site: CatalogSite) -> None:
    one, _ = await two(site)
    client = site.client()
    since = (await asked(client)).json["since"]
    waiting = asyncio.ensure_future(asked(client, since, query="&wait=30"))
    await asyncio.sleep(0)
    await put(site, one, an_entry("com.example/c"))
    async with asyncio.timeout(25):
        assert told((await waiting).json) == [("team/one", "added", "c")]
    nothing = await asked(client, (await waiting).json["since"], query="&wait=1")
    assert nothing.json["changes"] == []


async def test_a_waiting_follower_is_told_of_a_new_registry_and_of_one_that_goes(
    site: CatalogSite,
) -> None:
    _, other = await two(site)
    client = site.client()
    since = (await asked(client)).json["since"]
    waiting = asyncio.ensure_future(asked(client, since, query="&wait=30"))
    await asyncio.sleep(0)
    await site.put("new", an_entry("com.example/n"))
    async with asyncio.timeout(25):
        body = (await waiting).json
        assert told(body) == [("default/new", "added", "n")]
        waiting = asyncio.ensure_future(asked(client, body["since"], query="&wait=30"))
        await asyncio.sleep(0)
        await drop(site, other)
        assert (await waiting).code == "CURSOR_EXPIRED"


@pytest.mark.requirement("CAT-09")
async def test_what_is_not_seen_is_not_told_and_wakes_nobody(site: CatalogSite) -> None:
    one, other = await two(site)
    client = site.client(site.guard(Callers(outsider=("team",), insider=("",))))
    since = (await asked(client, by="outsider")).json["since"]
    await put(site, other, an_entry("com.example/c"))
    await site.put("hidden", an_entry("com.example/h"), namespace="secret")
    assert (await asked(client, since, by="outsider")).json == {
        "changes": [],
        "since": since,
        "more": False,
    }
    waiting = asyncio.ensure_future(asked(client, since, by="outsider", query="&wait=30"))
    await asyncio.sleep(0)
    await put(site, other, an_entry("com.example/d"))
    await site.put("second", an_entry("com.example/s"), namespace="secret")
    await drop(site, other)
    for _ in range(100):  # as often as an answer would take
        await asyncio.sleep(0)
    assert not waiting.done()
    await put(site, one, an_entry("com.example/e"))
    async with asyncio.timeout(25):
        assert told((await waiting).json) == [("team/one", "added", "e")]


@pytest.mark.requirement("CAT-09")
async def test_the_token_of_somebody_else_tells_nothing(site: CatalogSite) -> None:
    await two(site)
    client = site.client(site.guard(Callers(outsider=("team",), insider=("",))))
    seen = (await asked(client, by="insider")).json["since"]
    known, made_up = await asked(client, seen, by="outsider"), str(Since({("secret", "x"): "y"}))
    unknown = await asked(client, made_up, by="outsider")
    assert (known.status, known.code) == (unknown.status, unknown.code) == (410, "CURSOR_EXPIRED")
    assert known.json["error"]["message"] == unknown.json["error"]["message"]
    refused = await asked(client)
    assert (refused.status, refused.code) == (401, "UNAUTHENTICATED")


async def test_whoever_loses_a_right_while_waiting_is_told_no_more(site: CatalogSite) -> None:
    one, _ = await two(site)
    callers = Callers(reader=("team",))
    client = site.client(site.guard(callers))
    since = (await asked(client, by="reader")).json["since"]
    waiting = asyncio.ensure_future(asked(client, since, by="reader", query="&wait=30"))
    await asyncio.sleep(0)
    callers.rights.clear()
    callers.revision += 1
    await put(site, one, an_entry("com.example/c"))
    async with asyncio.timeout(25):
        assert (await waiting).code == "CURSOR_EXPIRED"


@pytest.mark.parametrize("since", ["never", "AAAA", "0123456789abcdef", "A" * 7700])
async def test_what_is_no_token_is_refused(site: CatalogSite, since: str) -> None:
    reply = await asked(site.client(), since)
    assert (reply.status, reply.code, reply.field) == (400, "INVALID_REQUEST", "since")


@pytest.mark.parametrize("query", ["&wait=31", "&wait=x", "&registry=", "&limit=3"])
async def test_parameters_that_are_none(site: CatalogSite, query: str) -> None:
    reply = await asked(site.client(), query=query)
    assert (reply.status, reply.code) == (400, "INVALID_REQUEST")


def test_a_token_of_as_many_registries_as_may_be_fits_into_an_address() -> None:
    known = {("namespace", f"registry-{number}"): f"{number:016x}" for number in range(1400)}
    assert len(known) == MOST_REGISTRIES
    for part in (None, Part(("namespace", "registry-7"), 3000, anew=True)):
        since = Since(known, part)
        sealed = parse_since(str(since))
        assert sealed.opened(known) == since
        assert len(str(since)) < 7600
        assert sealed.opened({**known, ("namespace", "registry-7"): "other"}) is None
        assert sealed.opened(dict(list(known.items())[1:])) is None


async def test_who_sees_more_registries_than_a_token_can_say_names_some(
    site: CatalogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MOST_REGISTRIES", 1)
    await two(site)
    client = site.client()
    reply = await asked(client)
    assert (reply.status, reply.field) == (400, "registry")
    assert (await asked(client, query="&registry=one")).status == 200
