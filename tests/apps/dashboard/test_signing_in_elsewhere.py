"""Signing in at an OpenID issuer: a real one on loopback, our pages in this process, and those who want to come in otherwise."""

from __future__ import annotations

import base64
import http.client
import json
import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import HOST, Browser, Page
from tests.apps.kit.access_files import USER, Written
from tests.apps.kit.provider import CLIENT, SECRET, LocalProvider, a_provider
from thv.apps.dashboard.door import with_pages
from thv.apps.dashboard.oidc import LONGEST, OidcProvider
from thv.apps.dashboard.pending import new_pending
from thv.apps.dashboard.sessions import MemorySessions, Sessions
from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.access_log import AccessLog
from thv.apps.kit.http.connection import Responder
from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Reply, Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.kit.http.rates import Limiter, Rate, Rates
from thv.apps.kit.issuers import SigningIssuers
from thv.apps.kit.sign_in import SignIn
from thv.apps.kit.tokens import TokenReviews
from thv.apps.registry_api.guard import Guard
from thv.apps.standalone.access import ON_ONE_MACHINE
from thv.clients.http.proxy import Proxy
from thv.domain.permissions import ways
from thv.formats.tokens import Binding, Issuer

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("OPS-01")]

PUBLIC = f"https://{HOST}"
START, BACK = "/signin/issuer", "/signin/callback"
PENDING = "__Host-thv_signin"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def people() -> Iterator[LocalProvider]:
    with a_provider() as provider:
        yield provider


class Catalog:
    """Replicas of a catalog that lets in whom the issuer vouches for."""

    def __init__(self, site: CatalogSite, folder: Path, people: LocalProvider) -> None:
        self._site = site
        self._people = people
        self.folder = folder
        self.sessions: Sessions = MemorySessions()
        self.limiter: Limiter | None = None
        self.hosts: frozenset[str] | None = None
        trusted = Issuer(url=people.url, audiences=(CLIENT, "registry"))
        alice = Binding(user="oidc:alice", role=USER)
        self.access = Written(folder / "tokens.yaml", bindings=(alice,), issuers=(trusted,))

    def replica(self, times: dict[str, Clock] | None = None, **changes: Any) -> Responder:
        """One of them; `changes` are of its settings, `times` of its clocks."""
        secret = self.folder / "secret"
        secret.write_text(f"{SECRET}\n")
        settings = SignIn(
            **{
                "issuer": self._people.url,
                "client_id": CLIENT,
                "client_secret": secret,
                "label": "Example ID",
                "public_url": PUBLIC,
                **changes,
            }
        )
        reviews = TokenReviews(self.access.path, SigningIssuers)
        authorization = Authorization(reviews, ON_ONE_MACHINE, ways=ways)
        guard = Guard(self._site.find, authorization, lambda: True)
        return with_pages(
            self._site.door(guard, authorization=authorization, limiter=self.limiter),
            has_sign_in=True,
            hosts=self.hosts,
            sessions=self.sessions,
            provider=OidcProvider(settings, **(times or {})),
        )


@pytest.fixture
async def catalog(site: CatalogSite, tmp_path: Path, people: LocalProvider) -> Catalog:
    await site.put("main", osv(), namespace="tools")
    return Catalog(site, tmp_path, people)


@pytest.fixture
def pages(catalog: Catalog) -> Responder:
    return catalog.replica()


def signed_in_there(place: str) -> str:
    """Where the issuer sends a browser back to, without our host."""
    parts = urlsplit(place)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        back = urlsplit(connection.getresponse().getheader("location") or "")
    finally:
        connection.close()
    assert f"{back.scheme}://{back.netloc}" == PUBLIC
    return f"{back.path}?{back.query}"


async def left(browser: Browser, wanted: str = "/servers") -> str:
    """Goes to the issuer, and is sent back: where to."""
    page = await browser.open(f"{START}?{urlencode({'next': wanted})}", follow=False)
    assert page.status == 303, page.text
    return signed_in_there(page.headers["location"])


async def returned(browser: Browser, place: str) -> Page:
    """What one sees who comes from the issuer: the browser leaves the strict cookie at home."""
    kept = dict(browser.cookies)
    browser.cookies = {name: value for name, value in kept.items() if name == PENDING}
    page = await browser.open(place, sec_fetch_site="cross-site", sec_fetch_mode="navigate")
    gone = {name for name in browser.cookies.keys() ^ {PENDING} if name == PENDING}
    browser.cookies = {
        name: value for name, value in (kept | browser.cookies).items() if name not in gone
    }
    return page


async def signed_in_by(pages: Responder, wanted: str = "/servers") -> tuple[Browser, Page]:
    browser = Browser(pages)
    return browser, await returned(browser, await left(browser, wanted))


async def is_in(browser: Browser) -> bool:
    return (await browser.open("/servers", follow=False)).status == 200


def changed(place: str, **changes: str | None) -> str:
    """The address with other parameters."""
    path, _, query = place.partition("?")
    said = dict(parse_qsl(query)) | changes
    kept = {name: value for name, value in said.items() if value is not None}
    return f"{path}?{urlencode(kept)}"


# ---------------------------------------------------------------- the way in


async def test_one_click_leads_there_and_back_to_what_was_wanted(
    catalog: Catalog, pages: Responder, people: LocalProvider
) -> None:
    browser = Browser(pages)
    page = await browser.open("/servers?search=osv&tier=Community")
    assert page.place("Sign in with Example ID") == (
        f"{PUBLIC}{START}?next=%2Fservers%3Fsearch%3Dosv%26tier%3DCommunity"
    )
    page = await returned(browser, await left(browser, "/servers?search=osv"))
    assert page.status == 200
    assert page.place("Go on") == "/servers?search=osv"
    assert '<meta http-equiv="refresh" content="0; url=/servers?search=osv">' in page.html
    assert "oidc:alice" in (await browser.open("/servers?search=osv")).text
    [asked] = people.asked_for
    assert asked["scope"] == "openid email profile"
    assert asked["redirect_uri"] == f"{PUBLIC}{BACK}"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3


async def test_what_is_kept_meanwhile_is_in_one_cookie_for_ten_minutes(pages: Responder) -> None:
    browser = Browser(pages)
    page = await browser.open(f"{START}?next=/tools", follow=False)
    [pending] = [each for each in page.set_cookies if each.startswith(PENDING)]
    assert pending.split("; ")[1:] == [
        "Path=/",
        "Max-Age=600",
        "HttpOnly",
        "SameSite=Lax",
        "Secure",
    ]
    place = page.headers["location"]
    secret = browser.cookies[PENDING].split(".")[1]
    assert secret not in place


async def test_neither_cookies_nor_pages_nor_lines_of_the_log_hold_a_secret(
    catalog: Catalog, pages: Responder, people: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = Browser(pages)
    place = await left(browser)
    page = await returned(browser, place)
    again = await returned(browser, place)
    answer = dict(parse_qsl(place.partition("?")[2]))
    said = "\n".join(
        [
            caplog.text,
            page.html,
            again.html,
            *page.set_cookies,
            *page.headers.values(),
        ]
    )
    for secret in (
        answer["code"],
        answer["state"],
        people.id_tokens[0],
        SECRET,
        people.forms[0]["code_verifier"],
        "never-kept",
    ):
        assert secret not in said


async def test_what_an_answer_holds_is_in_no_log(pages: Responder) -> None:
    lines: list[str] = []
    log = AccessLog(write=lines.append)
    path, query = BACK.encode(), b"code=c0de&state=st4te"
    request, context = Request(method="GET", path=path, query=query), Context()
    reply = pages.respond(request, context)
    _ = reply if isinstance(reply, Reply) else await reply
    log.ended(request, context, context.status, 0.1)
    log.flush()
    assert BACK in lines[0]
    assert "c0de" not in lines[0]
    assert "st4te" not in lines[0]


@pytest.mark.parametrize("path", [BACK, "/signin/once/c0de"])
async def test_nor_where_it_is_refused_before_it_is_looked_at(catalog: Catalog, path: str) -> None:
    catalog.hosts = frozenset({HOST})
    pages = catalog.replica()
    lines: list[str] = []
    log = AccessLog(write=lines.append)
    for host in ("elsewhere.example.com", HOST):
        request = Request(
            method="GET", path=path.encode(), query=b"code=c0de", headers={b"host": host.encode()}
        )
        context = Context()
        reply = pages.respond(request, context)
        _ = reply if isinstance(reply, Reply) else await reply
        log.ended(request, context, context.status, 0.1)
    shed = Context()
    pages.refuse(request, shed, ProblemError(Word.OVERLOADED, "Come again."))
    log.ended(request, shed, shed.status, 0.1)
    log.flush()
    assert "c0de" not in "".join(lines)


async def test_one_leaves_at_one_replica_and_comes_back_to_another(catalog: Catalog) -> None:
    browser = Browser(catalog.replica())
    place = await left(browser)
    other = Browser(catalog.replica())
    other.cookies = browser.cookies
    assert (await returned(other, place)).status == 200
    assert await is_in(other)
    browser.cookies = other.cookies
    assert await is_in(browser)


async def test_a_public_client_has_no_secret(catalog: Catalog, people: LocalProvider) -> None:
    people.secret = ""
    browser, page = await signed_in_by(catalog.replica(client_secret=None))
    assert page.status == 200
    assert await is_in(browser)
    assert people.forms[0]["client_id"] == CLIENT


async def test_a_secret_goes_into_the_form_where_the_issuer_wants_it(
    pages: Responder, people: LocalProvider
) -> None:
    people.about["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    browser, _ = await signed_in_by(pages)
    assert await is_in(browser)
    assert people.forms[0]["client_secret"] == SECRET


async def test_the_access_token_may_be_what_the_api_is_shown(catalog: Catalog) -> None:
    browser, _ = await signed_in_by(catalog.replica(sent="access_token"))
    assert await is_in(browser)


async def test_without_an_address_of_its_own_people_come_back_to_where_they_were(
    catalog: Catalog, people: LocalProvider
) -> None:
    browser = Browser(catalog.replica(public_url=""))
    page = await browser.open("/signin")
    assert page.place("Sign in with") == f"{START}?next=%2F"
    await browser.open(START, follow=False, host="127.0.0.1:8080")
    assert people.about["issuer"] == people.url
    place = (await browser.open(START, follow=False)).headers["location"]
    asked = dict(parse_qsl(urlsplit(place).query))
    assert asked["redirect_uri"] == f"http://{HOST}{BACK}"


async def test_a_token_may_still_be_pasted(pages: Responder, people: LocalProvider) -> None:
    browser = Browser(pages)
    form = (await browser.open("/signin")).form("/signin")
    await browser.send(form, token=people.token(aud=CLIENT))
    assert await is_in(browser)


# ---------------------------------------------------------------- the way out


async def test_who_signs_out_is_offered_to_do_so_there_too(
    pages: Responder, people: LocalProvider
) -> None:
    browser, _ = await signed_in_by(pages)
    page = await browser.send((await browser.open("/servers")).form("/signout"))
    assert "You are signed out here" in page.text
    place = urlsplit(page.place("sign out there, too"))
    assert f"{place.scheme}://{place.netloc}{place.path}" == f"{people.url}/logout"
    assert dict(parse_qsl(place.query)) == {
        "client_id": CLIENT,
        "post_logout_redirect_uri": f"{PUBLIC}/signin",
    }
    assert not await is_in(browser)


async def test_where_the_issuer_ends_no_session_it_is_only_said(
    catalog: Catalog, people: LocalProvider
) -> None:
    del people.about["end_session_endpoint"]
    browser, _ = await signed_in_by(catalog.replica())
    page = await browser.send((await browser.open("/servers")).form("/signout"))
    assert "At Example ID you may still be signed in." in page.text


async def test_a_session_ends_with_its_token(catalog: Catalog, people: LocalProvider) -> None:
    clock = Clock()
    catalog.sessions = MemorySessions(clock)
    token = people.token()
    clock.now = 1000.0
    number = await catalog.sessions.begin(token, "alice", 1500.0)
    clock.now = 1500.0
    assert await catalog.sessions.find(number)
    clock.now = 1501.0
    assert await catalog.sessions.find(number) is None


async def test_a_token_that_has_just_ended_begins_no_session(
    pages: Responder, people: LocalProvider
) -> None:
    people.claims = {"exp": int(time.time()) - 5}
    browser, page = await signed_in_by(pages)
    assert page.status == 200, "clocks may differ by more than that"
    assert (await browser.open("/servers")).text.count("Your session has ended") == 1


# ---------------------------------------------------------------- who wants to come in otherwise


async def refused(browser: Browser, place: str, *, status: int, says: str) -> None:
    """Nobody is signed in, and the page says why and leads on."""
    page = await returned(browser, place)
    assert (page.status, says in page.text) == (status, True), page.text
    assert page.place("Other ways to sign in").startswith("/signin?next=")
    assert START in page.place("Try again" if status in {403, 503} else "Begin again")
    assert not [each for each in page.set_cookies if "_session=s" in each]
    assert not await is_in(browser)


async def test_another_browser_is_not_signed_in(pages: Responder, people: LocalProvider) -> None:
    mallory, victim = Browser(pages), Browser(pages)
    place = await left(mallory)
    await refused(victim, place, status=400, says="cannot be finished")
    await left(victim)
    await refused(victim, place, status=400, says="cannot be finished")
    assert people.forms == []


async def test_a_state_of_somebody_else_is_none(pages: Responder, people: LocalProvider) -> None:
    for state in ("", "x", None, "A" * 43, "\u00e9", "a" * 4000):
        browser = Browser(pages)
        place = changed(await left(browser), state=state)
        await refused(browser, place, status=400, says="cannot be finished")
    assert people.forms == []


async def test_nothing_may_be_said_twice(pages: Responder, people: LocalProvider) -> None:
    for more in ("&state=x", "&code=x", "&iss=https://evil.example"):
        browser = Browser(pages)
        await refused(browser, await left(browser) + more, status=400, says="cannot be finished")
    assert people.forms == []


CHANGES: dict[str, Callable[[list[str]], list[str]]] = {
    "time": lambda parts: [str(int(parts[0]) + 1), *parts[1:]],
    "secret": lambda parts: [parts[0], "A" * 43, parts[2]],
    "place": lambda parts: [*parts[:2], "L2V2aWw"],
    "short": lambda parts: parts[:2],
    "no base64": lambda parts: [*parts[:2], "*"],
    "no text": lambda parts: [*parts[:2], "_w"],
    "empty": lambda _: ["", "", ""],
}


async def test_a_changed_cookie_fits_no_answer(pages: Responder, people: LocalProvider) -> None:
    for change in CHANGES.values():
        browser = Browser(pages)
        place = await left(browser)
        browser.cookies[PENDING] = ".".join(change(browser.cookies[PENDING].split(".")))
        await refused(browser, place, status=400, says="cannot be finished")
    assert people.forms == []


async def test_after_ten_minutes_it_is_too_late_whatever_the_browser_keeps(
    catalog: Catalog, people: LocalProvider
) -> None:
    clock = Clock()
    browser = Browser(catalog.replica({"now": clock}))
    place = await left(browser)
    clock.now = int(browser.cookies[PENDING].split(".")[0]) + 601
    await refused(browser, place, status=400, says="older than ten minutes")
    clock.now -= 1
    assert (await returned(browser, place)).status == 200


async def test_an_answer_is_good_once(pages: Responder, people: LocalProvider) -> None:
    browser = Browser(pages)
    place = await left(browser)
    copy = Browser(pages)
    copy.cookies = dict(browser.cookies)
    assert (await returned(browser, place)).status == 200
    assert PENDING not in browser.cookies
    page = await returned(browser, place)
    assert (page.status, "cannot be finished" in page.text) == (400, True)
    assert await is_in(browser)  # who is signed in stays so
    await refused(copy, place, status=400, says="does not stand by its answer")


async def test_whoever_sends_answers_that_are_none_must_wait(
    catalog: Catalog, people: LocalProvider
) -> None:
    clock = Clock()
    catalog.limiter = Limiter(Rates(failures=Rate(0.1, 3), loopback=True), clock)
    pages = catalog.replica()
    alice, mallory = Browser(pages), Browser(pages)
    place = await left(alice)
    for _ in range(3):
        made = new_pending("/", time.time())
        mallory.cookies = {PENDING: made.written}
        answer = {"state": made.state, "code": "made-up", "iss": people.url}
        page = await mallory.open(f"{BACK}?{urlencode(answer)}")
        assert (page.status, "does not stand by its answer" in page.text) == (400, True)
    page = await returned(alice, place)
    assert (page.status, page.headers["retry-after"]) == (429, "10")
    assert len(people.forms) == 3, "the issuer is spared"
    clock.now += 10
    assert (await returned(alice, place)).status == 200, "the answer was not used up"


async def test_who_looks_ahead_uses_nothing_up(pages: Responder, people: LocalProvider) -> None:
    browser = Browser(pages)
    place = await left(browser)
    await browser.ask("HEAD", place)
    assert people.forms == []
    assert (await returned(browser, place)).status == 200


@pytest.mark.parametrize("named", ["https://evil.example", None, ""])
async def test_an_answer_of_another_issuer_is_not_taken(
    pages: Responder, people: LocalProvider, named: str | None
) -> None:
    browser = Browser(pages)
    place = changed(await left(browser), iss=named)
    await refused(browser, place, status=502, says="not what it should be")
    assert people.forms == []


async def test_issuers_that_never_say_who_they_are_need_not(
    catalog: Catalog, people: LocalProvider
) -> None:
    del people.about["authorization_response_iss_parameter_supported"]
    people.returned = {"iss": ""}
    browser, _ = await signed_in_by(catalog.replica())
    assert await is_in(browser)
    people.returned = {"iss": "https://evil.example"}
    browser = Browser(catalog.replica())
    await refused(browser, await left(browser), status=502, says="not what it should be")


NOT_FOR_US: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"nonce": "that-of-another"}, {}),
    ({"nonce": None}, {}),
    ({"nonce": 7}, {}),
    ({"aud": "another"}, {}),
    ({"aud": [CLIENT, "another"]}, {}),
    ({"aud": [CLIENT, "another"], "azp": "another"}, {}),
    ({"azp": "another"}, {}),
    ({"iss": "https://evil.example"}, {}),
    ({"exp": 1_700_000_000}, {}),
    ({"exp": None}, {}),
    ({"sub": None}, {}),
    ({}, {"number": 7}),
    ({}, {"head": {"kid": "unknown"}}),
    ({}, {"head": {"crit": ["x"]}}),
)


async def test_a_token_that_was_not_made_for_this_signs_nobody_in(
    pages: Responder, people: LocalProvider
) -> None:
    for claims, signed in NOT_FOR_US:
        people.claims, people.signed = claims, signed
        browser = Browser(pages)
        await refused(browser, await left(browser), status=502, says="not what it should be")
    people.claims, people.signed = {}, {}
    browser, _ = await signed_in_by(pages)
    assert await is_in(browser)


async def test_a_token_that_nobody_signed_signs_nobody_in(
    pages: Responder, people: LocalProvider
) -> None:
    for algorithm in ("none", "None", "HS256", "RS999"):
        people.forged = partial(forged, algorithm)
        browser = Browser(pages)
        await refused(browser, await left(browser), status=502, says="not what it should be")


def forged(algorithm: str, token: str) -> str:
    """The same with another head and no signature."""
    _, claims, _ = token.split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm}).encode()).decode().rstrip("=")
    return f"{head}.{claims}."


async def test_a_token_for_several_names_us_as_its_party(
    pages: Responder, people: LocalProvider
) -> None:
    people.claims = {"aud": [CLIENT, "another"], "azp": CLIENT}
    browser, _ = await signed_in_by(pages)
    assert await is_in(browser)


async def test_nobody_is_sent_elsewhere(pages: Responder) -> None:
    for wanted in (
        *("https://evil.example", "//evil.example", "/\\evil.example", "/signin"),
        *("javascript:1", "/é", "/x y", ""),
    ):
        browser, page = await signed_in_by(pages, wanted)
        assert page.place("Go on") == "/"
        assert await is_in(browser)


async def test_a_long_way_back_is_given_up(pages: Responder) -> None:
    _, page = await signed_in_by(pages, "/servers?search=" + "a" * 2000)
    assert page.place("Go on") == "/"


@pytest.mark.parametrize("site_of_it", ["cross-site", "same-site"])
async def test_a_page_of_another_site_makes_nobody_leave(
    pages: Responder, people: LocalProvider, site_of_it: str
) -> None:
    browser = Browser(pages)
    page = await browser.open(f"{START}?next=/tools", follow=False, sec_fetch_site=site_of_it)
    assert page.headers["location"] == "/signin?next=%2Ftools"
    assert PENDING not in browser.cookies
    assert people.asked == []


# ---------------------------------------------------------------- what goes wrong without anybody's doing


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        ("access_denied", 403, "did not agree"),
        ("invalid_scope", 403, "invalid_scope"),
        ("<b>boo</b>", 403, "It does not say why"),
        ("unauthorized_client", 502, "does not know this catalog"),
        ("temporarily_unavailable", 503, "cannot be asked now"),
    ],
)
async def test_a_refusal_is_told(
    pages: Responder, people: LocalProvider, error: str, status: int, says: str
) -> None:
    people.refusal = error
    browser = Browser(pages)
    await refused(browser, await left(browser, "/tools"), status=status, says=says)
    assert PENDING not in browser.cookies


async def test_an_issuer_that_is_away_is_told_before_anybody_leaves(
    catalog: Catalog, people: LocalProvider
) -> None:
    clock = Clock()
    pages = catalog.replica({"clock": clock})
    people.is_away = True
    browser = Browser(pages)
    page = await browser.open(f"{START}?next=/tools", follow=False)
    assert page.status == 503
    assert "Example ID cannot be asked now" in page.text
    assert page.place("Try again") == f"{PUBLIC}{START}?next=%2Ftools"
    people.is_away = False
    clock.now += 11
    assert (await returned(browser, await left(browser))).status == 200


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ((500, None), 503, "cannot be asked now"),
        ((302, None), 503, "cannot be asked now"),
        ((200, {"access_token": "x"}), 502, "not what it should be"),
        ((200, {"id_token": "x", "access_token": "y"}), 502, "not what it should be"),
        ((200, {"id_token": "x" * (1 << 18), "access_token": "y"}), 503, "cannot be asked now"),
        ((400, {"error": "invalid_client"}), 502, "does not know this catalog"),
        ((400, {"error": ["<b>"]}), 400, "does not stand by its answer"),
    ],
)
async def test_what_comes_for_the_code_is_not_believed(
    pages: Responder, people: LocalProvider, answer: tuple[int, Any], status: int, says: str
) -> None:
    people.status, people.answer = answer
    browser = Browser(pages)
    await refused(browser, await left(browser), status=status, says=says)


async def test_a_wrong_secret_is_told(catalog: Catalog, people: LocalProvider) -> None:
    browser = Browser(catalog.replica())
    place = await left(browser)
    (catalog.folder / "secret").write_text("old")
    await refused(browser, place, status=502, says="compares client id, secret and redirect")
    (catalog.folder / "secret").unlink()
    place = await left(browser)
    await refused(browser, place, status=502, says="compares client id, secret and redirect")


async def test_whom_the_api_does_not_know_is_told_what_is_missing(
    catalog: Catalog, people: LocalProvider
) -> None:
    browser = Browser(catalog.replica())
    place = await left(browser)
    catalog.access.write(catalog.access.without("none").__class__())
    pages = catalog.replica()
    other = Browser(pages)
    other.cookies = browser.cookies
    await refused(other, place, status=401, says="its tokens are not accepted here")


async def test_a_token_that_fits_into_no_request_is_told(
    pages: Responder, people: LocalProvider
) -> None:
    people.claims = {"groups": ["a-rather-long-name-of-a-group"] * (LONGEST // 30)}
    browser = Browser(pages)
    await refused(browser, await left(browser), status=502, says="Your token is too large")


async def test_an_issuer_that_describes_another_one_is_not_asked(
    catalog: Catalog, people: LocalProvider
) -> None:
    people.about["issuer"] = "https://evil.example"
    page = await Browser(catalog.replica()).open(START, follow=False)
    assert page.status == 503


async def test_where_people_sign_in_is_an_address_of_the_web(
    catalog: Catalog, people: LocalProvider
) -> None:
    for place in (None, "javascript:alert(1)", "file:///etc/passwd", "//evil", "https://é", 7):
        people.about["authorization_endpoint"] = place
        page = await Browser(catalog.replica()).open(START, follow=False)
        assert page.status == 503


async def test_private_places_beside_the_issuer_are_not_asked(
    catalog: Catalog, people: LocalProvider
) -> None:
    people.about["token_endpoint"] = "http://127.0.0.1:1/token"
    browser = Browser(catalog.replica())
    await refused(browser, await left(browser), status=503, says="cannot be asked now")
    people.about["token_endpoint"] = "http://169.254.169.254/token"
    browser = Browser(catalog.replica())
    await refused(browser, await left(browser), status=503, says="cannot be asked now")


async def test_the_issuer_is_reached_by_the_proxy_that_is_set(catalog: Catalog) -> None:
    nowhere = "http://127.0.0.1:1"
    for proxy, status in (
        (Proxy.parse(nowhere), 503),
        (Proxy.parse(nowhere, direct=("127.0.0.1",)), 303),
    ):
        page = await Browser(catalog.replica(proxy=proxy)).open(START, follow=False)
        assert page.status == status


# ---------------------------------------------------------------- links of other sites


async def test_who_follows_a_link_of_another_site_stays_signed_in(pages: Responder) -> None:
    """The strict cookie stays at home, and comes with what our own page asks for."""
    browser, _ = await signed_in_by(pages)
    kept = dict(browser.cookies)
    browser.cookies = {}
    page = await browser.open(
        "/servers?search=a&b=<c>", sec_fetch_site="cross-site", sec_fetch_mode="navigate"
    )
    assert (page.status, page.set_cookies) == (200, [])
    assert page.place("Go on") == "/servers?search=a&b=<c>"
    assert "osv" not in page.text
    browser.cookies = kept
    assert "osv" in (await browser.open(page.place("Go on"))).text.lower()
