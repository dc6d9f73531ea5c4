"""How much whoever looks at pages may have: what the API gives to anybody, and a few wrong tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser, Page
from tests.apps.dashboard.conftest import signed_in
from tests.apps.kit.access_files import ADMIN, USER, Written, a_token
from thv.apps.dashboard.door import with_pages
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.rates import Limiter, Rate, Rates
from thv.apps.registry_api.guard import Guard
from thv.apps.standalone.access import ON_ONE_MACHINE
from thv.domain.permissions import ways

pytestmark = pytest.mark.anyio

TRIES = 3


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Limited:
    """Pages for `ada` and `rob`, and the time by which they are held."""

    def __init__(self, site: CatalogSite, folder: Path) -> None:
        self.clock = Clock()
        self.asked = list[str]()
        rates = Rates(
            reads=Rate(1, 10), searches=Rate(1, 4), failures=Rate(0.1, TRIES), loopback=True
        )
        access = Written(
            folder / "tokens.yaml", a_token("admin", "ada", ADMIN), a_token("reader", "rob", USER)
        )
        authorization = Authorization(access.reviews, ON_ONE_MACHINE, ways=ways)
        guard = Guard(site.find, authorization, lambda: True)
        door = site.door(
            guard,
            authorization=authorization,
            limiter=Limiter(rates, self.clock),
            user_of=guard.user_of,
        )
        self.pages: Responder = with_pages(door, has_sign_in=True, take=self._take)

    def _take(self, code: str) -> str:
        self.asked.append(code)
        return "admin" if code == "right" else ""


@pytest.fixture
async def limited(site: CatalogSite, tmp_path: Path) -> Limited:
    await site.put("main", osv(), namespace="tools")
    return Limited(site, tmp_path)


def held(page: Page) -> int:
    """After how many seconds one may come again."""
    assert page.status == 429
    assert "Too much at once" in page.text
    wait = int(page.headers["retry-after"])
    assert f"Try again in {wait} s." in page.text
    return wait


async def test_a_page_costs_what_the_api_takes_for_it(limited: Limited) -> None:
    rob = await signed_in(limited.pages, "reader")
    ada = await signed_in(limited.pages, "admin")
    for _ in range(4):
        assert (await rob.open("/servers?search=osv")).status == 200
    page = await rob.open("/servers?search=osv")
    assert held(page) == 1
    assert page.place("Try again") == "/servers?search=osv"
    assert "rob" in page.text
    assert (await ada.open("/servers?search=osv")).status == 200
    assert (await rob.open("/servers")).status == 200
    limited.clock.now += 1
    assert (await rob.open("/servers?search=osv")).status == 200


async def test_pages_and_the_api_are_one_account(limited: Limited) -> None:
    rob = await signed_in(limited.pages, "reader")
    for _ in range(4):
        found = await rob.ask(
            "GET",
            "/api/v1/servers?search=osv",
            authorization="Bearer reader",
            accept="application/json",
        )
        assert found.status == 200
    held(await rob.open("/servers?search=osv"))


async def test_pages_without_end_have_an_end(limited: Limited) -> None:
    rob = await signed_in(limited.pages, "reader")
    for _ in range(300):
        page = await rob.open("/servers")
        if page.status != 200:
            break
    held(page)
    assert (await rob.open("/signin")).status == 200


@pytest.mark.requirement("OPS-01")
async def test_whoever_tries_tokens_must_wait(limited: Limited) -> None:
    rob = await signed_in(limited.pages, "reader")
    limited.clock.now += 60
    stranger = Browser(limited.pages)
    form = (await stranger.open("/signin")).form("/signin")
    for _ in range(TRIES):
        assert (await stranger.send(form, token="wrong")).status == 401
    for token in ("wrong", "reader"):
        assert held(await stranger.send(form, token=token)) == 10
    assert (await rob.open("/servers")).status == 200, "who is signed in tries nothing"
    limited.clock.now += 10
    page = await stranger.send(form, token="reader", follow=False)
    assert page.status == 303


@pytest.mark.requirement("OPS-01")
async def test_whoever_tries_links_must_wait(limited: Limited) -> None:
    stranger = Browser(limited.pages)
    for number in range(TRIES):
        assert (await stranger.open(f"/signin/once/{number}")).status == 404
        await stranger.ask("HEAD", f"/signin/once/{number}")
    page = await stranger.open("/signin/once/right")
    assert held(page) == 10
    assert not any(label == "Try again" for label, _ in page.links)
    assert limited.asked == ["0", "1", "2"]
    limited.clock.now += 10
    assert (await stranger.open("/signin/once/right", follow=False)).status == 303
