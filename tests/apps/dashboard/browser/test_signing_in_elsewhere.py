"""Signing in at an issuer of another site, in a real browser: what it sends along, and what it keeps at home."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.apps.dashboard.browser.conftest import _watched
from tests.apps.dashboard.browser.looking import (
    HEIGHT,
    SCHEMES,
    WIDTHS,
    Looking,
    judge,
    overflowing,
)
from tests.apps.kit.provider import CLIENT, SECRET, LocalProvider, a_provider
from tests.apps.standalone.process import Process
from thv.formats.tokens import AccessFile, Binding, Issuer, render_access

pytestmark = pytest.mark.requirement("OPS-01")

BUTTON = "Sign in with Example ID"


@pytest.fixture(scope="module")
def people() -> Iterator[LocalProvider]:
    with a_provider(name="localhost") as provider:
        yield provider


@pytest.fixture(scope="module")
def vouched(tmp_path_factory: pytest.TempPathFactory, people: LocalProvider) -> Iterator[Process]:
    """A service that lets in whom the issuer vouches for."""
    home = tmp_path_factory.mktemp("vouched")
    trusted = Issuer(url=people.url, audiences=(CLIENT,))
    alice = Binding(user="oidc:alice", role="toolhive-registry-admin")
    for name, content in (
        ("tokens.yaml", render_access(AccessFile(issuers=(trusted,), bindings=(alice,)))),
        ("secret", SECRET.encode()),
    ):
        (home / name).write_bytes(content)
        os.chmod(home / name, 0o600)
    with Process(
        home,
        *("--data", "data", "serve", "--port", "0", "--token-file", "tokens.yaml"),
        *("--oidc-issuer", people.url, "--oidc-client-id", CLIENT),
        *("--oidc-client-secret-file", "secret"),
        THV_OIDC_NAME="Example ID",
    ) as process:
        yield process


@pytest.fixture
def catalog(chromium: Browser, vouched: Process, people: LocalProvider) -> Iterator[Looking]:
    people.user, people.holds, people.refusal = "alice", False, ""
    yield from _watched(Looking(chromium, f"http://127.0.0.1:{vouched.port}", people.url))


def is_alice(page: Page) -> None:
    expect(page.locator("header .who")).to_have_text("oidc:alice")


def look_well(page: Page, name: str, pictures: Path) -> None:
    """Accessible and within its window, whatever the scheme and width."""
    wrong = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": HEIGHT})
            wrong += [*judge(page, colours_alone=scheme != SCHEMES[0]), *overflowing(page)]
            page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", full_page=True)
    assert not wrong


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_one_click_there_one_agreement_and_one_is_in(
    catalog: Looking, people: LocalProvider, scripts: bool
) -> None:
    people.holds = True
    page = catalog.page(scripts=scripts)
    catalog.open(page, "/registries?search=corp")
    expect(page).to_have_url(re.compile("/signin[?]next="))
    page.get_by_role("link", name=BUTTON).click()
    page.get_by_role("link", name="Continue as alice").click()
    expect(page).to_have_url(re.compile("/registries[?]search=corp$"))
    is_alice(page)
    (session,) = page.context.cookies()
    assert (session.get("name"), session.get("sameSite")) == ("thv_session", "Strict")
    assert session.get("httpOnly")


def test_a_session_there_and_a_link_of_another_site(
    catalog: Looking, vouched: Process, people: LocalProvider
) -> None:
    """Redirects alone lead in; a link of the other site leads to the page, and ends no session."""
    page = catalog.page()
    catalog.open(page, "/signin?next=/tools")
    page.get_by_role("link", name=BUTTON).click()
    expect(page).to_have_url(re.compile("/tools$"))
    is_alice(page)
    catalog.expect_refusal(page, "/signin/callback")
    for place, leads in (
        ("/categories", "/categories$"),
        ("/signin/issuer?next=/tools", "/signin[?]next=%2Ftools$"),
        ("/signin/callback?code=x&state=y", "/signin/callback"),
    ):
        page.goto(f"{people.url}/link?to={quote(catalog.origin + place, safe='')}")
        page.get_by_role("link", name="Look at this").click()
        expect(page).to_have_url(re.compile(leads))
    expect(page.get_by_role("heading", level=1)).to_have_text("This sign-in cannot be finished")
    catalog.open(page, "/tools")
    is_alice(page)

    page.locator("header summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="sign out there, too").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Signed out")
    codes = [form["code"] for form in people.forms]
    assert not [code for code in codes if code in vouched.said]
    assert not [token for token in people.id_tokens if token in vouched.said]


def test_pages_of_the_sign_in_are_good_to_look_at(
    catalog: Looking, people: LocalProvider, pictures: Path
) -> None:
    page = catalog.page()
    catalog.open(page, "/signin?ended=true")
    look_well(page, "signin-issuer", pictures)
    page.get_by_text("Sign in with a token instead").click()
    look_well(page, "signin-issuer-token", pictures)
    people.refusal = "access_denied"
    catalog.expect_refusal(page, "/signin/callback")
    page.get_by_role("link", name=BUTTON).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Example ID did not sign you in")
    look_well(page, "signin-refused", pictures)
