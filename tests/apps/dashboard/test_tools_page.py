"""The pages of tools and categories: what is offered, by whom, and how far that one is trusted."""

from __future__ import annotations

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser
from tests.stores.models.world import an_entry

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("GOV-14")]

SCHEMA = {
    "type": "object",
    "required": ["url"],
    "properties": {
        "url": {"type": "string", "description": "What to fetch"},
        "limit": {"type": ["integer", "null"], "default": 10},
        "kind": {"enum": ["text", "html"]},
        "within": {"$ref": "#/$defs/area"},
    },
    "$defs": {
        "area": {
            "type": "object",
            "properties": {"tags": {"type": "array", "items": {"type": "string"}}},
        }
    },
}


async def filled(site: CatalogSite) -> None:
    """`osv-scanner` is trusted and tested, `fetch` is raw."""
    await site.put("curated", osv(), namespace="production", trustLevel="trusted")
    block = {
        "tools": ["fetch-page", "osv-query"],
        "tool_definitions": [
            {"name": "fetch-page", "description": "Fetches a page", "inputSchema": SCHEMA}
        ],
        "custom_metadata": {"category": "web"},
    }
    await site.put("community", an_entry("com.example/fetch", block=block), namespace="default")


async def test_tools_are_found_by_what_they_do(site: CatalogSite, browser: Browser) -> None:
    await filled(site)
    page = await browser.open("/tools")
    assert page.status == 200
    assert "4 tools" in page.text
    assert page.place("osv-query") == "/tools/osv-query"
    assert page.html.index("osv-query") < page.html.index("fetch-page")  # two servers offer it
    assert "2 servers, most often for security: com.example/fetch, osv-scanner" in page.text
    assert "1 server, for web: com.example/fetch" in page.text
    named = await browser.open(page.place("com.example/fetch"))
    assert named.address == "/servers/default/community/com.example%2Ffetch"
    assert (await browser.open("/server/nothing")).status == 404
    narrow = await browser.send(page.form("/tools"), search="fetch")
    assert "1 of 4 tools" in narrow.text
    assert "Best match" in narrow.text
    assert 'value="web"' in narrow.html
    assert 'value="security"' not in narrow.html
    assert ("sort", "") in narrow.form("/tools").fields
    assert "Best match" not in page.text
    assert (await browser.open("/tools?sort=relevance")).status == 200
    web = await browser.open("/tools?category=web")
    assert web.place("Category: web") == "/tools"
    none = await browser.open("/tools?search=nothing-of-that-kind")
    assert none.place("Search servers") == "/servers?search=nothing-of-that-kind"


async def test_a_script_gets_the_part_that_changes(site: CatalogSite, browser: Browser) -> None:
    await filled(site)
    part = await browser.open("/tools?search=fetch", hx_request="true")
    assert part.ids >= {"results"}
    assert "<html" not in part.html


async def test_which_trusted_servers_have_a_tool(site: CatalogSite, browser: Browser) -> None:
    await filled(site)
    page = await browser.open("/tools/osv-query")
    assert page.place("osv-scanner") == "/servers/production/curated/osv-scanner"
    assert page.place("com.example/fetch") == "/servers/default/community/com.example%2Ffetch"
    trusted = await browser.open(page.place("Trusted 1"))
    assert "osv-scanner" in trusted.text
    assert "com.example/fetch" not in trusted.text
    raw = await browser.open("/tools/fetch-page")
    assert "No trusted registry has a server with this tool." in raw.text


async def test_what_a_tool_takes_is_said_in_words(site: CatalogSite, browser: Browser) -> None:
    await filled(site)
    text = (await browser.open("/tools/fetch-page")).text
    assert "url text yes What to fetch" in text
    assert "limit whole number or nothing no Default: 10" in text
    assert "kind one of: text, html no" in text
    assert text.index("url text yes") < text.index("kind one of")
    assert "within.tags list of text no" in text


async def test_a_tool_that_nobody_has(site: CatalogSite, browser: Browser) -> None:
    await filled(site)
    page = await browser.open("/tools/nope")
    assert page.status == 404
    assert "There is no such tool." in page.text


async def test_categories_lead_to_servers(site: CatalogSite, browser: Browser) -> None:
    await filled(site)
    page = await browser.open("/categories")
    assert page.place("web") == "/servers?functional_category=web"
    assert page.place("1 server") == "/servers?category=validated"
    assert "Enforcement recommended" in page.text
    assert "Security audit completed" in page.text


async def test_an_empty_catalog_says_so(site: CatalogSite, browser: Browser) -> None:
    await site.put("empty")
    assert "No tools are known yet" in (await browser.open("/tools")).text
    assert "No server has a category yet" in (await browser.open("/categories")).text
