"""What real clients do: editors, the ToolHive command line, its registry server, followers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.registry_api.asking import Client
from tests.apps.registry_api.places import Place
from tests.stores.models.world import World, an_entry

pytestmark = pytest.mark.anyio

LIVE = [
    "com.example/fetch",
    "com.example/old",
    "com.example/plain",
    "io.github.stacklok/osv",
    "io.github.x/B-server",
    "io.github.x/versions",
]


async def walked(client: Client, target: str) -> list[str]:
    """Follows the cursors of the official API to the end."""
    names: list[str] = []
    address = target
    while True:
        reply = await client.get(address)
        names += reply.names
        cursor = reply.json["metadata"].get("nextCursor")
        if cursor is None:
            return names
        assert reply.names, "a page before the last one is never empty"
        address = f"{target}&cursor={cursor}"


@pytest.mark.requirement("API-06")
async def test_an_editor_asks_three_things(client: Client) -> None:
    preflight = await client.ask(
        "OPTIONS",
        "/v0.1/servers",
        origin="vscode-webview://1",
        access_control_request_method="GET",
        access_control_request_headers="authorization,content-type",
    )
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-max-age"] == "86400"
    assert preflight.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert (
        preflight.headers["access-control-allow-headers"]
        == "Authorization, Content-Type, If-None-Match, X-Request-Id"
    )
    assert "access-control-allow-credentials" not in preflight.headers
    probe = await client.get("/v0.1/servers?limit=1", origin="vscode-webview://1")
    assert probe.headers["access-control-allow-origin"] == "*"
    assert (
        probe.headers["access-control-expose-headers"]
        == "ETag, Link, Retry-After, X-Request-Id, X-Snapshot"
    )
    assert probe.headers["cross-origin-resource-policy"] == "cross-origin"
    listed = await walked(client, "/v0.1/servers?limit=50&version=latest")
    assert listed == LIVE
    detail = await client.get("/v0.1/servers/io.github.stacklok%2Fosv/versions/latest")
    assert detail.json["server"]["version"] == "1.1.0"
    exact = await client.get("/v0.1/servers/com.example%2Fplain/versions/2.0.0%2Bbuild.1")
    assert exact.json["server"]["version"] == "2.0.0+build.1"
    missing = await client.get(
        "/v0.1/servers/no%2Fone/versions/latest", origin="vscode-webview://1"
    )
    assert (missing.status, missing.json["error"]) == (404, "Server not found")
    assert missing.headers["access-control-allow-origin"] == "*"


@pytest.mark.requirement("API-06")
async def test_the_toolhive_command_line_walks_by_one_and_by_a_hundred(client: Client) -> None:
    assert await walked(client, "/v0.1/servers?limit=1&version=latest") == LIVE
    assert await walked(client, "/v0.1/servers?limit=100&version=latest") == LIVE
    reply = await client.get("/v0.1/servers?search=B-SERVER&version=latest")
    assert reply.names == ["io.github.x/B-server"]
    assert reply.headers["content-type"] == "application/json"


async def test_a_page_that_is_exactly_full_is_the_last_one(client: Client) -> None:
    reply = await client.get("/v0.1/servers?limit=6&version=latest")
    assert "nextCursor" not in reply.json["metadata"]


@pytest.mark.requirement("API-06")
async def test_the_registry_server_of_toolhive_checks_the_document_first(client: Client) -> None:
    for target in ("/openapi.yaml", "/v0.1/openapi.yaml", "/v0/openapi.yaml"):
        reply = await client.get(target, accept="application/json")
        assert reply.headers["content-type"] == "application/yaml"
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "etag" in reply.headers
    every = await walked(client, "/v0.1/servers?limit=100")
    assert every == [*LIVE[:3], "io.github.stacklok/osv", *LIVE[3:]]


async def test_an_old_client_asks_without_a_version(client: Client) -> None:
    reply = await client.get("/v0/servers/io.github.stacklok%2Fosv")
    assert reply.json["server"]["version"] == "1.1.0"
    assert (await client.get("/v0.1/servers/osv")).json["server"][
        "name"
    ] == "io.github.stacklok/osv"


@pytest.mark.requirement("API-06")
async def test_a_follower_of_the_official_api_sees_what_went(place: Place, client: Client) -> None:
    since = "updated_since=2026-11-04T00:00:00Z"
    reply = await client.get(f"/v0.1/servers?{since}")
    status = {
        item["server"]["name"]: item["_meta"]["io.modelcontextprotocol.registry/official"]["status"]
        for item in reply.json["servers"]
    }
    assert status == {"com.example/gone": "deleted", "io.github.stacklok/osv": "active"}
    place.world.put(an_entry("com.example/new", updated="2026-11-25T00:00:00Z"))
    await place.sync(delta=True)
    reply = await client.get("/v0.1/servers?updated_since=2026-11-24T23:59:59.999Z")
    assert reply.names == ["com.example/new"]
    reply = await client.get("/v0.1/servers?updated_since=2026-11-25T01:00:00%2B01:00")
    assert reply.names == []


@pytest.mark.requirement("API-06")
async def test_a_follower_sees_what_the_registry_learned_late(place: Place, client: Client) -> None:
    place.world.put(an_entry("com.example/late", updated="2020-01-01T00:00:00Z"))
    place.world.changed["com.example/late", "1.0.0"] = "2026-11-25T00:00:00Z"
    await place.sync(delta=True)
    for target in ("/v0.1/servers", "/v0.1/servers?version=latest", "/api/v1/servers"):
        sign = "&" if "?" in target else "?"
        reply = await client.get(f"{target}{sign}updated_since=2026-11-24T23:59:59Z")
        assert reply.names == ["com.example/late"]
        reply = await client.get(f"{target}{sign}updated_since=2026-11-25T00:00:00Z")
        assert reply.names == []
    reply = await client.get("/api/v1/servers/com.example%2Flate")
    assert reply.json["registry_info"]["updated_at"] == "2020-01-01T00:00:00Z"


@pytest.mark.requirement("REG-05")
async def test_groups_are_handed_on_to_registries_that_read_us(client: Client) -> None:
    reply = await client.get("/v0.1/servers/io.github.x%2Fversions/versions/latest")
    assert "io.stacklok.toolhive/groups" not in reply.json["server"].get("_meta", {})
    (membership,) = reply.json["_meta"]["io.stacklok.toolhive/registry"]["groups"]
    assert membership["group"]["name"] == "tools"
    reply = await client.get("/v0.1/servers/com.example%2Fplain/versions/latest")
    assert "groups" not in reply.json["_meta"]["io.stacklok.toolhive/registry"]


async def test_a_position_survives_other_content(place: Place, client: Client) -> None:
    first = await client.get("/v0.1/servers?limit=2&version=latest")
    cursor = first.json["metadata"]["nextCursor"]
    place.world.put(an_entry("aaa/first"), an_entry("com.example/p"))
    place.world.forget(("com.example/plain", "2.0.0+build.1"))
    await place.sync(delta=True)
    second = await client.get(f"/v0.1/servers?limit=2&version=latest&cursor={cursor}")
    assert second.names == ["com.example/p", "io.github.stacklok/osv"]
    filtered = await client.get(f"/v0.1/servers?limit=2&search=example&cursor={cursor}")
    assert filtered.names == ["com.example/p"]


@pytest.mark.requirement("API-06")
async def test_versions_come_newest_first_by_the_order_of_versions(tmp_path: Path) -> None:
    versions = ["1.9.0", "1.10.0", "1.10.0-rc.1", "2.0.0", "nightly"]
    place = Place(tmp_path, World(*(an_entry("com.example/a", version) for version in versions)))
    await place.sync()
    reply = await place.client().get("/v0.1/servers/com.example%2Fa/versions")
    found = [item["server"]["version"] for item in reply.json["servers"]]
    assert found == ["2.0.0", "1.10.0", "1.10.0-rc.1", "1.9.0", "nightly"]
    assert reply.json["metadata"] == {"count": 5}
    listed = await place.client().get("/v0.1/servers")
    assert [item["server"]["version"] for item in listed.json["servers"]] == sorted(versions)


async def test_search_of_the_official_api_is_a_substring(client: Client) -> None:
    for text, names in (
        ("b-SERV", ["io.github.x/B-server"]),
        ("%C3%9CN%C3%8F", ["io.github.x/B-server"]),
        ("50%25_off", ["io.github.x/B-server"]),
        ("50%25", ["io.github.x/B-server"]),
        ("_off", ["io.github.x/B-server"]),
        ("x%25y", []),
        ("OSV", ["io.github.stacklok/osv"]),
    ):
        assert (await client.get(f"/v0.1/servers?version=latest&search={text}")).names == names


async def test_preflights_of_our_own_api_need_a_listed_origin(place: Place) -> None:
    client = place.client(cors_origins=frozenset({"https://portal.example"}))
    asked = {"origin": "https://portal.example", "access_control_request_method": "GET"}
    reply = await client.ask("OPTIONS", "/api/v1/servers", **asked)
    assert reply.status == 204
    assert reply.headers["access-control-allow-origin"] == "https://portal.example"
    assert reply.headers["access-control-max-age"] == "600"
    assert reply.headers["vary"].endswith(", Origin")
    reply = await client.get("/api/v1/servers", origin="https://portal.example")
    assert reply.headers["access-control-allow-origin"] == "https://portal.example"
    assert reply.headers["access-control-expose-headers"].startswith("ETag, Link")
    reply = await client.get("/api/v1/servers", origin="https://evil.example")
    assert "access-control-allow-origin" not in reply.headers
    asked["access_control_request_headers"] = "x-other"
    assert (await client.ask("OPTIONS", "/api/v1/servers", **asked)).status == 403


async def test_options_without_a_preflight_says_what_is_allowed(client: Client) -> None:
    reply = await client.ask("OPTIONS", "/v0.1/servers/a%2Fb/versions/1")
    assert (reply.status, reply.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_head_is_get_without_a_body(client: Client) -> None:
    for target in ("/api/v1/servers", "/v0.1/servers", "/api/v1/export", "/api/v1/servers/nope"):
        got, headed = await client.get(target), await client.ask("HEAD", target)
        left = {**got.headers, "x-request-id": ""}
        assert (headed.status, {**headed.headers, "x-request-id": ""}) == (got.status, left)


async def test_method_override_is_ignored(client: Client) -> None:
    reply = await client.get("/api/v1/servers", x_http_method_override="DELETE")
    assert reply.status == 200


async def test_request_ids_are_taken_over_or_made(client: Client) -> None:
    assert (await client.get("/healthz", x_request_id="a-1.B_2")).headers[
        "x-request-id"
    ] == "a-1.B_2"
    for given in ("a b", "x" * 65, "a\nb"):
        made = (await client.get("/healthz", x_request_id=given)).headers["x-request-id"]
        assert made != given
        assert len(made) == 36
        assert made[14] == "7"


@pytest.mark.requirement("API-06")
async def test_health_ping_and_version(client: Client) -> None:
    assert (await client.get("/v0.1/health")).json == {"status": "ok"}
    assert (await client.get("/v0/ping")).json == {"pong": True}
    assert set((await client.get("/v0.1/version")).json) == {"version", "git_commit", "build_time"}
    assert (await client.get("/version")).json["api"] == ["v1", "v0.1", "v0"]
    for target in ("/healthz", "/livez", "/health", "/readyz", "/readiness"):
        assert (await client.get(target)).json == {"status": "ok"}
