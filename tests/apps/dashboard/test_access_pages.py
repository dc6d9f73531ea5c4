"""What one may do, and what runs."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser
from tests.apps.dashboard.conftest import guarded_pages, signed_in
from tests.apps.registry_api.fleets import an_installed, followed, install
from thv.apps.dashboard.pages import deployments
from thv.apps.registry_api.drift import DriftWord
from thv.domain.canonical import JsonObject

pytestmark = pytest.mark.anyio

IMAGE = "ghcr.io/stackloklabs/osv-mcp/server"


async def test_rights_are_told_in_words(site: CatalogSite, tmp_path: Path) -> None:
    await site.put("main", osv(), namespace="tools")
    await site.put("other", osv(), namespace="production")
    await site.put("hidden", osv(), namespace="elsewhere")
    mia = await signed_in(guarded_pages(site, tmp_path), "maker")
    page = await mia.open("/settings/access")
    assert "Name mia" in page.text
    assert "tools see its registries and what they hold Ask" in page.text
    assert "production see its registries and what they hold, make registries" in page.text
    assert "elsewhere" not in page.text


async def test_may_i(site: CatalogSite, tmp_path: Path) -> None:
    mia = await signed_in(guarded_pages(site, tmp_path), "maker")
    form = (await mia.open("/settings/access")).form("/settings/access")
    yes = await mia.send(form, verb="create", resource="mcpregistries", namespace="production")
    assert "Yes. You may create registries in production." in yes.text
    no = await mia.send(form, verb="delete", resource="mcpregistries", namespace="")
    assert "No. You may not delete registries in every namespace." in no.text
    many = await mia.send(form, verb="patch", resource="mcpservers", namespace="production")
    assert "You may not change installed servers in production." in many.text
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


def installed(name: str, server: str = "osv-scanner", *, version: str) -> JsonObject:
    place = {"registry_name": "main", "registry_namespace": "tools", "server_name": server}
    return an_installed(name, IMAGE, namespace="team-a", version=version, **place)


async def test_what_runs_is_compared_with_its_registry(site: CatalogSite, browser: Browser) -> None:
    await site.put("main", osv(), namespace="tools")
    await install(
        site.resources,
        installed("fine", version="0.1.3"),
        installed("behind", version="0.1.0"),
        installed("strange", "x", version="0.1.0"),
    )
    async with followed(site.fleet, site.resources):
        page = await browser.open("/deployments")
    assert "3 servers installed" in page.text
    assert "Newer version 0.1.3" in page.text
    assert "The registry has no such server" in page.text
    assert page.place("osv-scanner") == "/servers/tools/main/osv-scanner"
    assert page.place("tools/main") == "/registries/tools/main"


async def test_nothing_runs_yet(site: CatalogSite, browser: Browser) -> None:
    async with followed(site.fleet, site.resources):
        page = await browser.open("/deployments")
    assert "thv install NAME" in page.text
    assert "One that was started by other means shows up as well" in page.text


def test_each_word_of_the_api_has_words_for_people() -> None:
    assert deployments.DRIFTS.keys() == {*get_args(DriftWord)}
