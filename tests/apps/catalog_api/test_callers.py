"""Each caller gets the catalog of the registries that it may list, and no name, count or tag of any other one."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from tests.apps.catalog_api.catalogs import Callers, CatalogSite, osv, rights
from tests.apps.registry_api.asking import Client, Reply
from tests.stores.models.world import an_entry
from thv.apps.catalog_api.settings import Settings
from thv.domain.access import Action
from thv.domain.permissions import LIST, READ
from thv.domain.resources import OLD_GROUP

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("CAT-09")]

SECRET = "com.secret/thing"  # the name of a server
READS = (
    "/api/v1/mcp_servers",
    "/api/v1/mcp_servers?duplicates=all&facets=true",
    "/api/v1/mcp_servers?search=secret+thing+scanner",
    "/api/v1/mcp_servers?format=toolhive",
    "/api/v1/mcp_servers?format=upstream",
    "/api/v1/servers/osv-scanner",
    "/api/v1/categories",
    "/api/v1/tools",
    "/api/v1/tools?search=secret",
    "/api/v1/tools/vulnerability-scan",
    "/api/v1/registries",
    "/api/v1/stats",
    "/api/v1/groups",
    "/v0.1/servers",
)


UNTAGGED = {"/api/v1/registries", "/api/v1/stats"}
"""Who is there and how they are is never kept by anybody."""


async def filled(site: CatalogSite) -> CatalogSite:
    """Two namespaces; the secret one has a better entry of what both have."""
    await site.put("shared", osv("0.1.0"), an_entry("com.example/plain"), namespace="team")
    block = {"tools": ["secret-tool", "vulnerability-scan"], "tags": ["secret-tag"]}
    await site.put(
        "vault",
        osv("6.6.6"),
        an_entry(SECRET, block={**block, "custom_metadata": {"category": "secret-category"}}),
        namespace="secret",
        trustLevel="trusted",
    )
    return site


async def asked(client: Client, token: str, path: str) -> Reply:
    return await client.get(path, authorization=f"Bearer {token}")


async def test_nothing_of_what_is_not_seen_is_told(site: CatalogSite) -> None:
    await filled(site)
    callers = Callers(outsider=("team",), insider=("",))
    client = site.client(site.guard(callers))
    for path in READS:
        reply = await asked(client, "outsider", path)
        assert reply.status == 200, path
        for word in (b"secret", b"vault", b"6.6.6"):
            assert word not in reply.body, (path, word)
        whole = await asked(client, "insider", path)
        if path not in UNTAGGED:
            assert whole.headers["etag"] != reply.headers["etag"], path
    assert (await asked(client, "outsider", "/api/v1/mcp_servers")).json["metadata"] == {
        "total_count": 2,
        "filtered_count": 2,
        "categories": {"validated": 0, "community": 2},
        "count": 2,
    }
    found = (await asked(client, "outsider", "/api/v1/servers/osv-scanner")).json
    assert (found["registry_info"]["name"], found["registry_info"]["also_in"]) == ("shared", [])
    best = (await asked(client, "insider", "/api/v1/servers/osv-scanner")).json["registry_info"]
    assert (best["name"], best["also_in"]) == ("vault", ["team/shared"])


async def test_what_may_not_be_seen_is_as_if_it_were_not_there(site: CatalogSite) -> None:
    await filled(site)
    client = site.client(site.guard(Callers(outsider=("team",))))
    for there, missing in (
        ("/api/v1/servers/com.secret%2Fthing", "/api/v1/servers/com.secret%2Fnothing"),
        ("/api/v1/servers/osv-scanner?version=6.6.6", "/api/v1/servers/osv-scanner?version=6.6.7"),
        ("/api/v1/servers/osv-scanner?registry=vault", "/api/v1/servers/osv-scanner?registry=gone"),
        ("/api/v1/tools/secret-tool", "/api/v1/tools/secret-none"),
        ("/api/v1/registries/secret", "/api/v1/registries/absent"),
        (
            "/api/v1/namespaces/secret/registries/vault",
            "/api/v1/namespaces/secret/registries/gone",
        ),
        (
            "/api/v1/registries/secret/status?registry=vault",
            "/api/v1/registries/absent/status?registry=gone",
        ),
    ):
        one, other = (
            await asked(client, "outsider", there),
            await asked(client, "outsider", missing),
        )
        assert (one.status, one.code) == (other.status, other.code), there
        assert one.status in (403, 404)
        assert _without_names(one) == _without_names(other), there


def _without_names(reply: Reply) -> Any:
    """An error but for what repeats the request."""
    text = reply.body.decode()
    details = reply.json["error"]["details"]
    for word in (details.pop("request_id"), str(details.get("value")), reply.json["instance"]):
        text = text.replace(word, "")
    for word in ("absent", "secret", "vault", "gone", "6.6.6", "6.6.7"):
        text = text.replace(word, "")
    return text


async def test_a_cursor_shows_nothing_that_its_holder_may_not_see(site: CatalogSite) -> None:
    await filled(site)
    client = site.client(site.guard(Callers(outsider=("team",), insider=("",))))
    first = await asked(client, "insider", "/api/v1/mcp_servers?limit=1&sort=-name")
    cursor = first.json["metadata"]["next_cursor"]
    path = f"/api/v1/mcp_servers?sort=-name&cursor={cursor}"
    rest = await asked(client, "outsider", path)
    assert rest.names == ["com.example/plain"]
    assert rest.json["metadata"]["changed"] is True


async def test_many_callers_at_once_get_their_own(site: CatalogSite) -> None:
    await filled(site)
    client = site.client(site.guard(Callers(outsider=("team",), insider=("",))))

    async def total(token: str) -> tuple[str, int]:
        reply = await asked(client, token, "/api/v1/mcp_servers?search=scanner")
        return token, reply.json["metadata"]["total_count"]

    found = await asyncio.gather(*(total(name) for name in ("outsider", "insider") * 50))
    assert set(found) == {("outsider", 2), ("insider", 3)}


async def test_without_a_token_only_what_everybody_may_read(site: CatalogSite) -> None:
    await filled(site)
    await site.put("open", an_entry("com.example/open"), api={"anonymousRead": True})
    client = site.client(site.guard(Callers()))
    reply = await client.get("/api/v1/mcp_servers")
    assert reply.names == ["com.example/open"]
    assert reply.headers["cache-control"].startswith("public")
    for path in (
        "/api/v1/registries",
        "/api/v1/stats",
        "/api/v1/groups",
        "/api/v1/registries/default",
        "/api/v1/namespaces/default/registries/open",
        "/api/v1/namespaces/default/registries/open/status",
    ):
        refused = await client.get(path)
        assert (refused.status, refused.code) == (401, "UNAUTHENTICATED"), path


async def test_the_administrator_may_close_the_catalog_to_strangers(site: CatalogSite) -> None:
    await filled(site)
    await site.put("open", an_entry("com.example/open"), api={"anonymousRead": True})
    callers = Callers(outsider=("team",))
    client = site.client(
        site.guard(callers, anonymous_read=False), settings=Settings(anonymous_read=False)
    )
    for path in ("/api/v1/mcp_servers", "/api/v1/servers/osv-scanner", "/v0.1/servers"):
        refused = await client.get(path)
        assert (refused.status, refused.code) == (401, "UNAUTHENTICATED"), path
        assert "www-authenticate" in refused.headers
    known = await asked(client, "outsider", "/api/v1/mcp_servers")
    assert known.names == ["com.example/open", "com.example/plain", "osv-scanner"]
    inside = await client.get("/r/default/open/api/v1/servers")
    assert inside.status == 200


async def test_a_bad_token_is_refused_everywhere(site: CatalogSite) -> None:
    await filled(site)
    client = site.client(site.guard(Callers()))
    for path in (*READS, "/api/v1/registries/team", "/api/v1/registries/Bad_NS"):
        reply = await asked(client, "garbage", path)
        assert reply.status == 401, path


async def test_a_right_in_a_namespace_opens_its_paths(site: CatalogSite) -> None:
    await filled(site)
    callers = Callers(reader=("team",))
    callers.allow("reader", *rights("shared", "team")[:1])
    client = site.client(site.guard(callers))
    listed = await asked(client, "reader", "/api/v1/registries/team")
    assert [each["name"] for each in listed.json["registries"]] == ["shared"]
    one = await asked(client, "reader", "/api/v1/namespaces/team/registries/shared")
    assert one.status == 200
    refused = await client.send(
        "POST",
        "/api/v1/namespaces/team/registries/shared/sync",
        {"authorization": "Bearer reader"},
    )
    assert (refused.status, refused.code) == (403, "NAMESPACE_ACCESS_DENIED")


async def test_rights_on_the_registries_of_toolhive_open_reading(site: CatalogSite) -> None:
    await filled(site)
    callers = Callers(documented=())
    old = [
        msgspec.structs.replace(each, group=OLD_GROUP)
        for each in (LIST.on("team"), READ.on("team", "shared"))
    ]
    callers.allow("documented", *old)
    client = site.client(site.guard(callers))
    assert (await asked(client, "documented", "/api/v1/mcp_servers")).names == [
        "com.example/plain",
        "osv-scanner",
    ]
    for path in (
        "/api/v1/registries/team",
        "/api/v1/namespaces/team/registries/shared",
        "/r/team/shared/v0.1/servers",
    ):
        assert (await asked(client, "documented", path)).status == 200, path


async def test_whoever_may_change_a_registry_may_have_it_synced(site: CatalogSite) -> None:
    await filled(site)
    callers = Callers(editor=())
    update = Action(verb="update", resource="mcpregistries", namespace="team", name="shared")
    callers.allow("editor", update)
    client = site.client(site.guard(callers))
    path = "/api/v1/namespaces/team/registries/shared/sync?wait=61"
    reply = await client.send("POST", path, {"authorization": "Bearer editor"})
    assert (reply.status, reply.field) == (400, "wait")
