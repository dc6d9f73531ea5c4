"""A registry that is described: what it comes to is shown while one types, and nothing of it needs a mouse."""

from __future__ import annotations

from playwright.sync_api import Page, expect

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
