"""A registry described step by step: errors at their fields, values carried along, applied or taken home."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
import yaml

from tests.apps.catalog_api.catalogs import CatalogSite, moment
from tests.apps.dashboard.browsing import Browser, Page
from tests.apps.dashboard.conftest import guarded_pages, signed_in
from tests.builders import server
from thv.apps.dashboard import drafts
from thv.apps.dashboard.pages import new_registry
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry
from thv.domain.resources import MCP_REGISTRY
from thv.domain.taxonomy import NO_TAXONOMY
from thv.sources.base import Fetched, Known
from thv.sources.memory import MemorySource
from thv.stores.chunks.memory import MemoryChunkStore
from thv.stores.mirrors.sqlite import SqliteMirrors, SqliteSelections
from thv.stores.resources.memory import MemoryStore
from thv.sync.flow import Locks, Opened, Tools

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("GOV-14")]

PLACE = "/registries/new"
BASE = {"namespace": "production", "name": "corp"}
URL = {"type": "url", "url": "https://mcp.example.com/servers.json"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody synchronizes here, so nobody waits."""
    monkeypatch.setattr(new_registry, "_PATIENCE", 0)


async def begun(browser: Browser, **values: str) -> Page:
    """The second step."""
    page = await browser.open(PLACE)
    told = {**BASE, **URL, **values}
    return await browser.send(page.form(PLACE), "Next", follow=True, **told)


async def test_from_a_source_to_a_registry(site: CatalogSite, tmp_path: Path) -> None:
    mia = await signed_in(guarded_pages(site, tmp_path), "maker")
    page = await begun(mia, type="git", repository="https://git.example.com/mcp.git", branch="")
    assert page.title.startswith("New registry: Format and filters")
    page = await mia.send(page.form(PLACE), "Next", exclude_tags="old, broken", include_names="a/*")
    page = await mia.send(page.form(PLACE), "Review", interval="30m", display_name='A "title"')
    assert "nothing stands in its way" in page.text
    assert "Only these names: a/* Not these tags: old, broken" in page.text
    made = await mia.send(page.form(PLACE), "Apply", follow=False)
    assert made.headers["location"] == "/registries/production/corp?done=made"
    stored = await site.resources.get(MCP_REGISTRY, "production", "corp")
    spec = stored["spec"]
    assert spec["source"]["git"]["repository"] == "https://git.example.com/mcp.git"
    assert spec["filter"] == {
        "include": {"names": ["a/*"]},
        "exclude": {"tags": ["old", "broken"]},
    }
    assert (spec["displayName"], spec["syncPolicy"]["interval"]) == ('A "title"', "30m")


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"name": ""}, "name", "Give it a name."),
        ({"namespace": ""}, "namespace", "Say in which namespace it belongs."),
        ({"namespace": "Not One"}, "namespace", "Must be lower-case letters, digits and -"),
        ({"url": ""}, "url", "Say where the document is."),
        ({"url": "ftp://x"}, "url", "Must be an http or https URL"),
        ({"url": "https://me:secret@x/y"}, "url", "put credentials into authSecret"),
        ({"name": "x" * 60}, "name", "at most 59 characters"),
        ({"type": "git", "repository": "/srv/x"}, "repository", "Must be an http, https or ssh URL"),
        ({"type": "git", "repository": "https://x/y", "branch": "a b"}, "branch", "must not contain spaces"),
        ({"type": "git", "repository": "https://x/y", "path": "../x"}, "path", "stay inside the repository"),
        ({"type": "magic"}, "type", "Choose where its servers come from."),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_at_its_field(
    browser: Browser, values: dict[str, str], field: str, said: str
) -> None:
    page = await begun(browser, **values)
    assert page.status == 400
    assert page.title.startswith("New registry: Source")
    assert said in page.text
    assert page.html.count('aria-invalid="true"') == 1
    if field in values and values[field] != "magic":
        assert (field, values[field]) in page.form(PLACE).fields


async def test_the_first_step_leads_to_the_review_at_once(
    site: CatalogSite, tmp_path: Path
) -> None:
    mia = await signed_in(guarded_pages(site, tmp_path), "maker")
    first = (await mia.open(PLACE)).form(PLACE)
    page = await mia.send(first, "Review now", follow=True, **BASE, **URL)
    assert page.title.startswith("New registry: Review")
    assert "nothing stands in its way" in page.text
    made = await mia.send(page.form(PLACE), "Apply", follow=False)
    assert made.headers["location"] == "/registries/production/corp?done=made"
    page = await mia.send(first, "Review now", follow=True, **BASE, type="url", url="")
    assert page.title.startswith("New registry: Source")


async def test_going_back_keeps_everything(browser: Browser) -> None:
    page = await begun(browser, name="kept")
    page = await browser.send(page.form(PLACE), "1. Source", exclude_tags="old")
    assert ("name", "kept") in page.form(PLACE).fields
    assert ("exclude_tags", "old") in page.form(PLACE).fields
    page = await browser.send(page.form(PLACE), "Next")
    assert ("exclude_tags", "old") in page.form(PLACE).fields


async def test_an_error_of_an_earlier_step_leads_there(browser: Browser) -> None:
    page = await begun(browser)
    page = await browser.send(page.form(PLACE), "Next")
    page = await browser.send(page.form(PLACE), "Review", url="nowhere")
    assert page.title.startswith("New registry: Source")
    assert "Must be an http or https URL" in page.text


async def test_who_may_not_apply_takes_the_manifest_home(browser: Browser) -> None:
    page = await begun(browser)
    page = await browser.send(page.form(PLACE), "Next")
    page = await browser.send(page.form(PLACE), "Review", trust_level="tested")
    form = page.form(PLACE)
    assert not [each for each in form.buttons if each[0] == "Apply"]
    assert "You may not apply it yourself" in page.text
    home = await browser.send(form, "Download")
    assert home.headers["content-disposition"] == 'attachment; filename="registry.yaml"'
    manifest = yaml.safe_load(home.html)
    assert manifest == {
        "apiVersion": "toolhive.stacklok.io/v1alpha1",
        "kind": "MCPRegistry",
        "metadata": BASE,
        "spec": {
            "trustLevel": "tested",
            "source": {"type": "url", "url": {"url": URL["url"]}},
            "syncPolicy": {"interval": "1h"},
        },
    }


async def test_a_name_that_is_taken_and_a_right_that_lacks(
    site: CatalogSite, tmp_path: Path
) -> None:
    mia = await signed_in(guarded_pages(site, tmp_path), "maker")
    manifest = drafts.manifest_of({**BASE, **URL})
    await site.resources.create(manifest, manager="test")
    page = await begun(mia)
    page = await mia.send(page.form(PLACE), "Next")
    page = await mia.send(page.form(PLACE), "Review")
    assert page.title.startswith("New registry: Source")
    assert "Is taken; choose another name" in page.text
    elsewhere = await begun(mia, namespace="elsewhere")
    form = elsewhere.form(PLACE)
    refused = await mia.post(PLACE, [*form.fields, ("to", "apply")])
    assert refused.status == 403
    assert "You may not create mcpregistries" in refused.text


async def test_the_manifest_follows_what_is_typed(browser: Browser) -> None:
    form = (await browser.open(PLACE)).form(PLACE)
    pairs = [*(each for each in form.fields if each[0] != "name"), ("name", "live")]
    part = await browser.post(PLACE, pairs, hx_request="true")
    assert "name: live" in part.text
    assert "<form" not in part.html
    whole = await browser.post(PLACE, [*pairs, ("to", "yaml")])
    assert "name: live" in whole.text
    assert ("name", "live") in whole.form(PLACE).fields


@pytest.mark.parametrize(
    "values",
    [
        URL,
        {"type": "git", "repository": "https://x.example/y.git", "path": "a/b.json", "secret": "s"},
        {"type": "registry_url", "registry_url": "https://x.example", "versions": "all"},
        {"type": "registry", "registry": "other"},
        {"type": "configmap", "configmap": "servers", "key": "x.json"},
        {"type": "file", "file": "/srv/registry.json"},
        {**URL, **dict.fromkeys(("enforce_servers", "enforce_tools", "anonymous_read", "suspended"), "true")},
    ],
    ids=lambda values: values["type"],
)  # fmt: skip
async def test_every_source_makes_a_manifest_that_keeps_the_rules(values: dict[str, str]) -> None:
    manifest = drafts.manifest_of({**drafts.DEFAULTS, **BASE, **values})
    await MemoryStore().create(manifest, manager="test")


# ---------------------------------------------------------------- tried out


class Reading:
    """A source that a test publishes to, read by whoever tries it."""

    def __init__(self, source: MemorySource) -> None:
        self._source = source
        self._mirrors, self._selections = SqliteMirrors(None), SqliteSelections(None)
        self.tools = Tools(
            open_source=self._opened,
            mirrors=self._mirrors,
            selections=self._selections,
            chunks=MemoryChunkStore(),
            taxonomy=NO_TAXONOMY,
            clock=moment,
            locks=Locks(),
        )

    async def _opened(self, _: Registry) -> Opened:
        return Opened(self._source, "tried")

    async def close(self) -> None:
        self._mirrors.close()
        self._selections.close()


def source_of(*servers: JsonObject) -> MemorySource:
    source = MemorySource()
    source.publish(msgspec.json.encode(servers))
    return source


async def trying(site: CatalogSite, folder: Path, source: MemorySource) -> Browser:
    """Somebody who may make registries, where this is what sources hold."""
    await site.put("there", namespace="production")
    pages = guarded_pages(site, folder, lambda *_: Reading(source))
    return await signed_in(pages, "maker")


async def test_a_source_is_tried_before_there_is_a_registry(
    site: CatalogSite, tmp_path: Path
) -> None:
    source = source_of(server("a/one"), server("a/two"), server("b/three"), {"name": "c/bad"})
    mia = await trying(site, tmp_path, source)
    page = await mia.open(PLACE)
    page = await mia.send(page.form(PLACE), "Try it", follow=True, **BASE, **URL)
    assert page.title.startswith("New registry: Source")
    assert (
        "What it would take 3 of 3 versions of servers in the official format; 1 could not be read."
        in page.text
    )
    assert "a/two" in page.text
    page = await mia.send(page.form(PLACE), "Next")
    page = await mia.send(page.form(PLACE), "Try it", exclude_names="b/*")
    assert "its filter leaves out 1" in page.text
    assert "b/three Not these names" in page.text
    assert ("exclude_names", "b/*") in page.form(PLACE).fields
    part = await mia.post(PLACE, [*page.form(PLACE).fields, ("to", "try")], hx_request="true")
    assert "What it would take" in part.text
    assert "<form" not in part.html


async def test_a_source_that_cannot_be_read_says_why(site: CatalogSite, tmp_path: Path) -> None:
    source = MemorySource()
    source.fail(ThvError(Code.SOURCE_UNREACHABLE, "nobody answers", hint="Look at the name."))
    mia = await trying(site, tmp_path, source)
    form = (await mia.open(PLACE)).form(PLACE)
    page = await mia.send(form, "Try it", follow=True, **BASE, **URL)
    assert (page.status, "The source cannot be read: nobody answers" in page.text) == (200, True)
    lacking = await mia.send(form, "Try it", follow=True, **BASE)
    assert (lacking.status, "Say where the document is." in lacking.text) == (400, True)
    wrong = await mia.send(form, "Try it", follow=True, **{**BASE, **URL, "url": "nowhere"})
    assert "Must be an http or https URL" in wrong.text
    part = await mia.post(PLACE, [*form.fields, ("to", "try")], hx_request="true")
    assert "Say where the document is." in part.text


async def test_few_sources_are_tried_at_once(site: CatalogSite, tmp_path: Path) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    class Slow(MemorySource):
        async def fetch(self, known: Known) -> Fetched:
            asked.set()
            await go.wait()
            return await super().fetch(known)

    slow = Slow()
    slow.publish(msgspec.json.encode([server("a/one")]))
    mia = await trying(site, tmp_path, slow)
    form = (await mia.open(PLACE)).form(PLACE)
    first = asyncio.ensure_future(mia.send(form, "Try it", follow=True, **BASE, **URL))
    async with asyncio.timeout(30):
        await asked.wait()
    second = await mia.send(form, "Try it", follow=True, **BASE, **URL)
    assert (second.status, "Your last source is still being read." in second.text) == (429, True)
    go.set()
    assert "1 of 1 version of a server" in (await first).text


async def test_a_service_that_reads_no_sources_offers_no_trial(
    site: CatalogSite, tmp_path: Path
) -> None:
    await site.put("there", namespace="production")
    mia = await signed_in(guarded_pages(site, tmp_path), "maker")
    form = (await mia.open(PLACE)).form(PLACE)
    assert not [each for each in form.buttons if each[0] == "Try it"]


async def test_what_cannot_be_tried_says_so_before_anybody_tries(
    site: CatalogSite, tmp_path: Path
) -> None:
    await site.put("there", namespace="production")
    pages = guarded_pages(
        site, tmp_path, lambda *_: Reading(source_of(server("a/one"))), tries={"url", "registry"}
    )
    mia = await signed_in(pages, "maker")
    page = await mia.open(PLACE)
    assert 'class="small muted of of-git of-configmap"' in page.html
    assert '<span class="of of-url of-registry_url of-registry"><button' in page.html
    git = {**BASE, "type": "git", "repository": "https://git.example.com/a.git"}
    page = await mia.send(page.form(PLACE), "Next", follow=True, **git)
    assert "cannot be tried here before there is a registry" in page.text
    assert not [each for each in page.form(PLACE).buttons if each[0] == "Try it"]
    page = await mia.send((await mia.open(PLACE)).form(PLACE), "Next", follow=True, **BASE, **URL)
    assert "cannot be tried" not in page.text
    assert [each for each in page.form(PLACE).buttons if each[0] == "Try it"]


async def test_who_may_make_nothing_is_not_offered_to_try(
    site: CatalogSite, tmp_path: Path
) -> None:
    pages = guarded_pages(site, tmp_path, lambda *_: Reading(source_of()))
    rob = await signed_in(pages, "reader")
    form = (await rob.open(PLACE)).form(PLACE)
    assert not [each for each in form.buttons if each[0] == "Try it"]
    pairs = [
        *((n, v) for n, v in form.fields if n not in {**BASE, **URL}),
        *{**BASE, **URL}.items(),
    ]
    refused = await rob.post(PLACE, [*pairs, ("to", "try")])
    assert refused.status == 403
