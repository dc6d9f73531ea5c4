"""The pages of registries: what is in trouble and why, in words, and what one may do about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.apps.catalog_api.catalogs import CatalogSite, osv
from tests.apps.dashboard.browsing import Browser
from tests.apps.dashboard.conftest import guarded_pages, signed_in
from tests.builders import manifest
from thv.apps.dashboard.pages import registries
from thv.apps.dashboard.pages import registry as registry_page
from thv.apps.dashboard.rights import Who
from thv.domain.canonical import JsonObject
from thv.domain.left_out import LeftOut, pack
from thv.domain.registry import load_registry
from thv.domain.registry_status import Statistics
from thv.domain.resources import MCP_REGISTRY, annotations_of
from thv.domain.times import render_time
from thv.stores.chunks.base import Owner

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("GOV-14")]

AWAY = "the name registry.partner.invalid has no address"
DIGEST = "sha256:" + "ab" * 32


def a_condition(kind: str, status: str, reason: str, message: str = "") -> JsonObject:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-11-20T10:30:00Z",
        "observedGeneration": 1,
    }


def a_run(outcome: str, began: str, ended: str, **more: Any) -> JsonObject:
    return {"startedAt": began, "finishedAt": ended, "outcome": outcome, **more}


FINE = (
    a_condition("SourceAvailable", "True", "Fetched"),
    a_condition("SyncSucceeded", "True", "Succeeded", "1 server"),
    a_condition("Ready", "True", "Succeeded", "1 server"),
)
BROKEN = (
    a_condition("SourceAvailable", "False", "SourceUnreachable", AWAY),
    a_condition("SyncSucceeded", "False", "Retrying", AWAY),
    a_condition("Ready", "False", "SourceNotReady", AWAY),
    a_condition("Reconciling", "True", "Retrying", AWAY),
)
STALE = (*BROKEN[:2], a_condition("Ready", "True", "ServingLastGood", AWAY))


async def leave_out(site: CatalogSite, name: str, *names: LeftOut, more: int = 0) -> None:
    """Has a registry of `tools` leave these out, and `more` entries that are not in its list."""
    served = site.find("tools", name)
    assert served is not None
    registry, chunk = served.registry, pack(names)
    owner = Owner(registry.namespace, registry.name, registry.uid)
    blocked = sum(each.versions for each in names if "blocked" in each.rules[0])
    counts = Statistics(
        filtered_out=sum(each.versions for each in names) - blocked + more,
        blocked=blocked,
        left_out=await site.chunks.put(owner, chunk) if chunk else None,
    )
    status = msgspec.structs.replace(registry.status, statistics=counts)
    served.describe(msgspec.structs.replace(registry, status=status))


async def put(
    site: CatalogSite,
    name: str,
    *conditions: JsonObject,
    phase: str = "Ready",
    sync: JsonObject | None = None,
    **spec: Any,
) -> None:
    """A registry that says this of itself, in `tools`, also where it would be written."""
    place = await site.put(name, osv(), namespace="tools", **spec)
    obj = manifest(name, **spec)
    obj["metadata"]["namespace"] = "tools"
    await site.resources.create(obj, manager="test")
    status = {
        "phase": phase,
        "conditions": list(conditions),
        "serverCount": 1,
        "syncStatus": {"lastSyncTime": "2026-11-20T10:30:00Z", **(sync or {})},
    }
    place.served.describe(load_registry({**obj, "status": status}))


# ---------------------------------------------------------------- the list


async def test_those_in_trouble_stand_first(site: CatalogSite, browser: Browser) -> None:
    await put(site, "fine", *FINE)
    await put(site, "wrong", *BROKEN, phase="Failed", displayName="Partner catalog")
    page = await browser.open("/registries")
    assert page.text.index("Partner catalog") < page.text.index("tools/fine")
    assert "2 registries, 1 not ready" in page.text
    assert page.place("Partner catalog") == "/registries/tools/wrong"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"type": "registry", "registry": {"registryRef": {"name": "raw"}}}, "registry raw"),
        ({"type": "configmap", "configMap": {"name": "corp-servers"}}, "ConfigMap corp-servers"),
        ({"type": "file", "file": {"path": "/srv/secret/registry.json"}}, "file registry.json"),
        (
            {"type": "git", "git": {"repository": "https://git.example.com/token/mcp.git?x=1"}},
            "Git mcp git.example.com",
        ),
        ({"type": "git", "git": {"repository": "git@example.com:mcp.git"}}, "Git mcp example.com"),
        ({"type": "url", "url": {"url": "https://example.com/token/x"}}, "URL example.com"),
    ],
)
async def test_a_source_is_told_by_its_name_and_host_alone(
    site: CatalogSite, browser: Browser, source: JsonObject, said: str
) -> None:
    await put(site, "fine", *FINE, source=source)
    page = await browser.open("/registries")
    assert said in page.text
    assert "token" not in page.text
    assert "secret" not in page.text


async def test_who_may_read_the_manifest_sees_where_exactly_a_source_is(
    site: CatalogSite, tmp_path: Path
) -> None:
    git = {"repository": "https://git.example.com/mcp.git", "tag": "v1", "path": "all.json"}
    await put(site, "fine", *FINE, source={"type": "git", "git": git})
    reader = await signed_in(guarded_pages(site, tmp_path), "reader")
    page = await reader.open("/registries/tools/fine")
    assert "Git mcp at git.example.com https://git.example.com/mcp.git · v1 · all.json" in page.text


async def test_a_registry_over_another_one_leads_to_it_and_says_that_it_waits(
    site: CatalogSite, browser: Browser
) -> None:
    source = {"type": "registry", "registry": {"registryRef": {"name": "raw"}}}
    because = 'it waits: the registry "raw" has not served anything yet'
    waits = [
        a_condition(kind, status, "Progressing", because)
        for kind, status in (("Ready", "False"), ("Reconciling", "True"))
    ]
    await put(site, "above", *waits, phase="Pending", sync={"phase": "Idle"}, source=source)
    page = await browser.open("/registries/tools/above")
    assert page.place("raw") == "/registries/tools/raw"
    assert 'It waits: the registry "raw" has not served anything yet. Its first sync' in page.text
    assert "What is wrong" not in page.html


async def test_the_list_is_narrowed_down_by_its_form(site: CatalogSite, browser: Browser) -> None:
    await put(site, "fine", *FINE, trustLevel="trusted")
    await put(site, "wrong", *BROKEN, phase="Failed")
    form = (await browser.open("/registries")).form("/registries")
    troubled = await browser.send(form, ready="false")
    assert "1 of 2 registries" in troubled.text
    assert "tools/wrong" in troubled.text
    assert "tools/fine" not in troubled.text
    nothing = await browser.send(form, search="nowhere")
    assert "No registry fits" in nothing.text
    wrong = await browser.open("/registries?trust_level=holy")
    assert wrong.status == 400


async def test_a_long_list_has_pages(
    site: CatalogSite, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "ROWS", 1)
    await put(site, "one", *FINE)
    await put(site, "two", *FINE)
    first = await browser.open("/registries")
    assert "tools/two" not in first.text
    assert "tools/two" in (await browser.open(first.place("Next"))).text


RUNS = [
    a_run("Failed", "2026-11-20T10:31:00Z", "2026-11-20T10:31:01Z", error="INTERNAL: no"),
    a_run("Succeeded", "2026-11-20T10:30:00Z", "2026-11-20T10:30:02.500Z", added=7),
]


async def test_the_last_syncs_are_a_small_picture_with_words(
    site: CatalogSite, browser: Browser
) -> None:
    await put(site, "wrong", *BROKEN, phase="Failed", sync={"history": RUNS})
    await put(site, "new", *FINE)
    page = await browser.open("/registries")
    assert 'aria-label="2 syncs, 1 failed"' in page.html
    assert "1 of 2 failed" in page.text
    assert (page.html.count('class="bar-good"'), page.html.count('class="bar-open"')) == (1, 1)
    assert "none yet" in page.text
    first = await browser.open("/")
    assert 'aria-label="2 syncs, 1 failed"' in first.html
    assert "1 of 2 syncs went well today; nearly all took at most 2.5 s" in first.text
    assert "1 server " in first.text
    told = await browser.ask("GET", "/api/v1/registries?syncs=1", accept="application/json")
    by_name = {each["name"]: each["syncs"] for each in json.loads(told.html)["registries"]}
    assert by_name == {"wrong": [{"outcome": "Failed", "seconds": 1.0}], "new": []}
    without = await browser.ask("GET", "/api/v1/registries", accept="application/json")
    assert '"syncs"' not in without.html


async def test_many_registries_ask_no_more_of_the_api_than_one(
    site: CatalogSite, asked: list[str], browser: Browser
) -> None:
    for number in range(3):
        await put(site, f"one-{number}", *FINE, sync={"history": RUNS})
    for place, calls in (("/registries", 3), ("/registries?ready=true", 4), ("/", 2)):
        asked.clear()
        assert (await browser.open(place)).html.count('aria-label="2 syncs, 1 failed"') == 3
        assert len(asked) == calls, asked


async def test_no_registry_at_all_says_what_to_do(site: CatalogSite, tmp_path: Path) -> None:
    admin = await signed_in(guarded_pages(site, tmp_path), "admin")
    page = await admin.open("/registries")
    assert "There is no registry yet" in page.text
    assert page.place("Add the first registry") == "/registries/new"
    reader = await signed_in(guarded_pages(site, tmp_path), "reader")
    page = await reader.open("/registries")
    assert "There is no registry that you may see" in page.text
    assert page.place("Draft a registry") == "/registries/new"


# ---------------------------------------------------------------- one registry


async def test_trouble_is_explained_once_with_what_to_do(
    site: CatalogSite, browser: Browser
) -> None:
    await put(site, "wrong", *BROKEN, phase="Failed", sync={"attemptCount": 3})
    page = await browser.open("/registries/tools/wrong")
    assert "It has never been synchronized" in page.text
    told = page.html.partition('aria-label="What is wrong"')[2].partition("</section>")[0]
    assert told.count("registry.partner.invalid") == 1
    assert "What to do:" in told
    assert "See that the address is right and answers" in told
    assert "SourceAvailable · SourceUnreachable" in told


async def test_trust_and_filter_are_told_in_words(site: CatalogSite, tmp_path: Path) -> None:
    sides = {"include": {"names": ["a/*"], "tags": []}, "exclude": {"tags": ["old", "broken"]}}
    await put(site, "fine", *FINE, trustLevel="tested", filter=sides)
    browser = await signed_in(guarded_pages(site, tmp_path), "reader")
    page = await browser.open("/registries/tools/fine?done=made")
    assert "The registry was created." in page.text
    assert "Tested: somebody tried its servers" in page.text
    assert "Only these names: a/* Not these tags: old, broken" in page.text
    assert "0 versions left out by its filter" in page.text
    assert "What it leaves out" not in page.text


async def test_what_is_left_out_is_named_with_the_rule(site: CatalogSite, tmp_path: Path) -> None:
    await put(site, "fine", *FINE, filter={"exclude": {"names": ["x/*"]}})
    names = [LeftOut(f"x/n{number:03}", 1, ("filter.exclude.names",)) for number in range(60)]
    names.append(LeftOut("y/<b>odd", 2, ("validationPolicy.blockedPatterns",)))
    await leave_out(site, "fine", *names)
    browser = await signed_in(guarded_pages(site, tmp_path), "reader")
    home = await browser.open("/registries/tools/fine")
    assert "62 versions left out by its filter and policy" in home.text
    first = await browser.open(home.place("versions left out"))
    assert "62 versions left out, of 61 servers" in first.text
    assert "x/n049 1 Not these names" in first.text
    assert "x/n050" not in first.text
    second = await browser.open(first.place("Next"))
    assert "y/<b>odd 2 Not what its policy blocks" in second.text
    assert "Next" not in [words for words, _ in second.links]
    found = await browser.send(second.form("/registries/tools/fine/left-out"), search="N007")
    assert "1 of 61 servers" in found.text
    nothing = await browser.send(found.form("/registries/tools/fine/left-out"), search="zzz")
    assert "No name fits" in nothing.text


@pytest.mark.parametrize(
    ("names", "more", "words"),
    [
        ((), 0, "It leaves nothing out"),
        ((), 5, "Their names are not known yet"),
        ((LeftOut("x/one", 1, ("filter.include.tags",)),), 5, "In all, 6 versions are left out"),
    ],
)
async def test_a_list_that_is_empty_or_cut_says_so(
    site: CatalogSite, tmp_path: Path, names: tuple[LeftOut, ...], more: int, words: str
) -> None:
    await put(site, "fine", *FINE)
    await leave_out(site, "fine", *names, more=more)
    browser = await signed_in(guarded_pages(site, tmp_path), "reader")
    assert words in (await browser.open("/registries/tools/fine/left-out")).text


async def test_where_nobody_is_known_names_that_are_left_out_are_for_nobody(
    site: CatalogSite, browser: Browser
) -> None:
    await put(site, "fine", *FINE)
    await leave_out(site, "fine", LeftOut("x/one", 1, ("filter.include.tags",)))
    page = await browser.open("/registries/tools/fine")
    assert "1 version left out" in page.text
    assert not [place for _, place in page.links if place.endswith("/left-out")]
    refused = await browser.open("/registries/tools/fine/left-out")
    assert (refused.status, "thv registry show fine" in refused.text) == (403, True)


async def test_the_next_sync_of_a_suspended_registry_waits_for_somebody(
    site: CatalogSite, browser: Browser
) -> None:
    due = {"nextSyncTime": "2036-11-20T10:30:00Z"}
    await put(site, "fine", *FINE, sync=due, syncPolicy={"enabled": False})
    page = await browser.open("/registries/tools/fine")
    assert "Next when somebody asks for it" in page.text


async def test_stale_content_is_said_to_be_stale(site: CatalogSite, browser: Browser) -> None:
    await put(site, "old", *STALE)
    page = await browser.open("/registries/tools/old")
    assert "Out of date" in page.text
    assert "because the last sync failed" in page.text
    assert "everybody goes on getting what was good before" not in page.text
    await put(site, "older", *STALE, sync={"nextSyncTime": "2036-11-20T10:30:00Z"})
    page = await browser.open("/registries/tools/older")
    assert "everybody goes on getting what was good before" in page.text


async def test_what_is_fine_has_no_warning_and_says_how_to_use_it(
    site: CatalogSite, browser: Browser, tmp_path: Path
) -> None:
    await put(site, "fine", *FINE, description="For everybody")
    page = await browser.open("/registries/tools/fine")
    assert "What to do:" not in page.text
    assert "For everybody" in page.text
    assert page.place("show them") == "/servers?registry=tools%2Ffine"
    reader = await signed_in(guarded_pages(site, tmp_path), "reader")
    assert "kind: MCPRegistry" in (await reader.open("/registries/tools/fine")).text


async def test_where_nobody_is_known_nobody_is_shown_where_a_registry_comes_from(
    site: CatalogSite, browser: Browser
) -> None:
    await put(site, "fine", *FINE)
    page = await browser.open("/registries/tools/fine")
    assert page.status == 200
    assert "kind: MCPRegistry" not in page.text
    told = await browser.ask(
        "GET", "/api/v1/namespaces/tools/registries/fine/manifest", accept="application/json"
    )
    assert (told.status, "FORBIDDEN" in told.html) == (403, True)


async def test_syncs_are_a_picture_and_a_table(site: CatalogSite, browser: Browser) -> None:
    runs = [
        a_run("Failed", "2026-11-20T10:31:00Z", "2026-11-20T10:31:01Z", error=f"SOURCE_UNREACHABLE: {AWAY}"),
        a_run("Succeeded", "2026-11-20T10:30:00Z", "2026-11-20T10:30:02.500Z", added=7),
    ]  # fmt: skip
    await put(site, "fine", *FINE, sync={"history": runs})
    page = await browser.open("/registries/tools/fine")
    assert page.html.count('class="bar-good"') == 1
    assert page.html.count('class="bar-bad"') == 1
    assert 'aria-label="1 sync succeeded, 1 failed; the table below has each"' in page.html
    assert "2.5 s 7 0 0" in page.text
    assert (
        "All of them are shown; syncs that found nothing new are not kept, and a failure that repeats is kept once."
        in page.text
    )
    await put(site, "busy", *FINE, sync={"history": runs * 25})
    busy = await browser.open("/registries/tools/busy")
    assert "They are the last 50, and older ones are not kept" in busy.text
    assert "which a sync should take less than" not in busy.text
    await put(site, "slow", *FINE, sync={"history": [a_run("Succeeded", "2026-11-20T10:30:00Z", "2026-11-20T10:31:00Z")]})  # fmt: skip
    slow = await browser.open("/registries/tools/slow")
    assert '<path class="chart-line aim" d="M0 40.0H240.0">' in slow.html
    assert "30 s, which a sync should take less than" in slow.text
    assert AWAY in page.text


async def test_what_entries_of_a_status_say_is_text(site: CatalogSite, browser: Browser) -> None:
    nasty = '<script>alert(1)</script> `code` \u202e"x'
    await put(site, "wrong", a_condition("DataValid", "False", "FormatInvalid", nasty))
    page = await browser.open("/registries/tools/wrong")
    assert "<script>alert" not in page.html
    assert "⟨U+202E⟩" in page.text


async def test_a_registry_that_is_not_there(browser: Browser) -> None:
    page = await browser.open("/registries/tools/nope")
    assert page.status == 404
    assert 'no registry "nope"' in page.text


async def test_what_belongs_to_it_is_named_where_there_is_a_cluster(
    site: CatalogSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(site, "fine", *FINE)
    reader = await signed_in(guarded_pages(site, tmp_path), "reader")
    here = await reader.open("/registries/tools/fine")
    assert "What belongs to it" not in here.text
    # A cluster's answer to who asks is all that tells the two apart, and no reason to start one.
    monkeypatch.setattr(Who, "is_machine", False)
    page = await reader.open("/registries/tools/fine")
    assert "Deployment fine-api the pods of its API" in page.text
    assert "thv registry tree fine -n tools" in page.text


# ---------------------------------------------------------------- the overview


async def test_the_overview_is_of_one_namespace_where_one_is_chosen(
    site: CatalogSite, browser: Browser
) -> None:
    now = render_time(datetime.now(UTC))
    runs = [a_run("Succeeded", now, now), a_run("Failed", now, now)]
    await put(site, "fine", *FINE, sync={"history": runs})
    assert "Namespace" not in (await browser.open("/")).text, "there is one alone"
    await site.put("other", osv(), namespace="production", trustLevel="trusted")
    whole = await browser.open("/")
    assert "1 of 2 registries ready" in whole.text
    page = await browser.send(whole.form("/"), namespace="tools")
    assert "1 of 1 registries ready" in page.text
    assert "1 of 2 syncs went well today" in page.text
    assert "production/other" not in page.text
    assert page.place("server") == "/servers?namespace=tools"
    assert page.place("All 1") == "/registries?namespace=tools"
    others = await browser.send(whole.form("/"), namespace="production")
    assert "went well today" not in others.text
    empty = await browser.open("/?namespace=nowhere")
    assert "There is no registry in this namespace" in empty.text


# ---------------------------------------------------------------- what can be done


async def test_only_what_one_may_do_is_offered(site: CatalogSite, tmp_path: Path) -> None:
    await put(site, "fine", *FINE)
    pages = guarded_pages(site, tmp_path)
    reader = await (await signed_in(pages, "reader")).open("/registries/tools/fine")
    admin = await (await signed_in(pages, "admin")).open("/registries/tools/fine")
    place = "/registries/tools/fine"
    actions = {f"{place}/sync", f"{place}/suspend"}
    assert actions <= {form.action for form in admin.forms}
    assert not actions & {form.action for form in reader.forms}
    assert "kind: MCPRegistry" in reader.text


async def test_a_sync_is_asked_for(
    site: CatalogSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_page, "PATIENCE", 0)
    await put(site, "fine", *FINE)
    admin = await signed_in(guarded_pages(site, tmp_path), "admin")
    page = await admin.open("/registries/tools/fine")
    page = await admin.send(page.form("/registries/tools/fine/sync"))
    assert "The sync goes on" in page.text
    stored = await site.resources.get(MCP_REGISTRY, "tools", "fine")
    assert "toolhive.stacklok.io/sync-requested-at" in stored["metadata"]["annotations"]


async def test_those_that_are_ticked_are_synchronized(
    site: CatalogSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "PATIENCE", 0)
    for name in ("one", "two", "three"):
        await put(site, name, *FINE)
    admin = await signed_in(guarded_pages(site, tmp_path), "admin")
    form = (await admin.open("/registries?search=o")).form("/registries/sync")
    page = await admin.send(form, registry=["tools/one", "tools/two", "tools/gone"])
    assert page.address.startswith("/registries?search=o&")
    assert "The sync goes on of: tools/one, tools/two." in page.text
    assert "gone" not in page.text
    for name, is_asked in (("one", True), ("two", True), ("three", False)):
        stored = await site.resources.get(MCP_REGISTRY, "tools", name)
        asked = "toolhive.stacklok.io/sync-requested-at" in annotations_of(stored)
        assert asked is is_asked, name


async def test_some_are_ticked_and_not_too_many(
    site: CatalogSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "AT_ONCE", 1)
    for name in ("one", "two"):
        await put(site, name, *FINE)
    admin = await signed_in(guarded_pages(site, tmp_path), "admin")
    form = (await admin.open("/registries")).form("/registries/sync")
    none = await admin.send(form)
    assert (none.status, "Tick the registries first" in none.text) == (400, True)
    many = await admin.send(form, registry=["tools/one", "tools/two"])
    assert (many.status, "2 registries were ticked, and at most 1" in many.text) == (400, True)
    assert ("registry", "tools/two") in many.form("/registries/sync").fields


async def test_who_may_not_synchronize_gets_nothing_to_tick(
    site: CatalogSite, browser: Browser, tmp_path: Path
) -> None:
    await put(site, "fine", *FINE)
    pages = guarded_pages(site, tmp_path)
    reader = await signed_in(pages, "reader")
    seen = await reader.open("/registries")
    for page in (seen, await browser.open("/registries")):
        assert "Sync selected" not in page.text
        assert 'type="checkbox"' not in page.html
    fields = [*seen.form("/signout").fields, ("registry", "tools/fine")]
    refused = await reader.post("/registries/sync", fields)
    assert "because you may not have it done: tools/fine." in refused.text


async def test_suspended_with_a_reason(site: CatalogSite, tmp_path: Path) -> None:
    await put(site, "fine", *FINE)
    admin = await signed_in(guarded_pages(site, tmp_path), "admin")
    page = await admin.open("/registries/tools/fine")
    form = page.form("/registries/tools/fine/suspend")
    page = await admin.send(form, reason="moving house")
    assert "What it serves stays as it is" in page.text
    stored = await site.resources.get(MCP_REGISTRY, "tools", "fine")
    assert stored["spec"]["syncPolicy"]["enabled"] is False
    place = site.places["tools", "fine"]
    place.served.describe(load_registry(stored))
    page = await admin.open("/registries/tools/fine")
    assert "The reason given: moving house" in page.text
    await admin.send(page.form("/registries/tools/fine/resume"))
    stored = await site.resources.get(MCP_REGISTRY, "tools", "fine")
    assert stored["spec"]["syncPolicy"]["enabled"] is True


async def test_what_the_api_refuses_is_said_on_the_page(site: CatalogSite, tmp_path: Path) -> None:
    await put(site, "fine", *FINE)
    pages = guarded_pages(site, tmp_path)
    admin, reader = await signed_in(pages, "admin"), await signed_in(pages, "reader")
    form = (await admin.open("/registries/tools/fine")).form("/registries/tools/fine/suspend")
    too_long = await admin.send(form, reason="x" * 501)
    assert too_long.status == 400
    assert "This was not done." in too_long.text
    assert "x" * 501 in too_long.html
    theirs = (await reader.open("/registries")).form("/signout").fields
    refused = await reader.post("/registries/tools/fine/sync", theirs)
    assert refused.status == 403
    assert "This was not done." in refused.text


async def test_the_overview_says_why_registries_are_in_trouble(
    site: CatalogSite, browser: Browser
) -> None:
    await put(site, "wrong", *BROKEN, phase="Failed", sync={"history": RUNS})
    page = await browser.open("/")
    assert f"{AWAY[:1].upper()}{AWAY[1:]}" in page.text
