"""From a server that somebody started by hand to one of a registry, by forms alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser
from tests.apps.dashboard.conftest import guarded_pages, signed_in
from tests.apps.registry_api.fleets import an_installed, followed, install
from thv.domain.resources import MCP_SERVER, PREFIX, labels_of

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("GOV-14")]

IMAGE = "ghcr.io/stackloklabs/osv-mcp/server"
FORM = "/deployments/adopt"
LABEL = f"{PREFIX}registry-name"


@pytest.fixture
async def filled(site: CatalogSite) -> AsyncIterator[CatalogSite]:
    """A registry, a server that may be one of it, one that is like none, and one that says what it is not."""
    await site.put("main", osv(), namespace="tools")
    await install(
        site.resources,
        an_installed("scan", f"{IMAGE}:9", namespace="team-a"),
        an_installed("odd", "ghcr.io/else/where", namespace="team-a"),
        an_installed("lost", IMAGE, namespace="team-b", registry_name="gone", server_name="x"),
    )
    async with followed(site.fleet, site.resources):
        yield site


async def label_of(site: CatalogSite, name: str, space: str = "team-a") -> str:
    return labels_of(await site.resources.get(MCP_SERVER, space, name)).get(LABEL, "")


async def test_the_best_guess_takes_two_clicks(filled: CatalogSite, tmp_path: Path) -> None:
    ada = await signed_in(guarded_pages(filled, tmp_path), "admin")
    page = await ada.open("/deployments")
    assert "From a registry 1 Not from a registry 2" in page.text
    page = await ada.open(page.place("Not from a registry"))
    assert "2 servers started by other means" in page.text
    form = (await ada.open(page.place("Adopt scan of team-a"))).form(FORM)
    assert ("entry", "tools/main/osv-scanner") in form.fields
    done = await ada.send(form, "Adopt")
    assert done.address == "/deployments?namespace=team-a&done=adopted"
    assert "Adopted." in done.text
    assert "scanteam-a" in done.text
    assert "tools/main" in done.text
    assert await label_of(filled, "scan") == "main"


async def test_another_one_is_typed_and_what_is_wrong_stands_there(
    filled: CatalogSite, tmp_path: Path
) -> None:
    ada = await signed_in(guarded_pages(filled, tmp_path), "admin")
    page = await ada.open(f"{FORM}?namespace=team-a&name=odd")
    assert "No server of the registries that you see has its image or its name" in page.text
    form = page.form(FORM)
    nothing = await ada.send(form)
    assert nothing.status == 400
    assert nothing.html.count('aria-invalid="true"') == 2
    wrong = await ada.send(form, registry="tools/main", server="nope")
    assert wrong.status == 404
    assert "Is not in this registry" in wrong.text
    assert 'value="nope"' in wrong.html
    done = await ada.send(form, registry="main", server="osv-scanner")
    assert "Adopted." in done.text
    assert "Another image than the registry has" in done.text


async def test_one_that_says_something_else_is_moved_only_if_that_is_said(
    filled: CatalogSite, tmp_path: Path
) -> None:
    ada = await signed_in(guarded_pages(filled, tmp_path), "admin")
    page = await ada.open(
        (await ada.open("/deployments")).place("Say which one it is lost of team-b")
    )
    assert "It says that it is x of team-b/gone" in page.text
    refused = await ada.send(page.form(FORM))
    assert refused.status == 409
    assert "It is no longer x of team-b/gone" in refused.text
    done = await ada.send(refused.form(FORM), move="true")
    assert "Adopted." in done.text
    assert await label_of(filled, "lost", "team-b") == "main"


async def test_who_may_not_sees_no_form_and_a_command_to_pass_on(
    filled: CatalogSite, tmp_path: Path
) -> None:
    rob = await signed_in(guarded_pages(filled, tmp_path), "reader")
    page = await rob.open("/deployments?origin=none")
    assert "scanteam-a" in page.text
    assert not [words for words, _ in page.links if "Adopt" in words]
    page = await rob.open(f"{FORM}?namespace=team-a&name=scan")
    assert FORM not in [each.action for each in page.forms]
    assert "You may not change servers in team-a" in page.text
    assert "It may be osv-scanner of tools/main: it runs another version of the image." in page.text
    form = (
        await (await signed_in(guarded_pages(filled, tmp_path), "admin")).open(page.address)
    ).form(FORM)
    fields = [(name, value) for name, value in form.fields if name != "csrf_token"]
    token = next(form for form in page.forms if form.method == "post").fields
    fields += [(name, value) for name, value in token if name == "csrf_token"]
    refused = await rob.post(FORM, fields)
    assert refused.status == 403
    assert await label_of(filled, "scan") == ""


async def test_a_server_that_is_not_there_has_a_page_that_says_so(
    filled: CatalogSite, tmp_path: Path
) -> None:
    ada = await signed_in(guarded_pages(filled, tmp_path), "admin")
    page = await ada.open(f"{FORM}?namespace=team-a&name=none")
    assert page.status == 404
    assert 'There is no MCPServer "none"' in page.text


async def test_where_all_are_from_a_registry_there_is_nothing_to_choose(
    site: CatalogSite, browser: Browser
) -> None:
    await site.put("main", osv(), namespace="tools")
    said = {"registry_name": "main", "registry_namespace": "tools", "server_name": "osv-scanner"}
    await install(site.resources, an_installed("fine", IMAGE, **said))
    async with followed(site.fleet, site.resources):
        assert "Not from a registry" not in (await browser.open("/deployments")).text
        page = await browser.open("/deployments?origin=none")
    assert "Every server is from a registry" in page.text


async def test_where_none_is_from_a_registry_the_others_are_one_click_away(
    site: CatalogSite, browser: Browser
) -> None:
    await install(site.resources, an_installed("scan", IMAGE))
    async with followed(site.fleet, site.resources):
        page = await browser.open("/deployments")
        assert "No server is from a registry" in page.text
        page = await browser.open(page.place("Show them"))
        assert "1 server started by other means" in page.text
        page = await browser.open(f"{FORM}?namespace=default&name=scan")
    assert "Nobody is asked here who they are" in page.text
