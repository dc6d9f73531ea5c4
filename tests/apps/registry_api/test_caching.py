"""Entity tags, conditional requests and compression."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.apps.registry_api.asking import Client
from tests.apps.registry_api.places import Place
from tests.builders import registry
from tests.stores.models.world import World, an_entry
from thv.apps.kit.http.compression import accepts_gzip

pytestmark = pytest.mark.anyio

TAGGED = [
    "/api/v1/servers",
    "/api/v1/servers?format=upstream",
    "/api/v1/servers?limit=2",
    "/api/v1/servers?search=scan",
    "/api/v1/servers?labelSelector=tier",
    "/api/v1/servers?labelSelector=team",
    "/api/v1/servers?updated_since=2026-01-01T00:00:00Z",
    "/api/v1/servers/osv",
    "/api/v1/servers/osv?include_registry_info=false",
    "/api/v1/servers/osv/versions",
    "/api/v1/servers/osv/versions/1.0.0",
    "/api/v1/servers/osv/versions/1.1.0/diff?base=1.0.0",
    "/api/v1/servers/osv/tools",
    "/api/v1/servers/com.example/fetch/tools",
    "/api/v1/groups",
    "/api/v1/groups/tools",
    "/api/v1/tools",
    "/api/v1/tools/scan",
    "/api/v1/tools/fetch",
    "/api/v1/info",
    "/api/v1/export",
    "/v0.1/servers",
    "/v0.1/servers?version=latest",
    "/v0.1/servers/osv/versions",
    "/v0.1/servers/osv/versions/latest",
    "/v0.1/servers/osv/versions/1.0.0",
    "/openapi.json",
    "/openapi.yaml",
]


@pytest.mark.requirement("OPS-05")
async def test_every_answer_has_its_own_tag(client: Client) -> None:
    tags = {}
    for target in TAGGED:
        reply = await client.get(target)
        assert reply.status == 200, target
        assert reply.headers["etag"].startswith('W/"')
        tags[target] = reply.headers["etag"]
    assert len(set(tags.values())) == len(tags)


@pytest.mark.requirement("OPS-05")
@pytest.mark.parametrize("target", TAGGED)
async def test_who_has_the_answer_gets_no_second_one(client: Client, target: str) -> None:
    first = await client.get(target)
    tag = first.headers["etag"]
    for sent in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
        again = await client.get(target, if_none_match=sent)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["cache-control"] == first.headers["cache-control"]
        assert again.headers["vary"] == first.headers["vary"]
        assert "content-length" not in again.headers
    assert (await client.get(target, if_none_match='"other"')).status == 200


async def test_dates_count_only_without_tags(client: Client) -> None:
    first = await client.get("/api/v1/servers")
    modified = first.headers["last-modified"]
    assert modified == "Fri, 20 Nov 2026 10:00:01 GMT"
    assert (await client.get("/api/v1/servers", if_modified_since=modified)).status == 304
    assert (
        await client.get("/api/v1/servers", if_modified_since="Fri, 20 Nov 2026 10:00:00 GMT")
    ).status == 200
    assert (await client.get("/api/v1/servers", if_modified_since="nonsense")).status == 200
    both = {"if_modified_since": modified, "if_none_match": '"other"'}
    assert (await client.get("/api/v1/servers", **both)).status == 200


async def test_stars_change_the_tag_though_not_the_snapshot(tmp_path: Path) -> None:
    place = Place(tmp_path, World(an_entry("com.example/a", block={"metadata": {"stars": 1}})))
    await place.sync()
    client = place.client()
    first = await client.get("/api/v1/servers/com.example/a")
    place.world.put(an_entry("com.example/a", block={"metadata": {"stars": 2}}))
    await place.sync()
    second = await client.get("/api/v1/servers/com.example/a", if_none_match=first.headers["etag"])
    assert second.status == 200
    assert second.json["metadata"]["stars"] == 2


async def test_the_registry_itself_changes_the_tag(place: Place, client: Client) -> None:
    first = await client.get("/v0.1/servers")
    spec = place.served.registry.spec
    renamed = type(spec)(
        **{name: getattr(spec, name) for name in spec.__struct_fields__ if name != "display_name"},
        display_name="Other",
    )
    registry = place.served.registry
    place.served.describe(
        type(registry)(
            **{
                name: getattr(registry, name)
                for name in registry.__struct_fields__
                if name != "spec"
            },
            spec=renamed,
        )
    )
    second = await client.get("/v0.1/servers", if_none_match=first.headers["etag"])
    assert second.status == 200
    assert b'"displayName":"Other"' in second.body


@pytest.mark.requirement("OPS-05")
async def test_who_may_keep_an_answer(tmp_path: Path, client: Client) -> None:
    assert (await client.get("/v0.1/servers")).headers["cache-control"] == "private, no-cache"
    place = Place(tmp_path / "open", api={"anonymousRead": True})
    await place.sync()
    opened = place.client()
    reply = await opened.get("/v0.1/servers")
    assert reply.headers["cache-control"] == "public, max-age=10, stale-if-error=300"
    reply = await opened.get("/v0.1/servers", authorization="Bearer x")
    assert reply.headers["cache-control"] == "private, no-cache"


VALUES = {
    "limit": ["1", "2", "1000"],
    "category": ["web", "security"],
    "transport": ["stdio", "sse"],
    "tier": ["Official", "Community"],
    "status": ["Active", "Deprecated"],
    "tags": ["web", "security"],
    "tools": ["scan", "fetch"],
    "labelSelector": ["tier", "!tier", "tier=Official"],
    "search": ["scan", "fetch", '"scan"'],
    "kind": ["remote", "container"],
    "trust_level": ["raw", "tested"],
    "group": ["tools", "others"],
    "updated_since": ["2026-01-01T00:00:00Z", "2026-11-03T00:00:00Z"],
    "version": ["latest", "all", "1.0.0"],
    "include_registry_info": ["true", "false"],
    "format": ["toolhive", "upstream"],
    "sort": ["name", "-name", "stars"],
    "registry": ["corp", "other"],
}
DEFAULTS = {
    "limit": "1000",
    "version": "latest",
    "include_registry_info": "true",
    "format": "toolhive",
    "sort": "name",
}

queries = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in VALUES.items()}
)


@pytest.mark.requirement("OPS-05")
@settings(max_examples=150, deadline=None)
@given(first=queries, second=queries)
def test_other_parameters_make_another_variant(
    first: dict[str, str], second: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    same = _resolved(first) == _resolved(second)
    tags = _tags(tmp_path_factory, first, second)
    assert (tags[0] == tags[1]) is same


def _resolved(query: dict[str, str]) -> dict[str, str]:
    defaults = {**DEFAULTS, "sort": "relevance"} if "search" in query else DEFAULTS
    return {**defaults, **query}


_PLACES: list[Client] = []


def _tags(factory: pytest.TempPathFactory, *queries_: dict[str, str]) -> list[str]:
    import asyncio  # noqa: PLC0415 # only here, where there is no loop yet
    from urllib.parse import urlencode  # noqa: PLC0415

    async def ask() -> list[str]:
        if not _PLACES:
            place = Place(factory.mktemp("variants") / "corp")
            await place.sync()
            _PLACES.append(place.client())
        return [
            (await _PLACES[0].get(f"/api/v1/servers?{urlencode(query)}")).headers["etag"]
            for query in queries_
        ]

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip", True),
        ("gzip, br", True),
        ("br", False),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.1, gzip;q=0.5", True),
        ("", False),
    ],
)
def test_who_takes_gzip(header: str, expected: bool) -> None:
    assert accepts_gzip(header) is expected


@pytest.mark.requirement("OPS-05")
async def test_large_answers_are_compressed(client: Client) -> None:
    plain = await client.get("/api/v1/servers")
    for _ in range(2):
        packed = await client.get("/api/v1/servers", accept_encoding="gzip")
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["etag"] == plain.headers["etag"]
        assert gzip.decompress(packed.body) == plain.body
    small = await client.get("/healthz", accept_encoding="gzip")
    assert "content-encoding" not in small.headers


LISTS = [
    "/api/v1/servers?limit=2",
    "/api/v1/servers?status=Active",
    "/api/v1/servers?limit=2&format=upstream",
    "/v0.1/servers?limit=2",
]


@pytest.mark.requirement("OPS-05")
@pytest.mark.parametrize("target", LISTS)
async def test_an_address_that_was_asked_before_is_answered_alike(
    client: Client, target: str
) -> None:
    first = await client.get(target)
    again = await client.get(target)
    assert again.body == first.body
    for reply in (first, again):
        del reply.headers["x-request-id"]
    assert again.headers == first.headers
    assert (await client.ask("HEAD", target)).headers["etag"] == first.headers["etag"]
    assert (await client.get(target, if_none_match=first.headers["etag"])).status == 304
    elsewhere = await Client(client.app, host="other.test").get(target)
    assert elsewhere.body == first.body
    assert "registry.test" not in elsewhere.headers.get("link", "")


@pytest.mark.requirement("OPS-05")
@pytest.mark.parametrize("target", LISTS)
async def test_an_address_that_was_asked_before_shows_what_changed(
    place: Place, client: Client, target: str
) -> None:
    first = await client.get(target)
    place.served.describe(registry("corp", displayName="Renamed"))
    renamed = await client.get(target)
    assert b'"Renamed"' in renamed.body
    place.world.put(an_entry("com.example/aaa"))
    await place.sync(delta=True)
    synced = await client.get(target)
    assert "com.example/aaa" in synced.names
    assert len({reply.headers["etag"] for reply in (first, renamed, synced)}) == 3
