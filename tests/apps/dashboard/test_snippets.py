"""A view of the list of servers as the filter of a registry."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser
from tests.apps.dashboard.conftest import guarded_pages, signed_in
from thv.apps.dashboard.snippets import Asked, snippet_of
from thv.domain.filter import Filter, Selection


@pytest.mark.parametrize(
    ("asked", "include"),
    [
        ({"tags": ["osv"]}, Selection(tags=("osv",))),
        (
            {"functional_category": ["a", "b"], "tier": ["Official"]},
            Selection(categories=("a", "b"), tiers=("Official",)),
        ),
        ({"transport": ["sse"], "search": ["words"]}, Selection(transports=("sse",))),
    ],
)
def test_what_a_filter_can_say_it_says(asked: Asked, include: Selection) -> None:
    assert snippet_of(asked).filter == Filter(include=include)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"tags": ["a", "b"]}, "any of them"),
        ({"tags": ["x" * 64]}, "longer"),
        ({"tier": ["a"] * 11}, "more"),
        ({"search": ["words"]}, "Name the servers"),
        ({"kind": ["remote"]}, "nothing of it"),
        ({"registry": ["default/a"]}, "source"),
    ],
)
def test_what_it_cannot_say_is_named(asked: Asked, word: str) -> None:
    snippet = snippet_of(asked)
    assert (snippet.filter, snippet.manifest) == (None, {})
    (unsaid,) = snippet.unsaid
    assert [unsaid.name] == list(asked)
    assert word in unsaid.instead


@pytest.mark.anyio
async def test_from_the_list_to_a_registry(site: CatalogSite, tmp_path: Path) -> None:
    await site.put("one", osv(), namespace="tools")
    admin = await signed_in(guarded_pages(site, tmp_path), "admin")
    listed = await admin.open("/servers?functional_category=security&transport=stdio&search=osv")
    page = await admin.open(listed.place("Use as the filter of a registry"))
    shown = page.html.partition("<code>")[2].partition("</code>")[0]
    include = {"categories": ["security"], "transports": ["stdio"]}
    assert yaml.safe_load(shown) == {"spec": {"filter": {"include": include}}}
    assert "leaves unsaid Words osv" in page.text
    assert page.place("Back to the").startswith("/servers?functional_category=security")
    wizard = await admin.send(page.form("/registries/new"))
    assert wizard.status == 200
    fields = wizard.form("/registries/new").fields
    assert {("include_categories", "security"), ("include_transports", "stdio")} <= set(fields)


@pytest.mark.anyio
async def test_a_view_of_everything_and_one_that_is_refused(browser: Browser) -> None:
    assert "No filter is set" in (await browser.open("/servers/filter")).text
    assert (await browser.open("/servers/filter?transport=pigeon")).status == 400
    words = await browser.open("/servers/filter?search=osv&trust_level=trusted")
    assert "Trust Trusted It is a property of a registry." in words.text
    assert "Nothing of this view can be said by a filter" in words.text
