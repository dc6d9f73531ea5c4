"""Everything without a mouse, and the focus is seen at every step."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.apps.dashboard.browser.looking import (
    HEIGHT,
    ZOOMED,
    Focus,
    Looking,
    focused,
    overflowing,
)
from tests.apps.dashboard.browser.places import SEVERAL

COMPARED = f"/servers/default/community/{SEVERAL}/compare"
MOST = 150
"""Times that one presses Tab before one gives up."""


def tab_to(page: Page, wanted: Callable[[Focus], bool]) -> Focus:
    """Goes on until the focus is on something; whatever had it on the way must have been seen to have it."""
    passed = []
    for _ in range(MOST):
        page.keyboard.press("Tab")
        now = focused(page)
        assert now.tag == "body" or now.is_seen, f"nobody sees that the focus is on {now}"
        if wanted(now):
            return now
        passed.append(now.text[:40])
    raise AssertionError(f"not reached by Tab: {passed}")


def says(words: str) -> Callable[[Focus], bool]:
    return lambda focus: words in focus.text


def test_first_of_all_one_can_skip_to_the_content(looking: Looking) -> None:
    page = looking.page()
    looking.open(page, "/servers")
    page.keyboard.press("Tab")
    first = focused(page)
    assert (first.text, first.is_seen) == ("Skip to the content", True)
    page.keyboard.press("Enter")
    tab_to(page, lambda focus: focus.id == "q")


def test_the_pages_are_one_row_where_there_is_little_room(looking: Looking) -> None:
    page = looking.page(width=ZOOMED, selected=("default/essentials/github",))
    looking.open(page, "/generate")
    assert not overflowing(page)
    links = page.get_by_role("navigation", name="Main").get_by_role("link")
    every = links.all()
    assert len({round(box["y"]) for each in every if (box := each.bounding_box())}) == 1
    expect(links.last).to_be_in_viewport(ratio=1)  # the page that one is on
    for label in ("Overview", "Generate"):
        tab_to(page, says(label))
        expect(page.locator(":focus")).to_be_in_viewport(ratio=1)


def test_a_slash_leads_to_the_search(looking: Looking) -> None:
    page = looking.page()
    looking.open(page, "/servers?search=postgres")
    page.keyboard.press("/")
    box = page.get_by_role("searchbox")
    expect(box).to_be_focused()
    page.keyboard.type("a/b")
    expect(box).to_have_value("a/b")
    looking.open(page, "/settings/access")
    page.keyboard.press("/")
    expect(page).to_have_url(re.compile("/servers$"))


def test_j_and_k_lead_from_difference_to_difference(looking: Looking) -> None:
    page = looking.page()
    looking.open(page, COMPARED)
    told = page.get_by_text("Press j for the next difference, k for the one before.")
    expect(told).to_be_visible()
    page.set_viewport_size({"width": ZOOMED, "height": HEIGHT})
    expect(told).to_be_hidden()
    rows = page.locator("tbody tr")
    count = rows.count()
    assert count > 1
    for key, index in (("k", count - 1), ("j", count - 1), ("k", count - 2), ("j", count - 1)):
        page.keyboard.press(key)
        expect(rows.nth(index)).to_be_focused()
        assert focused(page).is_seen
    for _ in range(count):
        page.keyboard.press("k")
    expect(rows.first).to_be_focused()
    page.keyboard.press("Control+j")
    page.locator("select").first.focus()
    page.keyboard.press("j")
    expect(page.locator("select").first).to_be_focused()


def test_where_there_is_no_difference_these_keys_do_nothing(looking: Looking) -> None:
    page = looking.page()
    looking.open(page, "/categories")
    page.keyboard.press("j")
    assert focused(page).tag == "body"


def test_without_scripts_no_key_is_promised(looking: Looking) -> None:
    page = looking.page(scripts=False)
    looking.open(page, COMPARED)
    expect(page.get_by_text("for the next difference")).to_be_hidden()
    expect(page.get_by_text("to search")).to_be_hidden()


def test_the_focus_stays_on_the_filter_that_was_set(looking: Looking) -> None:
    page = looking.page(width=360)
    looking.open(page, "/servers")
    tab_to(page, lambda focus: focus.tag == "summary" and "Filters" in focus.text)
    page.keyboard.press("Enter")
    tab_to(page, lambda focus: focus.id == "tier-Official")
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile(r"/servers\?tier=Official$"))
    expect(page.locator("#tier-Official")).to_be_focused()
    assert focused(page).is_seen
