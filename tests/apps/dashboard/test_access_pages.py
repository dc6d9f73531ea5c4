"""What one may do, and what runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser
from tests.apps.dashboard.conftest import guarded_pages, signed_in
from thv.apps.dashboard.door import with_pages
from thv.apps.kit.http.message import Answer, Request, json_answer

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


class Running:
    """The catalog, and servers that run."""

    def __init__(self, api: Any, *deployments: dict[str, Any]) -> None:
        self._api, self._deployments = api, deployments
        self.has, self.respond = api.has, api.respond
        self.meters, self.limiter = api.meters, api.limiter

    async def ask(self, request: Request) -> Answer:
        if request.path != b"/api/v1/deployments":
            found: Answer = await self._api.ask(request)
            return found
        count = len(self._deployments)
        metadata = {"total_count": count, "filtered_count": count, "count": count}
        return json_answer({"deployments": self._deployments, "metadata": metadata})


def a_deployment(name: str, drift: str = "none", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": "team-a",
        "server_name": "osv-scanner",
        "server_version": "0.1.0",
        "image": "ghcr.io/stackloklabs/osv-mcp/server:0.1.0",
        "transport": "stdio",
        "status": "Running",
        "ready": True,
        "endpoint_url": None,
        "labels": {},
        "drift": drift,
        "registry": "tools/main",
        **more,
    }


async def test_what_runs_is_compared_with_its_registry(site: CatalogSite) -> None:
    await site.put("main", osv(), namespace="tools")
    running = Running(
        site.door(),
        a_deployment("fine"),
        a_deployment("behind", "outdated"),
        a_deployment("gone", "revoked", ready=False, status=None),
        a_deployment("strange", "unknown-entry", server_name="x", server_version=None),
    )
    page = await Browser(with_pages(running, has_sign_in=False)).open("/deployments")  # type: ignore[arg-type] # what pages ask of it
    assert "4 servers installed" in page.text
    assert "Newer version 0.1.3" in page.text
    assert "The registry took this version back" in page.text
    assert "The registry has no such server" in page.text
    assert page.place("osv-scanner") == "/servers/tools/main/osv-scanner"
    assert page.place("tools/main") == "/registries/tools/main"


async def test_nothing_runs_yet(site: CatalogSite) -> None:
    page = await Browser(with_pages(Running(site.door()), has_sign_in=False)).open("/deployments")  # type: ignore[arg-type] # what pages ask of it
    assert "thv install NAME" in page.text
    assert "kubectl label mcpserver NAME" in page.text
