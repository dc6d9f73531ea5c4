"""The page of a server: what it is, what it may do, who vouches for it, and what of that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser
from tests.stores.models.world import an_entry

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("GOV-14")]

OSV = "/servers/production/curated/osv-scanner"


def container(**block: Any) -> Any:
    """A container about which `block` is said."""
    package = {
        "registryType": "oci",
        "identifier": "ghcr.io/example/files:1.0.0",
        "transport": {"type": "stdio"},
    }
    return an_entry("io.github.stacklok/files", packages=[package], block=block)


async def shown(site: CatalogSite, browser: Browser, **block: Any) -> str:
    await site.put("main", container(**block))
    page = await browser.open("/servers/default/main/files")
    assert page.status == 200
    return page.text


async def test_everything_about_a_server(site: CatalogSite, browser: Browser) -> None:
    await site.put("curated", osv(), namespace="production", trustLevel="trusted")
    await site.put("team", osv("0.1.2"), namespace="staging", trustLevel="tested")
    page = await browser.open(OSV)
    assert page.title == "OSV Vulnerability Scanner · MCP catalog"
    sections = {"overview", "tools", "permissions", "provenance", "versions", "origins", "raw"}
    assert page.ids >= sections
    assert {f"#{each}" for each in sections} <= {place for _, place in page.links}
    for words in (
        "ghcr.io/stackloklabs/osv-mcp/server",
        "LOG_LEVEL Logging level no info",
        "vulnerability-scan",
        "May reach 1 host, and no other",
        "api.osv.dev",
        "Unsigned.",
        "staging/team Tested 0.1.2 differs Compare",
        "production/curated shown here Answers Trusted 0.1.3 the same",
    ):
        assert words in page.text, words
    assert page.place("This page as JSON") == (
        "/api/v1/servers/osv-scanner?registry=production%2Fcurated&version=latest"
    )
    assert "Deployments" not in page.text.partition("Overview Tools 3")[2]
    assert ("server", "production/curated/osv-scanner") in [
        (name, value) for _, name, value in page.form("/generate/add").buttons
    ]


async def test_each_version_has_its_page(site: CatalogSite, browser: Browser) -> None:
    old = osv("0.1.2", tools=["osv-query"])
    await site.put("curated", old, osv(), namespace="production", trustLevel="trusted")
    page = await browser.open(OSV)
    older = await browser.send(page.form(OSV), version="0.1.2")
    assert "This is not the latest version." in older.text
    assert "vulnerability-scan" not in older.text.partition("Permissions")[0]
    missing = await browser.open(f"{OSV}?version=9.9.9")
    assert missing.status == 404
    assert "There is no version 9.9.9" in missing.text


@pytest.mark.parametrize(
    ("permissions", "words"),
    [
        ({}, "Nothing is declared"),
        ({"network": {"outbound": {"insecure_allow_all": True}}}, "May reach any host"),
        ({"network": {"outbound": {"allow_port": [443]}}}, "May reach any host on port 443 (HTTPS)"),
        ({"network": {"outbound": {"allow_host": ["a.example", "b.example"]}}}, "May reach 2 hosts, and"),
        ({"read": ["/data"]}, "Reads files"),
        ({"write": ["/data"]}, "Writes files"),
        ({"network": {"outbound": {"allow_host": ["x"]}}}, "No files"),
        ({"read": ["/data"]}, "No network"),
        ({"privileged": True}, "Asks to be privileged"),
        ({"devices": ["/dev/kvm"]}, "Asks for more that has no words here"),
        ({"read": "all", "network": [1], "write": [3, "/x"]}, "Writes files"),
    ],
)  # fmt: skip
async def test_permissions_are_said_plainly(
    site: CatalogSite, browser: Browser, permissions: Any, words: str
) -> None:
    assert words in await shown(site, browser, permissions=permissions)


async def test_what_tools_do_is_said_where_it_is_declared(
    site: CatalogSite, browser: Browser
) -> None:
    definitions = [
        {"name": "look", "annotations": {"readOnlyHint": True, "destructiveHint": True}},
        {"name": "wipe", "annotations": {"destructiveHint": True, "idempotentHint": "yes"}},
        {"name": "odd", "description": "Unsure", "annotations": ["readOnlyHint"]},
        {"name": "bare"},
    ]
    text = await shown(site, browser, tool_definitions=definitions)
    assert "look No description. Reads only" in text
    assert "wipe No description. May destroy" in text
    assert "of 2 of 4 nothing is declared" in text
    assert "Of these only the names are known: bare" in text


async def test_deprecated_and_hidden_and_strange(site: CatalogSite, browser: Browser) -> None:
    entry = an_entry(
        "com.example/odd",
        status="deprecated",
        title="Odd\u202egnp",
        description="safe\U000e0041<script>alert(1)</script>",
        repository={"url": "javascript:alert(1)", "source": "github"},
    )
    await site.put("main", entry)
    page = await browser.open("/servers/default/main/com.example%2Fodd")
    assert "This version is deprecated." in page.text
    assert "characters that are not seen" in page.text
    assert "/description: U+E0041" in page.text
    assert "⟨U+202E⟩" in page.text
    assert "<script>alert" not in page.html
    assert not [place for _, place in page.links if place.startswith("javascript")]


async def test_a_server_that_runs_elsewhere(site: CatalogSite, browser: Browser) -> None:
    remote = [{"type": "streamable-http", "url": "https://mcp.example.com/mcp"}]
    await site.put("main", an_entry("com.example/far", packages=[], remotes=remote))
    page = await browser.open("/servers/default/main/com.example/far")  # also with its slash
    assert "Runs somewhere else" in page.text
    assert page.place("https://mcp.example.com/mcp") == "https://mcp.example.com/mcp"


async def test_nobody_finds_what_is_not_there(site: CatalogSite, browser: Browser) -> None:
    await site.put("main", container())
    for place in ("/servers/default/main/nope", "/servers/other/main/files"):
        assert (await browser.open(place)).status == 404


async def test_the_largest_entry_fits_a_page(site: CatalogSite, browser: Browser) -> None:
    properties = {f"p{n}": {"type": "string", "description": f"{n} " * 40} for n in range(60)}
    schema = {"type": "object", "properties": properties}
    definitions = [{"name": f"t{n}", "inputSchema": schema} for n in range(150)]
    versions = [container(tool_definitions=definitions)]
    await site.put("main", *versions)
    page = await browser.open("/servers/default/main/files")
    assert "40 parameters and more" in page.text
    assert int(page.headers["content-length"]) < 60_000
