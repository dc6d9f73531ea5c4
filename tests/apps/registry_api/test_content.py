"""What the answers of R1 to R13 hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.apps.registry_api.asking import Client
from tests.apps.registry_api.places import Place
from tests.stores.models.world import World, an_entry
from thv.formats.documents import DocumentReader, Found

pytestmark = pytest.mark.anyio

KEYS = [
    "com.example/fetch",
    "com.example/old",
    "com.example/plain",
    "io.github.x/B-server",
    "io.github.x/versions",
    "osv",
]
UPSTREAM = "application/json; format=upstream"


@pytest.mark.requirement("API-02", "API-04")
async def test_servers_in_the_toolhive_format(client: Client) -> None:
    reply = await client.get("/api/v1/servers")
    assert reply.names == KEYS
    assert reply.headers["content-type"] == "application/json; format=toolhive"
    assert reply.json["metadata"] == {"total_count": 6, "filtered_count": 6, "count": 6}
    osv = reply.json["servers"][-1]
    assert osv["image"] == "ghcr.io/x/osv:1.1.0"
    assert osv["tools"] == ["scan", "report"]
    assert osv["registry_info"] == {
        "namespace": "default",
        "name": "corp",
        "display_name": "corp",
        "trust_level": "raw",
        "snapshot": reply.headers["x-snapshot"],
        "synced_at": "2026-11-20T10:30:00.000Z",
        "version": "1.1.0",
        "is_latest": True,
        "versions_count": 2,
        "digest": osv["registry_info"]["digest"],
        "published_at": "2026-11-01T08:00:00Z",
        "updated_at": "2026-11-05T08:00:00Z",
        "origin": None,
        "approval": None,
    }
    assert reply.json["servers"][0]["url"] == "https://mcp.example.com/mcp"


@pytest.mark.requirement("API-02", "API-04")
@pytest.mark.parametrize("how", ["accept", "query"])
async def test_servers_in_the_official_format(client: Client, how: str) -> None:
    if how == "accept":
        reply = await client.get("/api/v1/servers?limit=2", accept=UPSTREAM)
    else:
        reply = await client.get(
            "/api/v1/servers?limit=2&format=upstream", accept="application/json; format=toolhive"
        )
    assert reply.headers["content-type"] == UPSTREAM
    assert reply.names == ["com.example/fetch", "com.example/old"]
    assert set(reply.json["metadata"]) == {"count", "nextCursor"}
    meta = reply.json["servers"][0]["_meta"]
    assert meta["io.modelcontextprotocol.registry/official"] == {
        "status": "active",
        "statusChangedAt": "2026-11-01T08:00:00Z",
        "publishedAt": "2026-11-01T08:00:00Z",
        "updatedAt": "2026-11-02T08:00:00Z",
        "isLatest": True,
    }
    own = meta["io.stacklok.toolhive/registry"]
    assert (own["namespace"], own["name"], own["trustLevel"]) == ("default", "corp", "raw")
    assert (own["category"], own["functionalCategory"], own["tools"]) == (
        "community",
        "web",
        ["fetch", "scan"],
    )


@pytest.mark.requirement("API-04")
@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "toolhive"),
        ("*/*", "toolhive"),
        ("application/*", "toolhive"),
        ("application/json", "toolhive"),
        ("application/json; FORMAT=upstream", "upstream"),
        ("application/json;format=upstream;q=0.5, application/json;q=0.4", "upstream"),
        ("application/json;format=upstream;q=0.5, application/json", "toolhive"),
        ("application/json;format=toolhive, application/json;format=upstream", "toolhive"),
        ("text/html, */*;q=0.1", "toolhive"),
        ("application/json;format=toolhive;q=0, */*", "upstream"),
    ],
)
async def test_the_accept_header_chooses(client: Client, accept: str, form: str) -> None:
    headers = {"accept": accept} if accept else {}
    reply = await client.get("/api/v1/servers/osv", **headers)
    assert reply.headers["content-type"] == f"application/json; format={form}"


@pytest.mark.parametrize(
    "accept", ["application/json;q=0", "text/html", "application/json; format=Upstream", "image/*"]
)
async def test_what_nobody_can_serve_is_not_acceptable(client: Client, accept: str) -> None:
    assert (await client.get("/api/v1/servers", accept=accept)).status == 406
    assert (await client.get("/v0.1/servers", accept=accept)).status == 200


@pytest.mark.requirement("API-02")
@pytest.mark.parametrize(
    "name",
    ["osv", "io.github.stacklok/osv", "io.github.stacklok%2Fosv", "io.github.stacklok%2fosv"],
)
@pytest.mark.parametrize("form", ["toolhive", "upstream"])
async def test_one_server_by_either_name(client: Client, name: str, form: str) -> None:
    reply = await client.get(f"/api/v1/servers/{name}?format={form}")
    body = reply.json if form == "toolhive" else reply.json["server"]
    assert body["name"] == ("osv" if form == "toolhive" else "io.github.stacklok/osv")


async def test_another_version_of_a_server(client: Client) -> None:
    for target in ("/api/v1/servers/osv?version=1.0.0", "/api/v1/servers/osv/versions/1.0.0"):
        body = (await client.get(target)).json
        assert (body["name"], body["image"]) == ("osv", "ghcr.io/x/osv:1.0.0")
        info = body["registry_info"]
        assert (info["version"], info["is_latest"], info["versions_count"]) == ("1.0.0", False, 2)
        official = (
            await client.get(target + ("&" if "?" in target else "?") + "format=upstream")
        ).json
        assert official["server"]["version"] == "1.0.0"
    latest = (await client.get("/api/v1/servers/osv/versions/latest")).json
    assert latest == (await client.get("/api/v1/servers/osv")).json


async def test_registry_info_can_be_left_out(client: Client) -> None:
    whole = (await client.get("/api/v1/servers")).json["servers"]
    bare = (await client.get("/api/v1/servers?include_registry_info=false")).json["servers"]
    assert bare == [
        {key: value for key, value in each.items() if key != "registry_info"} for each in whole
    ]
    for target in ("/api/v1/servers/osv", "/api/v1/servers/osv/versions/1.0.0"):
        body = (await client.get(f"{target}?include_registry_info=false")).json
        assert "registry_info" not in body
        assert body["name"] == "osv"


async def test_every_version_as_a_list(client: Client) -> None:
    reply = await client.get("/api/v1/servers?version=all")
    assert len(reply.names) == 7
    assert reply.json["metadata"]["total_count"] == 7
    assert [
        each["registry_info"]["version"] for each in reply.json["servers"] if each["name"] == "osv"
    ] == ["1.0.0", "1.1.0"]
    one = await client.get("/api/v1/servers?version=1.0.0&format=upstream")
    assert one.names == [
        "com.example/old",
        "io.github.stacklok/osv",
        "io.github.x/B-server",
        "io.github.x/versions",
    ]
    assert (await client.get("/api/v1/servers?version=all&tier=official&search=scan")).json[
        "metadata"
    ]["filtered_count"] == 2


@pytest.mark.requirement("API-03", "SRV-03")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("registry=corp&category=security&transport=stdio&labelSelector=tier=Official", ["osv"]),
        ("registry=default/corp", KEYS),
        ("registry=elsewhere", []),
        ("category=web", ["com.example/fetch"]),
        ("category=web,Security", ["com.example/fetch", "osv"]),
        ("category=web&category=security", ["com.example/fetch", "osv"]),
        ("transport=streamable-http", ["com.example/fetch"]),
        ("tier=OFFICIAL", ["osv"]),
        ("tier=Unheard", []),
        ("status=deprecated", ["com.example/old"]),
        ("tags=security,SCANNING", ["osv"]),
        ("tags=security,web", []),
        ("tools=scan", ["com.example/fetch", "osv"]),
        ("tools=scan,report", ["osv"]),
        ("tools=Scan", []),
        ("kind=remote", ["com.example/fetch"]),
        ("kind=container", ["osv"]),
        ("trust_level=raw", KEYS),
        ("trust_level=trusted", []),
        ("group=tools", ["io.github.x/B-server", "io.github.x/versions"]),
        ("labelSelector=team%3Dblue", ["osv"]),
        ("labelSelector=toolhive.stacklok.io/category+in+(web,security),team", ["osv"]),
        ("labelSelector=!team,tier", ["com.example/fetch"]),
        ("search=scan", ["osv", "com.example/fetch"]),
        ("search=fetch", ["com.example/fetch"]),
        ("search=OSV", ["osv"]),
        ("search=io.github.stacklok%2Fosv", ["osv"]),
        ("search=example+pla", ["com.example/plain"]),
        (
            "search=%22what+com%22&sort=name",
            ["com.example/fetch", "com.example/old", "com.example/plain"],
        ),
        ("search=%C3%BCn%C3%AF", ["io.github.x/B-server"]),
        ("search=!!!", []),
        ("updated_since=2026-11-02T08:00:00Z", ["osv"]),
        ("sort=-stars&limit=1", ["osv"]),
        ("sort=-name&limit=2", ["osv", "io.github.x/versions"]),
        ("sort=-updated&limit=1", ["osv"]),
        ("search=scan&rank=bm25", None),
    ],
)
async def test_queries(client: Client, query: str, names: list[str] | None) -> None:
    for form in ("toolhive", "upstream"):
        reply = await client.get(f"/api/v1/servers?{query}&format={form}")
        found = [name.removeprefix("io.github.stacklok/") for name in reply.names]
        if names is None:
            assert sorted(found) == ["com.example/fetch", "osv"]
        elif form == "upstream" and "limit" in query:
            assert len(found) == len(names)
        else:
            assert sorted(found) == sorted(names) if form == "upstream" else found == names


async def test_pages_link_to_each_other(client: Client) -> None:
    found: list[str] = []
    target = "/api/v1/servers?limit=4&status=Active,Deprecated"
    while target:
        reply = await client.get(target)
        found += reply.names
        link = reply.headers.get("link", "")
        assert ("next_cursor" in reply.json["metadata"]) is bool(link)
        target = link.partition(">")[0].removeprefix("<http://registry.test")
    assert found == KEYS


async def test_the_versions_of_a_server(client: Client) -> None:
    body = (await client.get("/api/v1/servers/osv/versions")).json
    assert [each["version"] for each in body["versions"]] == ["1.1.0", "1.0.0"]
    assert body["versions"][0]["is_latest"] is True
    assert body["versions"][0]["trust_level"] == "raw"
    assert body["metadata"]["total_count"] == 2
    first = (await client.get("/api/v1/servers/osv/versions?limit=1&sort=version")).json
    assert first["versions"][0]["version"] == "1.0.0"
    cursor = first["metadata"]["next_cursor"]
    second = (
        await client.get(f"/api/v1/servers/osv/versions?limit=1&sort=version&cursor={cursor}")
    ).json
    assert second["versions"][0]["version"] == "1.1.0"
    assert "next_cursor" not in second["metadata"]
    official = await client.get("/api/v1/servers/osv/versions?format=upstream")
    assert [item["server"]["version"] for item in official.json["servers"]] == ["1.1.0", "1.0.0"]


async def test_what_changed_between_versions(client: Client) -> None:
    body = (await client.get("/api/v1/servers/osv/versions/1.1.0/diff?base=1.0.0")).json
    assert body["summary"] == {
        "tools_added": ["report"],
        "tools_removed": [],
        "tools_changed": [],
        "permissions": ["/permissions/network"],
        "image_changed": True,
        "env_vars": [],
        "risk": "high",
    }
    paths = [change["path"] for change in body["changes"]]
    assert "/title" in paths
    assert "/metadata/stars" not in paths
    same = (await client.get("/api/v1/servers/osv/versions/latest/diff?base=1.1.0")).json
    assert (same["changes"], same["summary"]["risk"]) == ([], "low")


async def test_the_tools_of_a_server(client: Client) -> None:
    body = (await client.get("/api/v1/servers/osv/tools")).json
    assert body["tools"][0] == {
        "name": "scan",
        "description": "Scans",
        "input_schema": {"type": "object"},
        "output_schema": None,
        "annotations": None,
    }
    assert (body["version"], body["metadata"]) == ("1.1.0", {"count": 2})
    assert (await client.get("/api/v1/servers/com.example/plain/tools")).json["tools"] == []


@pytest.mark.requirement("API-02")
async def test_groups(client: Client) -> None:
    body = (await client.get("/api/v1/groups")).json
    assert body["groups"] == [
        {
            "name": "tools",
            "description": "the tools",
            "servers": ["io.github.x/B-server", "io.github.x/versions"],
            "remote_servers": [],
            "server_count": 2,
        }
    ]
    one = (await client.get("/api/v1/groups/tools")).json
    assert [each["name"] for each in one["servers"]] == body["groups"][0]["servers"]
    assert one["servers"][0]["registry_info"]["name"] == "corp"
    official = (await client.get("/api/v1/groups/tools?format=upstream")).json
    assert official["servers"][0]["server"]["name"] == "io.github.x/B-server"
    text = (await client.get("/api/v1/servers?version=all&format=upstream")).body
    assert b"io.stacklok.toolhive/groups" not in text


@pytest.mark.requirement("API-02")
async def test_tools(client: Client) -> None:
    body = (await client.get("/api/v1/tools")).json
    assert [(each["name"], each["usage_count"], each["servers"]) for each in body["tools"]] == [
        ("fetch", 1, ["com.example/fetch"]),
        ("report", 1, ["osv"]),
        ("scan", 2, ["com.example/fetch", "osv"]),
    ]
    assert body["categories"] == {"security": 1, "web": 2} or body["categories"] == {
        "security": 2,
        "web": 1,
    }
    assert body["metadata"] == {"total_count": 3, "filtered_count": 3, "count": 3}
    most = (await client.get("/api/v1/tools?sort=-usage&limit=1")).json
    assert most["tools"][0]["name"] == "scan"
    cursor = most["metadata"]["next_cursor"]
    rest = (await client.get(f"/api/v1/tools?sort=-usage&cursor={cursor}")).json
    assert [each["name"] for each in rest["tools"]] == ["fetch", "report"]
    assert [t["name"] for t in (await client.get("/api/v1/tools?search=sca")).json["tools"]] == [
        "scan"
    ]
    assert (await client.get("/api/v1/tools?registry=other")).json["tools"] == []
    one = (await client.get("/api/v1/tools/scan")).json
    assert [each["name"] for each in one["servers"]] == ["com.example/fetch", "osv"]
    assert one["servers"][1] == {
        "name": "osv",
        "version": "1.1.0",
        "description": "what io.github.stacklok/osv does",
    }


async def test_tools_follow_the_content(place: Place, client: Client) -> None:
    place.world.put(an_entry("com.example/more", block={"tools": ["scan", "other"]}))
    place.world.forget(("com.example/fetch", "0.2.0"))
    await place.sync(delta=True)
    body = (await client.get("/api/v1/tools")).json
    assert [(each["name"], each["servers"]) for each in body["tools"]] == [
        ("other", ["com.example/more"]),
        ("report", ["osv"]),
        ("scan", ["com.example/more", "osv"]),
    ]


async def test_info(client: Client) -> None:
    body = (await client.get("/api/v1/info")).json
    assert (body["namespace"], body["name"], body["trust_level"]) == ("default", "corp", "raw")
    assert body["source"] == {"type": "url", "host": "example.com"}
    assert (body["snapshot"]["servers"], body["snapshot"]["versions"]) == (6, 7)
    assert body["formats"] == ["toolhive", "upstream"]
    assert "attribution" not in body


async def test_data_of_the_official_registry_is_attributed(tmp_path: Path) -> None:
    source = {"type": "registry", "registry": {"url": "https://registry.modelcontextprotocol.io"}}
    place = Place(tmp_path, source=source)
    await place.sync()
    client = place.client()
    body = (await client.get("/api/v1/info")).json
    assert body["attribution"]["url"] == "https://registry.modelcontextprotocol.io"
    document = (await client.get("/openapi.json")).json
    assert "Official MCP Registry" in document["info"]["description"]


async def test_health(place: Place, client: Client) -> None:
    body = (await client.get("/api/v1/health")).json
    assert (body["status"], body["registry"]) == ("ok", "default/corp")
    place.served.trouble = "chunk is damaged"
    assert (await client.get("/api/v1/health")).json["status"] == "degraded"


@pytest.mark.parametrize("form", ["toolhive", "upstream"])
async def test_an_export_reads_back_as_what_it_was(client: Client, form: str) -> None:
    reply = await client.get(f"/api/v1/export?format={form}")
    assert reply.headers["content-disposition"] == f'attachment; filename="corp.{form}.json"'
    reader = DocumentReader()
    items = [*reader.feed(reply.body), *reader.close()]
    entries = {(item.entry.name, item.entry.version) for item in items if isinstance(item, Found)}
    expected = 6 if form == "toolhive" else 7
    assert (
        len(entries) == expected == len(items) - (2 if form == "toolhive" and len(items) > 6 else 0)
    )
    written = await client.get(f"/api/v1/export?format={form}", accept="application/yaml")
    assert written.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(written.body) == json.loads(reply.body)


async def test_losses_name_what_a_document_cannot_hold(client: Client) -> None:
    reply = await client.get("/api/v1/export")
    target = reply.headers["link"].partition(">")[0].removeprefix("<")
    losses = (await client.get(target)).json["losses"]
    assert [(loss["name"], loss["version"]) for loss in losses] == [
        ("io.github.stacklok/osv", "1.0.0")
    ]
    assert (await client.get("/api/v1/export/losses?format=upstream")).json == {"losses": []}


async def test_changes_since_a_token(place: Place, client: Client) -> None:
    first = (await client.get("/api/v1/changes")).json
    assert first["changes"] == []
    same = (await client.get(f"/api/v1/changes?since={first['since']}")).json
    assert same == {"changes": [], "since": first["since"], "more": False}
    place.world.put(an_entry("com.example/new"))
    await place.sync(delta=True)
    second = (await client.get(f"/api/v1/changes?since={first['since']}")).json
    assert [(each["type"], each["name"]) for each in second["changes"]] == [
        ("added", "com.example/new")
    ]
    assert (await client.get(f"/api/v1/changes?since={second['since']}")).json["changes"] == []
    partial = (await client.get(f"/api/v1/changes?since={first['since']}.1")).json
    assert partial["changes"] == []


async def test_many_changes_come_in_parts(tmp_path: Path) -> None:
    place = Place(tmp_path, World(an_entry("com.example/a")))
    await place.sync()
    client = place.client()
    token = (await client.get("/api/v1/changes")).json["since"]
    place.world.put(*(an_entry(f"com.example/n{number:04}") for number in range(1001)))
    await place.sync(delta=True)
    first = (await client.get(f"/api/v1/changes?since={token}")).json
    assert (len(first["changes"]), first["more"]) == (1000, True)
    second = (await client.get(f"/api/v1/changes?since={first['since']}")).json
    assert (len(second["changes"]), second["more"]) == (1, False)


async def test_a_page_ends_at_four_megabytes(tmp_path: Path) -> None:
    text = "x" * 1_000_000
    place = Place(
        tmp_path, World(*(an_entry(f"com.example/{n}", block={"custom": text}) for n in "abcdefgh"))
    )
    await place.sync()
    client = place.client()
    for target, key in (
        ("/api/v1/servers?limit=100", "next_cursor"),
        ("/v0.1/servers?limit=100", "nextCursor"),
    ):
        names: list[str] = []
        address = target
        while address:
            reply = await client.get(address)
            assert len(reply.body) < 5_000_000
            names += reply.names
            cursor = reply.json["metadata"].get(key)
            address = f"{target}&cursor={cursor}" if cursor else ""
        assert names == [f"com.example/{n}" for n in "abcdefgh"]


SECRET = "hunter2-canary"
SECRETIVE = {
    "url": {
        "type": "url",
        "url": {
            "url": f"https://user:{SECRET}@example.com/r.json?key={SECRET}",
            "headers": {"X-Team": SECRET},
            "headersSecret": {"name": SECRET},
        },
    },
    "git": {
        "type": "git",
        "git": {
            "repository": f"https://user:{SECRET}@example.com/r.git",
            "path": "r.json",
            "authSecret": {"name": SECRET},
        },
    },
}


@pytest.mark.requirement("OPS-07")
@pytest.mark.parametrize("source", SECRETIVE.values(), ids=SECRETIVE)
async def test_nothing_of_a_credential_is_told(tmp_path: Path, source: dict[str, str]) -> None:
    place = Place(tmp_path / "corp", source=source)
    client = place.client()
    early = [await client.get("/api/v1/servers"), await client.get("/api/v1/health")]
    await place.sync()
    targets = ("info", "health", "servers", "export", "changes", "groups", "tools")
    late = [await client.get(f"/api/v1/{target}") for target in targets]
    assert [reply.status for reply in late] == [200] * len(targets)
    for reply in (*early, *late):
        assert SECRET.encode() not in reply.body
        assert SECRET not in str(reply.headers)
    assert b"example.com" in late[0].body
