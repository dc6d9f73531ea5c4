"""A registry that is described: what it comes to is shown while one types, and nothing of it needs a mouse."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.apps.dashboard.browser.conftest import Guarded
from tests.apps.dashboard.browser.looking import Looking
from tests.apps.dashboard.browser.test_keyboard import says, tab_to

PLACE = "/registries/new"


def manifest(page: Page) -> str:
    """As it is shown beside the form."""
    return page.get_by_role("region", name="Manifest of the registry").inner_text()


def test_the_manifest_follows_what_one_types_and_chooses(looking: Looking) -> None:
    page = looking.page()
    looking.open(page, PLACE)
    shown = page.get_by_role("region", name="Manifest of the registry")
    page.get_by_label("Name", exact=True).press_sequentially("live")
    expect(shown).to_contain_text("name: live")
    repository = page.get_by_label("Repository", exact=True)
    expect(repository).to_be_hidden()
    page.get_by_label("A Git repository").check()
    expect(repository).to_be_visible()
    expect(page.get_by_label("Address of the document")).to_be_hidden()
    expect(shown).to_contain_text("type: git")
    expect(page.locator("#wizard .actions .primary")).to_be_in_viewport(ratio=1)


def test_from_the_first_step_to_the_review_by_keyboard(looking: Looking) -> None:
    page = looking.page()
    looking.open(page, PLACE)
    for label, words in (("Namespace", "team-a"), ("Name", "corp")):
        tab_to(page, says(label))
        page.keyboard.press("Control+a")
        page.keyboard.type(words)
    tab_to(page, says("A document on the web"))
    tab_to(page, says("Address of the document"))
    page.keyboard.type("https://mcp.example.com/servers.json")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Which servers does it take?")).to_be_visible()
    tab_to(page, says("Not these tags"))
    page.keyboard.type("deprecated")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Time between two syncs")).to_be_visible()
    tab_to(page, lambda focus: focus.text == "Review")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It keeps to all rules.")).to_be_visible()
    assert "- deprecated" in manifest(page)


def test_without_scripts_the_manifest_is_shown_by_a_button(looking: Looking) -> None:
    page = looking.page(scripts=False)
    looking.open(page, PLACE)
    page.get_by_label("Name", exact=True).fill("plain")
    page.get_by_role("button", name="Show YAML").click()
    assert "name: plain" in manifest(page)
    page.get_by_label("A ConfigMap").check()
    expect(page.get_by_label("Name of the ConfigMap")).to_be_visible()


def test_what_came_of_a_trial_stands_beside_the_form(strange: Looking, guarded: Guarded) -> None:
    page = strange.page()
    strange.open(page, "/signin")
    page.locator("#token").fill(guarded.token)
    page.get_by_role("button", name="Sign in").click()
    strange.open(page, PLACE)
    page.get_by_label("Namespace", exact=True).fill("default")
    page.get_by_label("Name", exact=True).fill("tried")
    trial = page.get_by_role("button", name="Try it")
    trial.click()
    rail = page.locator("#rail")
    expect(rail).to_contain_text("Say where the document is.")
    page.get_by_label("Address of the document").fill("https://127.0.0.1:1/servers.json")
    expect(rail).not_to_contain_text("Say where the document is.")
    trial.click()
    expect(rail).to_contain_text("The source cannot be read: ")
    expect(rail).to_contain_text("a loopback address")
    expect(trial).to_be_focused()
