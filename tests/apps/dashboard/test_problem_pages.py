"""Pages of what went wrong: whoever is signed in still is, and everybody is told what to do next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser, Page
from tests.apps.dashboard.conftest import guarded_pages, signed_in
from tests.apps.kit.access_files import USER, Written, a_token
from thv.apps.dashboard import desk
from thv.apps.dashboard.door import with_pages
from thv.apps.dashboard.sessions import MemorySessions, Session, new_number
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.registry_api.guard import Guard
from thv.apps.standalone.access import ON_ONE_MACHINE
from thv.domain.errors import Code, ThvError
from thv.domain.permissions import ways

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("GOV-14")]

STRICT = "__Host-thv_session"
LOST = "/nowhere/at-all"


@pytest.fixture
async def pages(site: CatalogSite, tmp_path: Path) -> Responder:
    """Pages for those whom an access file knows."""
    await site.put("main", osv(), namespace="tools")
    return guarded_pages(site, tmp_path)


class Sick(MemorySessions):
    """Sessions that cannot be read while there is a `trouble`."""

    trouble: Callable[[], None] | None = None

    async def find(self, number: str) -> Session | None:
        if self.trouble is not None:
            self.trouble()
            await asyncio.Event().wait()
        return await super().find(number)


def sick_pages(site: CatalogSite, folder: Path, sessions: Sick) -> Responder:
    access = Written(folder / "tokens.yaml", a_token("reader", "rob", USER))
    authorization = Authorization(access.reviews, ON_ONE_MACHINE, ways=ways)
    door = site.door(Guard(site.find, authorization, lambda: True), authorization=authorization)
    return with_pages(door, has_sign_in=True, sessions=sessions)


def knows(page: Page, user: str) -> bool:
    """Whether it says who is signed in, with a way out."""
    return user in page.text and any(each.action == "/signout" for each in page.forms)


async def test_who_is_signed_in_still_is_where_there_is_nothing(pages: Responder) -> None:
    rob = await signed_in(pages, "reader")
    before = dict(rob.cookies)
    page = await rob.open(LOST)
    assert page.status == 404
    assert page.title == "There is nothing here · MCP catalog"
    assert knows(page, "rob")
    assert page.place("Registries") == "/registries"
    assert page.form("/servers").method == "get"
    assert "Check the address, or go on from here." in page.text
    assert rob.cookies == before
    out = await rob.send(page.form("/signout"), follow=False)
    assert (out.status, rob.cookies) == (303, {})


async def test_a_stranger_is_asked_to_sign_in_and_gets_no_cookie(pages: Responder) -> None:
    stranger = Browser(pages)
    page = await stranger.open(LOST)
    assert page.status == 404
    assert page.place("Sign in") == "/signin"
    assert not any(label == "Registries" for label, _ in page.links)
    assert (page.forms, stranger.cookies) == ([], {})


async def test_an_open_catalog_shows_its_menu_where_there_is_nothing(browser: Browser) -> None:
    page = await browser.open(LOST)
    assert page.status == 404
    assert page.place("Registries") == "/registries"
    found = await browser.send(page.form("/servers"), search="osv")
    assert (found.status, found.title) == (200, "Servers · MCP catalog")


async def test_whose_session_has_ended_is_a_stranger(pages: Responder) -> None:
    browser = Browser(pages)
    browser.cookies[STRICT] = new_number()
    page = await browser.open(LOST)
    assert (page.status, page.place("Sign in")) == (404, "/signin")


async def test_the_page_asks_the_api_nothing(
    site: CatalogSite, tmp_path: Path, asked: list[str]
) -> None:
    rob = await signed_in(guarded_pages(site, tmp_path), "reader")
    before = len(asked)
    assert (await rob.open(LOST)).status == 404
    assert len(asked) == before > 0


async def test_another_method_finds_nothing_either(pages: Responder) -> None:
    rob = await signed_in(pages, "reader")
    for method in ("POST", "DELETE"):
        page = await rob.ask(method, LOST)
        assert (page.status, knows(page, "rob")) == (404, True)
    page = await rob.ask("DELETE", "/servers")
    assert (page.status, page.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert knows(page, "rob")


async def test_what_breaks_off_says_so_to_whoever_it_is(
    site: CatalogSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = guarded_pages(site, tmp_path)
    rob = await signed_in(pages, "reader")
    monkeypatch.setattr("thv.apps.dashboard.pages.tools.address_of", lambda *_: 1 / 0)
    page = await rob.open("/tools?search=x")
    assert page.status == 500
    assert knows(page, "rob")
    assert page.place("Try again") == "/tools?search=x"
    assert page.headers["x-request-id"] in page.text


@pytest.mark.parametrize("how", ["down", "slow"])
async def test_where_sessions_cannot_be_read_the_page_is_for_anybody(
    site: CatalogSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(desk, "_PATIENCE", 0.01)
    sessions = Sick()
    rob = await signed_in(sick_pages(site, tmp_path, sessions), "reader")

    def down() -> None:
        raise ThvError(Code.STORE_UNAVAILABLE, "the API server does not answer")

    sessions.trouble = down if how == "down" else lambda: None
    page = await rob.open(LOST)
    assert page.status == 404
    assert "rob" not in page.text
    assert page.place("To the overview") == "/"
    if how == "down":
        page = await rob.open("/servers")
        assert (page.status, page.headers["retry-after"]) == (503, "10")
        assert "the API server does not answer" in page.text
        assert "Try again in 10 s." in page.text


async def test_nothing_leads_to_another_site(pages: Responder) -> None:
    rob = await signed_in(pages, "reader")
    page = await rob.open("//evil.example/x")
    assert page.status == 404
    assert not any(place.startswith(("//", "http")) for _, place in page.links)


async def test_there_is_a_page_where_there_is_no_time_too(pages: Responder) -> None:
    request = Request(method="GET", path=b"/servers", headers={b"accept": b"text/html"}, id="one")
    problem = ProblemError(Word.OVERLOADED, "More is asked than can be answered.", retry_after=1)
    reply = pages.refuse(request, Context(), problem)
    assert reply.status == 503
    assert (b"retry-after", b"1") in reply.headers
    assert isinstance(reply.body, bytes)
    assert b"Not now" in reply.body
    lost = pages.refuse(Request(method="GET", path=b""), Context(), problem)
    assert isinstance(lost.body, bytes)
    assert b"OVERLOADED" in lost.body
