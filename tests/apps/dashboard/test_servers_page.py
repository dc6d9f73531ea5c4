"""The list of servers: narrowed down by what they may reach and by where they are."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite
from tests.apps.dashboard.browsing import Browser, Page
from tests.stores.models.world import an_entry
from thv.apps.dashboard.pages import servers

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
    assert narrow.place("This page as JSON") == "/api/v1/mcp_servers?reach=any-host&sort=-stars"
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
    assert choices(filtered, "reach").pop("none") == ("no host", 0)
    assert set(choices(filtered, "tier")) == set()


async def test_a_second_value_can_be_chosen_beside_the_first(
    site: CatalogSite, browser: Browser
) -> None:
    await filled(site)
    await site.put("more", an_entry("com.example/vague", packages=[]), trustLevel="tested")
    every = choices(await browser.open("/servers"), "kind")
    assert every == {"container": ("container", 3), "none": ("not said", 1)}
    narrow = await browser.open("/servers?kind=none&trust_level=tested")
    assert "1 of 4 servers" in narrow.text
    assert choices(narrow, "kind") == {"none": ("not said", 1)}
    assert choices(narrow, "trust_level") == {"tested": ("Tested", 1)}
    one = await browser.open("/servers?kind=none")
    assert choices(one, "kind") == every
    assert choices(one, "trust_level") == {"tested": ("Tested", 1)}
    both = await browser.open("/servers?kind=none&kind=container")
    assert "4 servers" in both.text


async def test_what_nobody_searched_begins_with_what_most_people_like(
    site: CatalogSite, browser: Browser
) -> None:
    liked = an_entry("com.example/z", block={"metadata": {"stars": 7}})
    await site.put("whole", an_entry("com.example/a"), liked)
    page = await browser.open("/servers")
    assert page.text.index("com.example/z") < page.text.index("com.example/a")
    named = await browser.open("/servers?sort=name")
    assert named.text.index("com.example/a") < named.text.index("com.example/z")


async def test_from_a_later_page_one_comes_back_to_the_first(
    site: CatalogSite, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "ROWS", 2)
    await filled(site)
    first = await browser.open("/servers?sort=name")
    second = await browser.open(first.place("Next"))
    assert second.place("From the first") == "/servers?sort=name"
    assert "From the first" not in first.text
