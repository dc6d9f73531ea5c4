"""C1 to C5: the list and the pages of servers, field by field as the specification has them."""

from __future__ import annotations

import base64
import json
from typing import Any, get_args

import msgspec
import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.registry_api.places import group
from tests.stores.models.world import an_entry
from thv.apps.catalog_api import schemas
from thv.domain.reach import Reach

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("CAT-01", "CAT-02")]

REMOTE = [{"type": "streamable-http", "url": "https://mcp.example.com/mcp"}]


async def filled(site: CatalogSite) -> CatalogSite:
    """A trusted, a tested and a raw registry; `osv-scanner` is in two of them."""
    await site.put("curated", osv(), namespace="production", trustLevel="trusted")
    await site.put(
        "team",
        osv("0.1.2"),
        an_entry(
            "com.example/fetch",
            "2.0.0",
            packages=[],
            remotes=REMOTE,
            description="Fetch content from web URLs",
            block={
                "tags": ["web"],
                "tools": ["web-fetch"],
                "custom_metadata": {"category": "web", "team": "blue"},
            },
        ),
        namespace="staging",
        trustLevel="tested",
    )
    await site.put(
        "community",
        an_entry("com.example/plain", "1.0.0"),
        an_entry("com.example/plain", "1.1.0", **group("basics")),
        an_entry("com.example/old", "1.0.0", status="deprecated"),
        namespace="default",
    )
    return site


async def test_the_documented_response(site: CatalogSite) -> None:
    client = (await filled(site)).client()
    reply = await client.get("/api/v1/mcp_servers?category=validated")
    assert reply.status == 200
    (found,) = reply.json["servers"]
    info = found.pop("registry_info")
    digest = info.pop("digest")
    assert digest.startswith("sha256:")
    assert info == {
        "namespace": "production",
        "name": "curated",
        "trust_level": "trusted",
        "version": "0.1.3",
        "also_in": ["staging/team"],
    }
    assert found == {
        "name": "osv-scanner",
        "display_name": "OSV Vulnerability Scanner",
        "description": "Open Source Vulnerability scanner for security analysis",
        "category": "validated",
        "provider": "OSV",
        "image": "ghcr.io/stackloklabs/osv-mcp/server",
        "transport": "streamable-http",
        "target_port": 8080,
        "tools": [
            {"name": "vulnerability-scan", "description": "Scan for known vulnerabilities"},
            {"name": "security-analysis", "description": "Perform security analysis"},
            {"name": "osv-query", "description": "Query OSV database directly"},
        ],
        "tags": ["security", "vulnerability", "scanning", "osv"],
        "metadata": {
            "stars": 45,
            "pulls": 120,
            "last_updated": "2025-09-23T19:59:00Z",
            "repository_url": "https://github.com/stackloklabs/osv-mcp",
        },
        "deployment_config": {
            "recommended_resources": {
                "cpu": "100m",
                "memory": "128Mi",
                "cpu_limit": "500m",
                "memory_limit": "512Mi",
            },
            "security_profile": "network",
            "env_vars": [
                {
                    "name": "LOG_LEVEL",
                    "description": "Logging level",
                    "required": False,
                    "default": "info",
                }
            ],
        },
        "tier": "Community",
        "status": "Active",
        "version": "0.1.3",
        "reach": "named-hosts",
        "functional_category": "security",
        "air_gapped": {"dependencies": ["api.osv.dev"]},
    }
    assert reply.json["metadata"] == {
        "total_count": 4,
        "filtered_count": 1,
        "categories": {"validated": 1, "community": 3},
        "count": 1,
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["com.example/fetch", "com.example/old", "com.example/plain", "osv-scanner"]),
        ("category=validated", ["osv-scanner"]),
        ("category=community", ["com.example/fetch", "com.example/old", "com.example/plain"]),
        ("category=Community,validated&limit=1", ["com.example/fetch"]),
        ("tags=security,scanning", ["osv-scanner"]),
        ("tags=security,web", []),
        ("tools=vulnerability-scan", ["osv-scanner"]),
        ("tools=vulnerability-scan,web-fetch", []),
        ("search=osv", ["osv-scanner"]),
        ("search=fetching+urls", ["com.example/fetch"]),
        ("functional_category=web", ["com.example/fetch"]),
        ("tier=community&kind=container", ["osv-scanner"]),
        ("transport=streamable-http", ["com.example/fetch", "osv-scanner"]),
        ("status=Deprecated", ["com.example/old"]),
        ("trust_level=tested", ["com.example/fetch"]),
        ("kind=remote", ["com.example/fetch"]),
        ("reach=named-hosts", ["osv-scanner"]),
        ("reach=Remote,undeclared&limit=1", ["com.example/fetch"]),
        ("reach=any-host", []),
        ("labelSelector=team%3Dblue", ["com.example/fetch"]),
        ("labelSelector=registry-namespace%3Ddefault", ["com.example/old", "com.example/plain"]),
        ("labelSelector=registry-name!%3Dcommunity", ["com.example/fetch", "osv-scanner"]),
        ("registry=team", ["com.example/fetch", "osv-scanner"]),
        ("registry=staging/team,nowhere", ["com.example/fetch", "osv-scanner"]),
        ("registry=nowhere", []),
        ("namespace=production", ["osv-scanner"]),
        ("duplicates=all&search=osv", ["osv-scanner", "osv-scanner"]),
        ("signed=true", []),
        ("scan=unknown&category=validated", ["osv-scanner"]),
        ("scan=pass", []),
        (
            "sort=-name",
            ["osv-scanner", "com.example/plain", "com.example/old", "com.example/fetch"],
        ),
        ("sort=-trust&limit=2", ["osv-scanner", "com.example/fetch"]),
        ("sort=-stars&limit=1", ["osv-scanner"]),
    ],
)
async def test_each_parameter(site: CatalogSite, query: str, names: list[str]) -> None:
    client = (await filled(site)).client()
    reply = await client.get(f"/api/v1/mcp_servers?{query}")
    assert reply.status == 200, reply.body
    assert reply.names == names


def test_the_shapes_know_every_reach() -> None:
    assert get_args(schemas.Reach) == tuple(Reach)


async def test_both_spellings_are_one(site: CatalogSite) -> None:
    client = (await filled(site)).client()
    for one, other in (
        ("/api/v1/mcp_servers?limit=2", "/api/v1/servers?limit=2"),
        ("/api/v1/servers/osv-scanner", "/api/v1/mcp_servers/osv-scanner"),
    ):
        first, second = await client.get(one), await client.get(other)
        assert first.json["metadata"].get("total_count") == second.json["metadata"].get(
            "total_count"
        )
        assert first.headers["etag"] == second.headers["etag"]
        assert first.body == second.body
        canonical = first.headers["link"].split(",")[0]
        assert canonical == second.headers["link"].split(",")[0]
        assert canonical == f'<{one.partition("?")[0]}>; rel="canonical"'
        known = await client.get(other, if_none_match=first.headers["etag"])
        assert known.status == 304


async def test_pages_have_every_server_once_in_every_order(site: CatalogSite) -> None:
    client = (await filled(site)).client()
    for sort in ("name", "-name", "updated", "-stars", "pulls", "trust", "-trust"):
        for duplicates in ("collapse", "all"):
            path = f"/api/v1/mcp_servers?sort={sort}&duplicates={duplicates}"
            whole = (await client.get(path)).json["servers"]
            found, cursor = list[Any](), ""
            while True:
                page = (await client.get(f"{path}&limit=1{cursor}")).json
                found += page["servers"]
                assert "changed" not in page["metadata"]
                if "next_cursor" not in page["metadata"]:
                    break
                cursor = f"&cursor={page['metadata']['next_cursor']}"
            assert found == whole, (sort, duplicates)


async def test_a_list_that_changed_goes_on_and_says_so(site: CatalogSite) -> None:
    client = (await filled(site)).client()
    first = await client.get("/api/v1/mcp_servers?limit=2")
    cursor = first.json["metadata"]["next_cursor"]
    await site.put("more", an_entry("com.example/aaa"), an_entry("com.example/zzz"))
    rest = await client.get(f"/api/v1/mcp_servers?limit=9&cursor={cursor}")
    assert rest.names == ["com.example/plain", "com.example/zzz", "osv-scanner"]
    assert rest.json["metadata"]["changed"] is True
    other = await client.get(f"/api/v1/mcp_servers?tags=web&cursor={cursor}")
    assert (other.status, other.code) == (400, "INVALID_CURSOR")


async def test_some_members_and_the_values_of_attributes(site: CatalogSite) -> None:
    client = (await filled(site)).client()
    reply = await client.get("/api/v1/mcp_servers?fields=image,version&facets=true&tags=security")
    assert reply.json["servers"] == [
        {
            "name": "osv-scanner",
            "image": "ghcr.io/stackloklabs/osv-mcp/server",
            "version": "0.1.3",
        }
    ]
    facets = reply.json["metadata"]["facets"]
    assert facets["category"] == {"validated": 1}
    assert facets["registry"] == {"production/curated": 1, "staging/team": 1}
    assert facets["reach"] == {"named-hosts": 1}
    assert facets["tags"] == {"osv": 1, "scanning": 1, "security": 1, "vulnerability": 1}
    wrong = await client.get("/api/v1/mcp_servers?fields=picture")
    assert (wrong.status, wrong.field) == (400, "fields")


async def test_servers_as_their_registries_have_them(site: CatalogSite) -> None:
    client = (await filled(site)).client()
    toolhive = await client.get("/api/v1/mcp_servers?format=toolhive&category=validated")
    assert toolhive.headers["content-type"] == "application/json; format=toolhive"
    assert toolhive.json["servers"][0]["registry_info"]["snapshot"].startswith("sha256:")
    assert toolhive.json["metadata"]["categories"] == {"validated": 1, "community": 3}
    accept = "application/json; format=upstream"
    upstream = await client.get("/api/v1/servers?limit=1&search=osv", accept=accept)
    assert upstream.headers["content-type"] == accept
    assert upstream.json["servers"][0]["server"]["name"] == "io.github.stacklok/osv-scanner"
    assert upstream.json["metadata"] == {"count": 1}
    one = await client.get("/api/v1/servers/osv-scanner?format=toolhive")
    assert one.json == toolhive.json["servers"][0]


async def test_what_is_left_of_a_search_is_marked(site: CatalogSite) -> None:
    client = (await filled(site)).client()
    whole = await client.get("/api/v1/mcp_servers?search=vulnerability+scanner")
    assert "partial" not in whole.json["metadata"]
    request = "find+me+a+server+to+scan+for+vulnerabilities+in+cobol"
    part = await client.get(f"/api/v1/mcp_servers?search={request}")
    assert part.names == ["osv-scanner"]
    assert part.json["metadata"]["partial"] is True
    assert part.json["metadata"]["filtered_count"] == 1
    nothing = await client.get("/api/v1/mcp_servers?search=cobol")
    assert nothing.names == []


# ---------------------------------------------------------------- one server


async def test_one_server_in_full(site: CatalogSite) -> None:
    client = (await filled(site)).client()
    found = (await client.get("/api/v1/servers/osv-scanner")).json
    assert found["tools"][0] == {
        "name": "vulnerability-scan",
        "description": "Scan for known vulnerabilities",
        "input_schema": {"type": "object"},
    }
    assert found["permissions"] == {"network": {"outbound": {"allow_host": ["api.osv.dev"]}}}
    assert found["links"] == {
        "export": "/api/v1/mcp_servers/osv-scanner/export",
        "versions": "/api/v1/servers/osv-scanner/versions",
        "registry_api": "/r/production/curated/api/v1/servers/osv-scanner",
    }
    assert found["registry_info"]["also_in"] == ["staging/team"]
    listed = (await client.get("/api/v1/mcp_servers?search=osv")).json["servers"][0]
    for member in listed.keys() - {"tools"}:
        assert found[member] == listed[member], member
    plain = (await client.get("/api/v1/servers/com.example/plain")).json
    assert (plain["version"], plain["groups"]) == ("1.1.0", ["basics"])
    inside = await client.get(found["links"]["registry_api"])
    assert inside.json["name"] == "osv-scanner"


async def test_a_server_is_found_by_both_names_in_both_spellings_of_a_path(
    site: CatalogSite,
) -> None:
    client = (await filled(site)).client()
    bodies = {
        (await client.get(f"/api/v1/{collection}/{name}")).body
        for collection in ("servers", "mcp_servers")
        for name in (
            "osv-scanner",
            "io.github.stacklok/osv-scanner",
            "io.github.stacklok%2Fosv-scanner",
        )
    }
    assert len(bodies) == 1


async def test_registry_and_version_pin_the_entry(site: CatalogSite) -> None:
    client = (await filled(site)).client()
    for query, registry, version in (
        ("", "curated", "0.1.3"),
        ("?registry=team", "team", "0.1.2"),
        ("?registry=staging/team", "team", "0.1.2"),
        ("?version=0.1.2", "team", "0.1.2"),
        ("?version=latest", "curated", "0.1.3"),
    ):
        found = (await client.get(f"/api/v1/servers/osv-scanner{query}")).json["registry_info"]
        assert (found["name"], found["version"]) == (registry, version), query
    fourth = await client.get("/api/v1/servers/com.example%2Fplain/versions/1.0.0")
    assert fourth.json["version"] == "1.0.0"
    for path, code in (
        ("osv-scanner?registry=nowhere", "SERVER_NOT_FOUND"),
        ("osv-scanner?registry=community", "SERVER_NOT_FOUND"),
        ("osv-scanner?version=9.9.9", "VERSION_NOT_FOUND"),
        ("osv-scanner/versions/9.9.9", "VERSION_NOT_FOUND"),
        ("nope/versions", "SERVER_NOT_FOUND"),
    ):
        reply = await client.get(f"/api/v1/servers/{path}")
        assert (reply.status, reply.code) == (404, code), path


async def test_versions_and_what_differs(site: CatalogSite) -> None:
    client = (await filled(site)).client()
    versions = await client.get("/api/v1/servers/com.example%2Fplain/versions")
    assert [each["version"] for each in versions.json["versions"]] == ["1.1.0", "1.0.0"]
    path = "/api/v1/mcp_servers/osv-scanner/versions/0.1.3/diff"
    across = await client.get(f"{path}?base=0.1.2&base_registry=staging/team")
    assert across.json["base"]["version"] == "0.1.2"
    assert across.json["head"]["version"] == "0.1.3"
    missing = await client.get(path)
    assert (missing.status, missing.field) == (400, "base")


async def test_the_administrators_order_decides_between_equals(site: CatalogSite) -> None:
    await site.put("a", osv("1.0.0"))
    await site.put("b", osv("2.0.0"))
    client = site.client()
    found = (await client.get("/api/v1/servers/osv-scanner")).json["registry_info"]
    assert (found["name"], found["also_in"]) == ("a", ["default/b"])


async def test_a_search_remembers_nothing_of_another_filter(site: CatalogSite) -> None:
    signed = {"provenance": {"sigstore_url": "tuf-repo-cdn.sigstore.dev"}}
    await site.put(
        "team",
        an_entry("com.example/signed", description="mammoth alpha beta", block=signed),
        an_entry("com.example/plain", description="mammoth alpha"),
    )
    client = site.client()
    found = {
        wanted: await client.get(f"/api/v1/servers?search=mammoth+alpha+beta&signed={wanted}")
        for wanted in ("false", "true", "false")
    }
    names = {
        wanted: [each["name"] for each in reply.json["servers"]] for wanted, reply in found.items()
    }
    assert names == {"true": ["com.example/signed"], "false": ["com.example/plain"]}
    partial = {wanted: reply.json["metadata"].get("partial") for wanted, reply in found.items()}
    assert partial == {"true": None, "false": True}


async def test_the_tag_of_entries_tells_what_their_registry_says_of_itself(
    site: CatalogSite,
) -> None:
    place = await site.put("team", an_entry("com.example/one"))
    client, path = site.client(), "/api/v1/servers?format=toolhive"
    before = await client.get(path)
    registry = place.served.registry
    spec = msgspec.structs.replace(registry.spec, display_name="Another title")
    place.served.describe(msgspec.structs.replace(registry, spec=spec))
    after = await client.get(path, if_none_match=before.headers["etag"])
    assert after.status == 200
    assert after.json["servers"][0]["registry_info"]["display_name"] == "Another title"


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
async def test_a_cursor_with_a_number_that_no_column_has_is_refused(
    site: CatalogSite, number: int
) -> None:
    client = (await filled(site)).client()
    first = await client.get("/api/v1/servers?limit=1&sort=stars")
    parts = json.loads(base64.urlsafe_b64decode(first.json["metadata"]["next_cursor"] + "=="))
    parts[-1][0] = number
    forged = base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()
    reply = await client.get(f"/api/v1/servers?limit=1&sort=stars&cursor={forged}")
    assert (reply.status, reply.json["error"]["code"]) == (400, "INVALID_CURSOR")
