"""The page that a bundle brought with a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser
from tests.apps.dashboard.conftest import guarded_pages, signed_in
from tests.stores.models.world import an_entry
from thv.catalog.bundle.carried import carried, page_of
from thv.catalog.bundle.pages import page
from thv.domain.entry import Entry

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("CAT-10")]

LONG = "com.example/A.Server_of-many.Words.and-capitals-in-its-name-which-goes-on"


def packed(entry: Entry) -> Entry:
    return carried(entry, page=page_of(entry))


async def filled(site: CatalogSite) -> list[Entry]:
    others = [an_entry(f"com.example/osv-{number}") for number in range(30)]
    every = [packed(osv()), packed(an_entry(LONG)), an_entry("com.example/loose"), *others]
    await site.put("main", *every, namespace="tools")
    return every


async def test_it_is_the_page_of_the_bundle(site: CatalogSite, browser: Browser) -> None:
    for entry in (await filled(site))[:2]:
        found = await browser.open(f"/docs/offline/{page_of(entry)}")
        assert found.status == 200
        assert found.html == page(entry).decode()
        assert found.headers["content-type"] == "text/plain; charset=utf-8"
        assert found.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert found.headers["x-content-type-options"] == "nosniff"


async def test_the_entry_says_where_it_is(site: CatalogSite, browser: Browser) -> None:
    await filled(site)
    page_of_server = await browser.open("/servers/tools/main/osv-scanner")
    place = page_of_server.place("Offline documentation")
    assert place == "/docs/offline/docs/osv-scanner/README.md"
    loose = await browser.open("/servers/tools/main/com.example%2Floose")
    assert not any("Offline documentation" in label for label, _ in loose.links)


@pytest.mark.parametrize("folder", ["loose", "com-example-loose", "-", "%2e%2e", "..", "x" * 63])
async def test_what_was_not_packed_is_not_there(
    site: CatalogSite, browser: Browser, folder: str
) -> None:
    await filled(site)
    found = await browser.open(f"/docs/offline/docs/{folder}/README.md")
    assert found.status == 404
    assert "There is nothing here" in found.text


async def test_only_whoever_may_see_the_server_sees_it(site: CatalogSite, tmp_path: Path) -> None:
    await site.put("main", packed(osv()), namespace="elsewhere")
    pages = guarded_pages(site, tmp_path)
    place = "/docs/offline/docs/osv-scanner/README.md"
    assert (await Browser(pages).open(place, follow=False)).status == 303
    assert (await (await signed_in(pages, "maker")).open(place)).status == 404
    assert (await (await signed_in(pages, "reader")).open(place)).status == 200
