"""What one may do, and what runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser
from tests.apps.dashboard.conftest import guarded_pages, signed_in

pytestmark = pytest.mark.anyio


async def test_rights_are_told_in_words(site: CatalogSite, tmp_path: Path) -> None:
    await site.put("main", osv(), namespace="tools")
    await site.put("other", osv(), namespace="production")
    await site.put("hidden", osv(), namespace="elsewhere")
    mia = await signed_in(guarded_pages(site, tmp_path), "maker")
    page = await mia.open("/settings/access")
    assert "Name mia" in page.text
    assert "tools see its registries and what they hold May I" in page.text
    assert "production see its registries and what they hold, make registries" in page.text
    assert "elsewhere" not in page.text


async def test_may_i(site: CatalogSite, tmp_path: Path) -> None:
    mia = await signed_in(guarded_pages(site, tmp_path), "maker")
    form = (await mia.open("/settings/access")).form("/settings/access")
    yes = await mia.send(form, verb="create", resource="mcpregistries", namespace="production")
    assert "Yes. You may create registries in production." in yes.text
    no = await mia.send(form, verb="delete", resource="mcpregistries", namespace="")
    assert "No. You may not delete registries in every namespace." in no.text
    wrong = await mia.send(form, verb="create", resource="mcpregistries", namespace="x" * 64)
    assert wrong.status == 400


async def test_open_access_is_explained(browser: Browser) -> None:
    page = await browser.open("/settings/access")
    assert "Access is open" in page.text
    assert "thv serve --token-file FILE" in page.text


async def test_where_nobody_knows_what_runs_it_is_said(browser: Browser) -> None:
    page = await browser.open("/deployments")
    assert page.status == 200
    assert "What runs is not known here" in page.text
