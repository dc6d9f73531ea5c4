"""Search as you type: the list changes, the page does not, and the address is the state."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.apps.dashboard.browser.looking import Looking


def _typed(looking: Looking, words: str) -> Page:
    page = looking.page()
    looking.open(page, "/servers")
    page.evaluate("document.body.dataset.since = 'loaded'")
    page.get_by_role("searchbox").press_sequentially(words)
    expect(page).to_have_url(re.compile(rf"/servers\?search={words}$"))
    return page


def _is_the_page_that_was_loaded(page: Page) -> bool:
    return bool(page.evaluate("document.body.dataset.since === 'loaded'"))


def test_results_change_while_one_types(looking: Looking) -> None:
    page = _typed(looking, "postgres")
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"\d+ of \d+ servers"))
    expect(page.locator("#results .row").first).to_contain_text(
        re.compile("postgres", re.IGNORECASE)
    )
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("postgres")
    assert _is_the_page_that_was_loaded(page)


def test_back_is_what_was_before(looking: Looking) -> None:
    page = _typed(looking, "postgres")
    page.go_back()
    expect(page).to_have_url(re.compile("/servers$"))
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^\d+ servers$"))
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_a_filter_narrows_down_at_once_and_its_chip_takes_it_away(looking: Looking) -> None:
    page = looking.page()
    looking.open(page, "/servers")
    everything = page.get_by_role("status").inner_text()
    page.get_by_role("checkbox", name=re.compile("Official")).check()
    expect(page).to_have_url(re.compile(r"/servers\?tier=Official$"))
    expect(page.get_by_role("status")).to_contain_text(" of ")
    page.get_by_role("link", name=re.compile("Tier: Official")).click()
    expect(page).to_have_url(re.compile("/servers$"))
    expect(page.get_by_role("status")).to_have_text(everything)
    page.get_by_role("checkbox", name=re.compile("any host")).check()
    expect(page.get_by_role("link", name=re.compile("May reach: any host"))).to_be_visible()


def test_nothing_found_says_what_to_do(looking: Looking) -> None:
    page = _typed(looking, "qqqqzzzz")
    expect(page.get_by_role("heading", name="No server fits")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("0 of ")
    expect(page.get_by_role("complementary", name="Filters")).to_have_count(0)
