"""From a search to a registry of one's own: by keyboard, and without scripts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.apps.dashboard.browser.conftest import Guarded
from tests.apps.dashboard.browser.looking import Looking, focused, judge
from tests.apps.dashboard.browser.places import BROKEN
from tests.apps.dashboard.browser.test_hostile import enter
from tests.apps.dashboard.browser.test_keyboard import says, tab_to


@pytest.mark.requirement("CAT-11")
def test_search_open_select_and_generate_by_keyboard(looking: Looking) -> None:
    page = looking.page()
    looking.open(page, "/")
    page.keyboard.press("/")
    page.keyboard.type("issues on github")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/servers[?]search=issues"))
    tab_to(page, lambda focus: focus.href == "/servers/default/essentials/github")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("GitHub")
    tab_to(page, says("Select for a registry"))
    page.keyboard.press("Enter")
    expect(page.locator("#selection-count")).to_have_text(re.compile("^1"))
    looking.open(page, "/servers")
    tab_to(page, lambda focus: focus.href == "/generate")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/generate$"))
    expect(page.locator("main")).to_contain_text("github")


@pytest.mark.requirement("GOV-14")
def test_from_trouble_to_what_to_do_by_keyboard(looking: Looking) -> None:
    page = looking.page()
    looking.open(page, "/")
    tab_to(page, lambda focus: focus.href == f"/registries/default/{BROKEN}")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/registries/default/{BROKEN}$"))
    expect(page.locator("main")).to_contain_text("refused")


@pytest.mark.requirement("OPS-01")
def test_signing_in_and_out_by_keyboard(strange: Looking, guarded: Guarded) -> None:
    page = strange.page()
    strange.open(page, "/registries")
    expect(page).to_have_url(re.compile("/signin[?]next="))
    assert focused(page).id == "token"
    page.keyboard.type(guarded.token)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/registries$"))
    (before,) = page.context.cookies()
    tab_to(page, lambda focus: focus.tag == "summary" and "ada" in focus.text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    page.keyboard.press("Enter")
    tab_to(page, says("Sign out"))
    page.keyboard.press("Enter")
    expect(page.locator("details.menu")).to_have_count(0)
    assert before not in page.context.cookies()
    strange.open(page, "/registries")
    expect(page).to_have_url(re.compile("/signin[?]next="))


@pytest.mark.requirement("CAT-07", "CAT-11")
def test_without_scripts_a_filter_is_set_by_a_button_and_a_registry_is_taken_along(
    looking: Looking,
) -> None:
    page = looking.page(scripts=False)
    looking.open(page, "/servers")
    page.get_by_role("checkbox", name=re.compile("Official")).check()
    page.get_by_role("button", name="Apply filters").click()
    expect(page.get_by_role("status")).to_contain_text(" of ")
    page.get_by_role("button", name=re.compile("^Select")).first.click()
    looking.open(page, "/generate")
    page.get_by_label("Namespace", exact=True).fill("team-a")
    page.get_by_role("button", name="Update the preview").click()
    expect(page.locator("#preview")).to_contain_text("kind: MCPRegistry")
    with page.expect_download() as waited:
        page.get_by_role("button", name="YAML", exact=True).click()
    assert "kind: MCPRegistry" in Path(waited.value.path()).read_text()


@pytest.mark.requirement("SRV-02", "GOV-14")
def test_a_server_that_was_started_by_hand_is_adopted_by_keyboard(
    strange: Looking, guarded: Guarded
) -> None:
    page = strange.page()
    enter(strange, guarded, page)
    strange.open(page, "/deployments")
    tab_to(page, lambda focus: focus.href == "/deployments?origin=none")
    page.keyboard.press("Enter")
    page.wait_for_url("**/deployments?origin=none")
    tab_to(page, lambda focus: (focus.href or "").startswith("/deployments/adopt?"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Adopt script-container")
    typed = page.get_by_label("Registry", exact=True)
    expect(typed).to_be_hidden()
    page.get_by_label("Another one").check()
    typed.fill("toolhive")
    page.get_by_label("Server", exact=True).fill("nowhere")
    strange.expect_refusal(page, "/deployments/adopt")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Is not in this registry")
    assert not judge(page)
    page.get_by_role("radio").first.check()
    expect(page.get_by_label("Server", exact=True)).to_be_hidden()
    tab_to(page, says("Adopt"))
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Adopted.")
    expect(page.locator("main")).to_contain_text("Another image than the registry has")
