"""A registry of selected servers, while one types: nothing that is pressed goes, and nothing that was typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.apps.dashboard.browser.looking import Looking

SELECTED = ("default/essentials/github", "default/essentials/linear")


def generating(looking: Looking) -> Page:
    page = looking.page(selected=SELECTED)
    looking.open(page, "/generate")
    return page


def press_slowly(page: Page, what: Locator) -> None:
    """The title is changed just before, and what that comes to is there before the button of the mouse is up."""
    what.scroll_into_view_if_needed()
    box = what.bounding_box()
    assert box is not None
    page.get_by_label("Title").focus(timeout=30_000)
    page.keyboard.type("x")
    with page.expect_response(re.compile("/generate/render")) as waited:
        page.mouse.move(box["x"] + 10, box["y"] + 10)
        page.mouse.down()
    waited.value.finished()
    # Whatever would have been replaced is replaced before the second frame after it.
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    page.mouse.up()


@pytest.mark.requirement("CAT-11")
def test_what_is_pressed_is_not_replaced_before_it_is_clicked(looking: Looking) -> None:
    page = generating(looking)
    press_slowly(page, page.locator("#images > summary"))
    expect(page.locator("#images")).to_have_attribute("open", "")
    expect(page.locator("#preview")).to_contain_text('displayName: "x"')
    with page.expect_download() as waited:
        press_slowly(page, page.get_by_role("button", name="YAML", exact=True))
    assert "kind: MCPRegistry" in Path(waited.value.path()).read_text()


def test_what_is_wrong_is_said_at_its_field_while_it_is(looking: Looking) -> None:
    page = generating(looking)
    name, buttons = page.get_by_label("Name", exact=True), page.locator(".outcome .actions button")
    count = buttons.count()
    name.fill("Bad Name")
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_accessible_description(re.compile("at most 52 characters[.] Must start"))
    expect(buttons).to_have_count(count)
    expect(page.locator("#preview")).to_contain_text("name: my-registry")
    name.fill("good")
    expect(page.locator("#preview")).to_contain_text("name: good")
    expect(name).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator(".wrong")).to_have_count(0)


def test_what_was_typed_is_there_after_one_was_elsewhere(looking: Looking) -> None:
    page = generating(looking)
    page.get_by_label("Registry that mirrors the images").fill("mirror.corp/mcp")
    expect(page.locator("#outcome")).to_contain_text("in a network without a way out")
    page.get_by_label("create_branch", exact=True).first.uncheck()
    expect(page.locator("#preview")).to_contain_text("MCPToolConfig")
    looking.open(page, "/servers")
    looking.open(page, "/generate")
    expect(page.get_by_label("Registry that mirrors the images")).to_have_value("mirror.corp/mcp")
    expect(page.get_by_label("create_branch", exact=True).first).not_to_be_checked()


@pytest.mark.requirement("CAT-11")
def test_whoever_points_goes_on_with_the_next_search(looking: Looking) -> None:
    page = looking.page()
    looking.open(page, "/")
    page.keyboard.type("/github")
    page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("^Select github$")).click()
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("osv")
    expect(page.locator(".rows > li")).to_have_count(1)
    chosen = page.get_by_role("button", name=re.compile("^Select osv$"))
    expect(chosen).to_have_attribute("data-htmx-powered", "true")
    chosen.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".pick a", has_text="default/essentials/osv")).to_be_focused()
    expect(page.locator("#selection-count")).to_have_text(re.compile("^2"))
