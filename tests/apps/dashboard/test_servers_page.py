"""The list of servers: narrowed down by what they may reach and by where they are."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite
from tests.apps.dashboard.browsing import Browser, Page
from tests.stores.models.world import an_entry

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("GOV-14")]

OPEN = {"network": {"outbound": {"insecure_allow_all": True}}}
NAMED = {"network": {"outbound": {"allow_host": ["api.example.com"]}}}


def container(name: str, permissions: Any = None) -> Any:
    package = {"registryType": "oci", "identifier": f"ghcr.io/example/{name}:1.0.0"}
    block = {"permissions": permissions} if permissions else {}
    return an_entry(f"com.example/{name}", packages=[package], block=block)


async def filled(site: CatalogSite) -> None:
    """`copy` has of `whole` what it has, and is trusted less."""
    open_, silent = container("open", OPEN), container("silent")
    await site.put("whole", open_, container("named", NAMED), silent, trustLevel="trusted")
    await site.put("copy", open_, silent, trustLevel="raw")


def choices(page: Page, facet: str) -> dict[str, tuple[str, int]]:
    """The words and the count of each value that can be chosen."""
    found = re.findall(rf'name="{facet}" value="([^"]+)"[^>]*><span>([^<]+)</span><span[^>]*>(\d+)<', page.html)  # fmt: skip
    return {value: (words, int(count)) for value, words, count in found}


async def test_which_servers_may_reach_any_host(site: CatalogSite, browser: Browser) -> None:
    await filled(site)
    page = await browser.open("/servers")
    assert choices(page, "reach") == {
        "any-host": ("any host", 1),
        "named-hosts": ("named hosts only", 1),
        "undeclared": ("not declared", 1),
    }
    assert page.text.count("May reach: ") == 2  # nothing is said of who says nothing
    narrow = await browser.send(page.form("/servers"), reach="any-host")
    assert "1 of 3 servers" in narrow.text
    assert narrow.place("com.example/open") == "/servers/default/whole/com.example%2Fopen"
    assert narrow.place("May reach: any host") == "/servers"
    assert narrow.place("This page as JSON") == "/api/v1/mcp_servers?reach=any-host"
    both = await browser.open("/servers?reach=any-host&reach=undeclared")
    assert "2 of 3 servers" in both.text
    assert both.place("May reach: not declared") == "/servers?reach=any-host"


async def test_a_server_leads_to_those_that_are_like_it(
    site: CatalogSite, browser: Browser
) -> None:
    await filled(site)
    for name, words, reach in (
        ("open", "All servers that may reach any host", "any-host"),
        ("silent", "All servers that do not declare it", "undeclared"),
    ):
        page = await browser.open(f"/servers/default/whole/com.example%2F{name}")
        assert page.place(words) == f"/servers?reach={reach}"


async def test_a_registry_counts_also_where_a_better_one_answers(
    site: CatalogSite, browser: Browser
) -> None:
    await filled(site)
    counted = choices(await browser.open("/servers"), "registry")
    assert counted == {"default/whole": ("default/whole", 3), "default/copy": ("default/copy", 2)}
    for registry, (_, count) in counted.items():
        chosen = await browser.open(f"/servers?registry={registry}")
        assert chosen.html.count('<li class="row"') == count


async def test_there_are_no_filters_of_nothing(site: CatalogSite, browser: Browser) -> None:
    await filled(site)
    nothing = await browser.open("/servers?search=qqqqzzzz")
    assert "No server fits Use other words" in nothing.text
    assert "Filters" not in nothing.text
    filtered = await browser.open("/servers?reach=none")
    assert "No server fits Take a filter away" in filtered.text
    assert choices(filtered, "reach") == {"none": ("no host", 0)}
