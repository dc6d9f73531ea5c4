"""That pages can be visited as everything else here supposes: openly, and by whoever shows a token."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser
from tests.apps.dashboard.conftest import guarded_pages, signed_in

pytestmark = pytest.mark.anyio


async def test_everybody_looks_where_nobody_is_asked(site: CatalogSite, browser: Browser) -> None:
    await site.put("main", osv(), namespace="tools", trustLevel="trusted")
    page = await browser.open("/servers?search=scan")
    assert page.status == 200
    assert page.title == "Servers · MCP catalog"
    assert page.place("OSV Vulnerability Scanner") == "/servers/tools/main/osv-scanner"
    assert ("search", "scan") in page.form("/servers").fields


async def test_a_token_lets_in_and_a_wrong_one_does_not(site: CatalogSite, tmp_path: Path) -> None:
    await site.put("main", osv(), namespace="tools")
    await site.put("other", osv(), namespace="elsewhere")
    pages = guarded_pages(site, tmp_path)
    stranger = await signed_in(pages, "wrong")
    assert (await stranger.open("/servers", follow=False)).status == 303
    mia = await signed_in(pages, "maker")
    page = await mia.open("/")
    assert "mia" in page.text
    assert "tools/main" in page.text
    assert "elsewhere" not in page.text
