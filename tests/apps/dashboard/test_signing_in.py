"""Coming and going: tokens, links of one use, sessions, and forms that somebody else sends."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, moment, osv
from tests.apps.dashboard.browsing import Browser
from tests.apps.dashboard.conftest import address, guarded_pages, signed_in
from tests.apps.kit.access_files import USER, Written, a_token
from thv.apps.catalog_api.export import EXPORT_ROWS
from thv.apps.catalog_api.generation_wiring import on_machine
from thv.apps.dashboard.door import with_pages
from thv.apps.dashboard.forgery import form_token
from thv.apps.dashboard.pages import generate
from thv.apps.dashboard.sessions import IDLE, LONGEST, MOST_OF_ONE, MemorySessions, new_number
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.codes import SECONDS, Codes
from thv.apps.kit.http.access_log import AccessLog
from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Reply, Request
from thv.apps.registry_api.guard import Guard, owned
from thv.apps.standalone.access import ON_ONE_MACHINE, Owner
from thv.domain.permissions import ways
from thv.domain.resources import MCP_REGISTRY

pytestmark = pytest.mark.anyio

STRICT = "__Host-thv_session"
FIRST = 1_700_000_000.0
TOKEN = "the-owners-token"


class Clock:
    now = FIRST

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def pages(site: CatalogSite, tmp_path: Path) -> Responder:
    """Pages for those whom an access file knows."""
    await site.put("main", osv(), namespace="tools")
    return guarded_pages(site, tmp_path)


class Owned(NamedTuple):
    """Pages that everybody may read, and whose owner has links."""

    pages: Responder
    codes: Codes
    clock: Clock


@pytest.fixture
async def owned_pages(site: CatalogSite, tmp_path: Path) -> Owned:
    await site.put("main", osv(), namespace="tools")
    clock = Clock()
    codes = Codes(tmp_path / "codes", clock)
    owner = Authorization(Owner(TOKEN), ON_ONE_MACHINE)
    generation = on_machine(site.resources, owner, address=address, clock=moment)
    door = site.door(
        authorize=owned(owner),
        authorization=owner,
        is_open=True,
        more=(*EXPORT_ROWS, *generation),
    )
    take = lambda code: TOKEN if codes.take(code) else ""  # noqa: E731
    return Owned(with_pages(door, has_sign_in=False, take=take), codes, clock)


def timed(site: CatalogSite, folder: Path, clock: Clock) -> Responder:
    """Guarded pages whose sessions live by this clock, for one reader."""
    access = Written(folder / "tokens.yaml", a_token("reader", "rob", USER))
    authorization = Authorization(access.reviews, ON_ONE_MACHINE, ways=ways)
    guard = Guard(site.find, authorization, lambda: True)
    door = site.door(guard, authorization=authorization)
    return with_pages(door, has_sign_in=True, sessions=MemorySessions(clock))


async def is_in(browser: Browser) -> bool:
    return (await browser.open("/servers", follow=False)).status == 200


# ---------------------------------------------------------------- by a token


@pytest.mark.requirement("OPS-01")
async def test_whoever_is_not_known_sees_nothing_but_the_way_in(pages: Responder) -> None:
    stranger = Browser(pages)
    page = await stranger.open("/servers?search=osv&tier=Community", follow=False)
    assert page.status == 303
    assert page.headers["location"] == ("/signin?next=%2Fservers%3Fsearch%3Dosv%26tier%3DCommunity")
    shown = await stranger.open(page.headers["location"])
    assert "Sign in" in shown.text
    assert "thv auth token" in shown.text
    assert "osv" not in shown.text.lower().replace("search", "")


async def test_signing_in_leads_to_what_was_wanted(pages: Responder) -> None:
    browser = Browser(pages)
    page = await browser.open("/servers?search=osv")
    page = await browser.send(page.form("/signin"), token="reader", follow=False)
    assert (page.status, page.headers["location"]) == (303, "/servers?search=osv")
    assert "rob" in (await browser.open("/servers")).text


async def test_the_token_stays_on_the_server(pages: Responder) -> None:
    browser = Browser(pages)
    form = (await browser.open("/signin")).form("/signin")
    page = await browser.send(form, token="reader", follow=False)
    [cookie] = page.set_cookies
    assert "reader" not in cookie
    name, *attributes = cookie.split("; ")
    assert name.startswith(f"{STRICT}=s")
    assert attributes == ["Path=/", "Max-Age=28800", "HttpOnly", "SameSite=Strict", "Secure"]


async def test_on_this_machine_the_cookie_goes_over_plain_http(pages: Responder) -> None:
    for host in ("127.0.0.1:8080", "localhost:18080", "[::1]:8080", "localhost", "[::1]"):
        page = await Browser(pages).open("/signin", host=host)
        [cookie] = page.set_cookies
        assert cookie.startswith("thv_session=v"), host
        assert "Secure" not in cookie


async def test_two_services_of_one_machine_keep_their_selections(pages: Responder) -> None:
    """A browser keeps the cookies of a host for all of its ports."""
    browser = Browser(pages)
    for port in ("8080", "8081", "x", "123456"):
        host = f"localhost:{port}"
        await _sign_in(browser, host)
        page = await browser.open("/servers", host=host)
        fields = [*page.form("/generate/add").fields, ("server", "tools/main/osv-scanner")]
        await browser.post("/generate/add", fields, follow=False, host=host)
    assert {name for name in browser.cookies if "selection" in name} == {
        "thv_selection_8080",
        "thv_selection_8081",
        "thv_selection",
    }


async def _sign_in(browser: Browser, host: str) -> None:
    page = await browser.open("/signin", host=host)
    fields = [(name, value) for name, value in page.form("/signin").fields if name != "token"]
    await browser.post("/signin", [*fields, ("token", "reader")], follow=False, host=host)


async def test_a_number_of_before_signing_in_is_worth_nothing_afterwards(pages: Responder) -> None:
    browser, thief = Browser(pages), Browser(pages)
    form = (await browser.open("/signin")).form("/signin")
    thief.cookies = dict(browser.cookies)
    await browser.send(form, token="reader")
    assert browser.cookies != thief.cookies
    assert await is_in(browser)
    assert not await is_in(thief)


async def test_a_number_that_somebody_chose_is_not_kept(pages: Responder) -> None:
    for chosen in ("x", new_number(), "s" + "a" * 43, "a" * 5000, "é"):
        browser = Browser(pages)
        browser.cookies[STRICT] = chosen
        form = (await browser.open("/signin")).form("/signin")
        assert browser.cookies[STRICT] != chosen
        await browser.send(form, token="reader")
        assert await is_in(browser)


async def test_of_two_numbers_none_counts(pages: Responder) -> None:
    rob = await signed_in(pages, "reader")
    line = f"{STRICT}={rob.cookies[STRICT]}; {STRICT}={new_number()}"
    assert (await Browser(pages).open("/servers", follow=False, cookie=line)).status == 303


async def test_cookies_of_others_are_in_nobodys_way(pages: Responder) -> None:
    rob = await signed_in(pages, "reader")
    line = f'a=b=c; strange[]="x y"; ;=; {STRICT}={rob.cookies[STRICT]}; json={{"a":1}}'
    assert (await Browser(pages).open("/servers", follow=False, cookie=line)).status == 200
    huge = await Browser(pages).open("/servers", cookie="a=" + "b" * 20_000)
    assert huge.status == 431


async def test_a_refused_token_says_how_to_make_another(pages: Responder) -> None:
    browser = Browser(pages)
    for token in ("wrong", "", "with blank", "é", "x" * 5000):
        form = (await browser.open("/signin?next=/tools")).form("/signin")
        page = await browser.send(form, token=token)
        assert page.status == 401
        assert "was not accepted" in page.text
        assert "thv auth token" in page.text
        assert dict(page.form("/signin").fields)["next"] == "/tools"


# ---------------------------------------------------------------- the end of a session


async def test_an_idle_session_ends(site: CatalogSite, tmp_path: Path) -> None:
    clock = Clock()
    rob = await signed_in(timed(site, tmp_path, clock), "reader")
    clock.now += IDLE - 1
    assert await is_in(rob)
    clock.now += IDLE - 1
    assert await is_in(rob)
    clock.now += IDLE + 1
    page = await rob.open("/servers", follow=False)
    assert page.headers["location"] == "/signin?next=%2Fservers&ended=true"
    assert "Your session has ended" in (await rob.open(page.headers["location"])).text


async def test_a_session_ends_with_the_working_day(site: CatalogSite, tmp_path: Path) -> None:
    clock = Clock()
    rob = await signed_in(timed(site, tmp_path, clock), "reader")
    while clock.now - FIRST < LONGEST - IDLE / 2:
        clock.now += IDLE / 2
        assert await is_in(rob)
    clock.now = FIRST + LONGEST + 1
    assert not await is_in(rob)


async def test_a_token_that_is_good_no_more_ends_the_session(
    site: CatalogSite, tmp_path: Path
) -> None:
    access = Written(tmp_path / "tokens.yaml", a_token("reader", "rob", USER))
    authorization = Authorization(access.reviews, ON_ONE_MACHINE, ways=ways)
    guard = Guard(site.find, authorization, lambda: True)
    pages = with_pages(site.door(guard, authorization=authorization), has_sign_in=True)
    rob = await signed_in(pages, "reader")
    assert await is_in(rob)
    access.write(access.without("reader"))
    access.reviews.look()
    page = await rob.open("/servers", follow=False)
    assert "ended=true" in page.headers["location"]


async def test_signing_out_forgets_here_and_there(pages: Responder) -> None:
    rob = await signed_in(pages, "reader")
    copy = Browser(pages)
    copy.cookies = dict(rob.cookies)
    page = await rob.send((await rob.open("/")).form("/signout"), follow=False)
    assert page.status == 303
    assert page.headers["clear-site-data"] == '"cookies", "storage"'
    assert rob.cookies == {}
    assert not await is_in(copy)


async def test_nobody_ends_the_sessions_of_others_by_signing_in() -> None:
    clock = Clock()
    sessions = MemorySessions(clock)
    mia = await sessions.begin("t", "mia")
    own = []
    for _ in range(2 * MOST_OF_ONE):
        clock.now += 1
        own.append(await sessions.begin("t", "rob"))
    assert await sessions.find(own[MOST_OF_ONE])
    own.append(await sessions.begin("t", "rob"))
    left = [number for number in own if await sessions.find(number)]
    assert left == [own[MOST_OF_ONE], *own[MOST_OF_ONE + 2 :]]
    assert await sessions.find(mia)


# ---------------------------------------------------------------- forms of somebody else


class Forged(msgspec.Struct):
    """What is wrong with a form."""

    token: str | None = None
    headers: dict[str, str] = {}
    drop_cookie: bool = False


@pytest.mark.requirement("OPS-01")
@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(Forged(token=""), id="without"),
        pytest.param(Forged(token="abc"), id="garbage"),
        pytest.param(Forged(token="é" * 86), id="not ascii"),
        pytest.param(Forged(token=form_token(new_number())), id="of another session"),
        pytest.param(Forged(headers={"sec-fetch-site": "cross-site"}), id="another site"),
        pytest.param(Forged(headers={"sec-fetch-site": "same-site"}), id="a sibling"),
        pytest.param(Forged(headers={"sec-fetch-site": "none"}), id="typed"),
        pytest.param(Forged(headers={"sec-fetch-site": ""}), id="from nowhere"),
        pytest.param(
            Forged(headers={"sec-fetch-site": "", "origin": "https://evil.example"}), id="origin"
        ),
        pytest.param(Forged(headers={"sec-fetch-site": "", "origin": "null"}), id="sandboxed"),
        pytest.param(Forged(headers={"sec-fetch-site": "", "origin": "http://["}), id="no address"),
        pytest.param(Forged(drop_cookie=True), id="without cookie"),
    ],
)
async def test_a_forged_form_does_nothing(
    site: CatalogSite, pages: Responder, forged: Forged
) -> None:
    ada = await signed_in(pages, "admin")
    token = dict((await ada.open("/")).form("/signout").fields)["csrf_token"]
    if forged.token is not None:
        token = forged.token
    cookies = dict(ada.cookies)
    if forged.drop_cookie:
        ada.cookies.clear()
    for action in ("/signout", "/generate/create", "/signin"):
        page = await ada.post(
            action, [("csrf_token", token), ("token", "admin")], follow=True, **forged.headers
        )
        assert page.status == 403
        assert "CSRF_FAILED" in page.text
        assert "Nothing was done" in page.text
    ada.cookies = cookies
    assert await is_in(ada)


async def test_a_form_of_a_session_that_ended_does_nothing(
    site: CatalogSite, tmp_path: Path
) -> None:
    clock = Clock()
    rob = await signed_in(timed(site, tmp_path, clock), "reader")
    form = (await rob.open("/")).form("/signout")
    clock.now += IDLE + 1
    page = await rob.send(form)
    assert page.status == 403
    assert "CSRF_FAILED" in page.text
    assert page.place("Sign in") == "/signin"
    await rob.send((await rob.open("/signin")).form("/signin"), token="reader")
    assert await is_in(rob)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "", "origin": "http://catalog.test"},
        {"sec-fetch-site": "", "origin": "https://catalog.test"},
        {"sec-fetch-site": "", "referer": "https://catalog.test/servers?x=1"},
    ],
)
async def test_older_browsers_name_our_page(pages: Responder, headers: dict[str, str]) -> None:
    rob = await signed_in(pages, "reader")
    fields = (await rob.open("/")).form("/signout").fields
    assert (await rob.post("/signout", fields, follow=False, **headers)).status == 303


async def test_a_script_may_show_the_value_in_a_header(pages: Responder) -> None:
    rob = await signed_in(pages, "reader")
    [(_, token)] = (await rob.open("/")).form("/signout").fields
    page = await rob.post("/signout", [], follow=False, x_csrf_token=token)
    assert page.status == 303


async def test_what_is_sent_is_a_form(pages: Responder) -> None:
    rob = await signed_in(pages, "reader")
    page = await rob.post("/signout", [], content_type="application/json")
    assert page.status == 415
    assert await is_in(rob)


async def test_reading_changes_nothing(pages: Responder) -> None:
    rob = await signed_in(pages, "reader")
    for place in ("/signout", "/generate/add", "/generate/create"):
        assert (await rob.open(place)).status == 405
    assert await is_in(rob)


# ---------------------------------------------------------------- two doors, two credentials


@pytest.mark.requirement("OPS-01")
async def test_the_api_knows_no_cookies_and_pages_know_no_tokens(pages: Responder) -> None:
    rob = await signed_in(pages, "reader")
    for path in ("/api/v1/registries", "/api/v1/reviews/rv-42/approve", "/v0.1/servers"):
        page = await rob.ask("GET", path, accept="application/json")
        assert page.status in (401, 404), path
    listed = await rob.ask("GET", "/api/v1/registries", accept="application/json")
    assert (listed.status, "UNAUTHENTICATED" in listed.html) == (401, True)
    made = await rob.ask(
        "POST",
        "/api/v1/registries/production",
        b"{}",
        content_type="application/json",
        accept="application/json",
    )
    assert made.status == 401
    page = await Browser(pages).open("/servers", follow=False, authorization="Bearer reader")
    assert page.status == 303


# ---------------------------------------------------------------- where one goes on

ELSEWHERE = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "/servers\r\nset-cookie: a=b",
    "/\u2028/evil.example",
    "/é",
    "servers",
    "/signin?next=/signin",
    "/signout",
    "/servers/../signin/once/code",
    "/servers/%2E./signin/once/code",
    "/./signin/once/code",
    "/servers/..",
    "",
]


@pytest.mark.requirement("OPS-01")
@pytest.mark.parametrize("wanted", ELSEWHERE)
async def test_nobody_is_sent_elsewhere(pages: Responder, wanted: str) -> None:
    browser = Browser(pages)
    page = await browser.open(f"/signin?{urlencode({'next': wanted})}")
    assert page.status == 200
    assert dict(page.form("/signin").fields)["next"] == "/"
    page = await browser.send(page.form("/signin"), next=wanted, token="reader", follow=False)
    assert (page.status, page.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    "wanted", ["/", "/servers?search=a%2Fb#x", "/%2F%2Fevil.example", "/a//b", "/tools?search=/../"]
)
async def test_a_place_of_ours_is_where_one_goes_on(pages: Responder, wanted: str) -> None:
    browser = Browser(pages)
    page = await browser.open(f"/signin?{urlencode({'next': wanted})}")
    page = await browser.send(page.form("/signin"), token="reader", follow=False)
    assert page.headers["location"] == wanted


# ---------------------------------------------------------------- links of one use


@pytest.mark.requirement("OPS-01")
async def test_a_link_signs_its_owner_in_once(owned_pages: Owned, site: CatalogSite) -> None:
    code = owned_pages.codes.make()
    owner, thief = Browser(owned_pages.pages), Browser(owned_pages.pages)
    page = await owner.open(f"/signin/once/{code}", follow=False)
    assert (page.status, page.headers["location"]) == (303, "/")
    assert "owner" in (await owner.open("/")).text
    again = await thief.open(f"/signin/once/{code}")
    assert again.status == 404
    assert "does not sign in any more" in again.text
    assert "thv dashboard" in again.text
    assert (await owner.open(f"/signin/once/{code}", follow=False)).status == 303


@pytest.mark.parametrize("site_of_it", ["cross-site", "same-site"])
async def test_a_page_of_another_site_signs_nobody_in(owned_pages: Owned, site_of_it: str) -> None:
    place = f"/signin/once/{owned_pages.codes.make()}"
    browser = Browser(owned_pages.pages)
    page = await browser.open(place, sec_fetch_site=site_of_it)
    assert page.status == 403
    assert "Nobody was signed in" in page.text
    assert (await browser.open(place, follow=False, sec_fetch_site="none")).status == 303
    assert "owner" in (await browser.open("/")).text


async def test_a_link_that_is_opened_is_spent_for_whoever_is_signed_in_too(
    owned_pages: Owned,
) -> None:
    owner, thief = Browser(owned_pages.pages), Browser(owned_pages.pages)
    await owner.open(f"/signin/once/{owned_pages.codes.make()}")
    second = f"/signin/once/{owned_pages.codes.make()}"
    assert (await owner.open(second, follow=False)).status == 303
    assert (await thief.open(second)).status == 404


@pytest.mark.requirement("OPS-01")
async def test_the_owner_may_do_what_others_only_look_at(
    owned_pages: Owned, site: CatalogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "WAIT", 0)  # nothing synchronizes here
    stranger, owner = Browser(owned_pages.pages), Browser(owned_pages.pages)
    await owner.open(f"/signin/once/{owned_pages.codes.make()}")
    for browser in (stranger, owner):
        form = (await browser.open("/servers")).form("/generate/add")
        await browser.send(form, server="tools/main/osv-scanner", follow=False)
    page = await stranger.open("/generate")
    assert "Create the registry" not in page.text
    assert page.place("Sign in") == "/signin?next=%2Fgenerate"
    form = page.form("/generate/render")
    form.action = "/generate/create"
    refused = await stranger.send(form, registry_name="mine", follow=False)
    assert refused.headers["location"] == "/signin?next=%2F"
    assert (await site.resources.list(MCP_REGISTRY)).items == []
    form = (await owner.open("/generate")).form("/generate/render")
    form.action = "/generate/create"
    made = await owner.send(form, registry_name="mine", follow=False)
    assert made.headers["location"] == "/registries/tools/mine?done=made"
    assert await site.resources.get(MCP_REGISTRY, "tools", "mine")


async def test_a_stranger_is_told_how_to_be_the_owner(owned_pages: Owned) -> None:
    stranger = Browser(owned_pages.pages)
    page = await stranger.open("/servers")
    assert page.status == 200
    page = await stranger.open(page.place("Sign in"))
    assert "thv dashboard" in page.text
    assert page.place("Go on without") == "/servers"
    assert all(form.action != "/signin" for form in page.forms)


async def test_a_link_is_good_for_five_minutes(owned_pages: Owned) -> None:
    clock = owned_pages.clock
    code = owned_pages.codes.make()
    clock.now += SECONDS + 5
    assert (await Browser(owned_pages.pages).open(f"/signin/once/{code}")).status == 404
    assert not owned_pages.codes.take(code)


async def test_whoever_only_looks_ahead_uses_no_link_up(owned_pages: Owned) -> None:
    code = owned_pages.codes.make()
    browser = Browser(owned_pages.pages)
    await browser.ask("HEAD", f"/signin/once/{code}")
    assert (await browser.open(f"/signin/once/{code}", follow=False)).status == 303


@pytest.mark.parametrize("code", ["x", "..", "%2e%2e", "a" * 3000, "%00", "é"])
async def test_what_is_no_code_signs_nobody_in(owned_pages: Owned, code: str) -> None:
    page = await Browser(owned_pages.pages).open(f"/signin/once/{code}")
    assert page.status in (400, 404)


async def test_where_nobody_can_sign_in_there_is_no_form(browser: Browser) -> None:
    page = await browser.open("/signin", follow=False)
    assert (page.status, page.headers["location"]) == (303, "/")
    assert (await browser.open("/signin/once/x")).status == 404


async def test_what_a_link_holds_is_in_no_log(owned_pages: Owned) -> None:
    code, lines = owned_pages.codes.make(), list[str]()
    request, context = Request(method="GET", path=f"/signin/once/{code}".encode()), Context()
    reply = owned_pages.pages.respond(request, context)
    _ = reply if isinstance(reply, Reply) else await reply
    log = AccessLog(write=lines.append)
    log.ended(request, context, context.status, 0.1)
    log.flush()
    assert "/signin/once/{code}" in lines[0]
    assert code not in lines[0]
