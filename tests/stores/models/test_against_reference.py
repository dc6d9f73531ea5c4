"""Random histories of a registry: after every step the model answers as plain Python does."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stores.models.reference import listed, officially_listed, standing
from tests.stores.models.world import World, an_entry, look
from thv.domain.entry import GROUPS_META, Entry
from thv.domain.selectors import parse_selector
from thv.domain.snapshot import Key, SnapshotRef
from thv.stores.models import official, servers
from thv.stores.models.query import (
    START,
    Form,
    ListQuery,
    OfficialQuery,
    Own,
    Page,
    Sort,
    Where,
    parse_search,
)
from thv.stores.models.rows import micros
from thv.stores.models.view import View

OWN = Own("default", "corp", "raw")

NAMES = [
    "io.github.stacklok/osv",
    "io.github.stacklok/fetch",
    "com.example/osv",
    "com.example/osv-scanner",
    "com.Example/Ünïcode_Wörld",
    "ai.acme/a",
    "ai.acme/b.c",
    "io.github.x/mcp-server-github",
]
WORDS = ["osv", "scanner", "Vulnerability", "reads", "file", "ﬁle", "MCP", "straße", "a", "50%_off"]

blocks = st.fixed_dictionaries(
    {},
    optional={
        "tier": st.sampled_from(["Official", "Community", "community"]),
        "tags": st.lists(st.sampled_from(["Security", "web", "data store"]), max_size=3),
        "tools": st.lists(st.sampled_from(["read_file", "scan", "Scan", "list-repos"]), max_size=3),
        "metadata": st.fixed_dictionaries(
            {}, optional={"stars": st.integers(0, 5), "pulls": st.integers(0, 3000)}
        ),
        "custom_metadata": st.fixed_dictionaries(
            {}, optional={"team": st.sampled_from(["a", "b c"]), "category": st.just("Web")}
        ),
    },
)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    fields: dict[str, Any] = {
        "description": " ".join(draw(st.lists(st.sampled_from(WORDS), max_size=4))),
        "block": draw(st.none() | blocks),
        "status": draw(st.sampled_from(["active", "active", "deprecated", "deleted"])),
        "updated": f"2026-11-0{draw(st.integers(1, 5))}T08:00:00.5Z",
    }
    if draw(st.booleans()):
        fields["title"] = " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=2)))
    if draw(st.booleans()):
        fields["remotes"] = [{"type": "sse", "url": "https://example.com/sse"}]
    if draw(st.integers(0, 4)) == 0:
        group = {"name": draw(st.sampled_from(["g", "h"])), "description": "d"}
        fields["_meta"] = {GROUPS_META: [{"group": group, "position": 0, "only": False}]}
    version = draw(st.sampled_from(["1.0.0", "1.1.0", "2.0.0-rc.1", "nightly"]))
    return an_entry(draw(st.sampled_from(NAMES)), version, **fields)


CHOICES: dict[str, list[Any]] = {
    "categories": [("web",), ("WEB", "none")],
    "transports": [("stdio",), ("sse", "stdio")],
    "tiers": [("official",), ("Community",)],
    "statuses": [("deprecated",), ("Active",)],
    "kinds": [("remote",), ("package", "container")],
    "trust_levels": [("raw",), ("trusted",)],
    "tags": [("security",), ("web", "Data Store")],
    "tools": [("scan",), ("read_file", "Scan")],
    "registries": [("corp",), ("default/corp", "x"), ("other",)],
    "labels": [
        parse_selector(text).requirements
        for text in (
            "tier=Official",
            "tier!=Official",
            "!team",
            "team in (a)",
            "team notin (a),team",
            "category notin (web)",
            "server-name=osv",
            "server-name!=osv",
            "registry-name=corp,toolhive.stacklok.io/registry-namespace=default",
            "registry-name=x",
            "server-name=com-example-osv-7e55d6c3",
            "server-name notin (com-example-osv-7e55d6c3)",
        )
    ],
    "search": [
        parse_search(text)
        for text in (
            "osv",
            "o",
            "file",
            "vuln scan",
            '"osv scanner"',
            "a",
            "com.example/osv",
            "!",
            "WÖRLD",
        )
    ],
    "updated_since": [micros("2026-11-03T08:00:00.5Z"), micros("2026-11-08T00:00:00Z")],
}
EACH = [Where(**{name: value}) for name, values in CHOICES.items() for value in values]
"""Every filter alone."""

searches = st.lists(st.sampled_from([*WORDS, '"osv scanner"', "o", '"']), max_size=2).map(" ".join)
wheres = st.fixed_dictionaries(
    {},
    optional={
        name: searches.filter(bool).map(parse_search)
        if name == "search"
        else st.sampled_from(values)
        for name, values in CHOICES.items()
    },
).map(lambda chosen: Where(**chosen))


@st.composite
def list_queries(draw: st.DrawFn) -> ListQuery:
    where = draw(wheres | st.just(Where()))
    sorts = [Sort.NAME, Sort.UPDATED, Sort.STARS, Sort.TRUST]
    version = draw(st.sampled_from(["latest", "latest", "all", "1.1.0"]))
    if version != "latest":
        sorts.remove(Sort.STARS)
    if where.search and version == "latest":
        sorts.append(Sort.RELEVANCE)
    return ListQuery(
        own=OWN,
        where=where,
        version=version,
        form=draw(st.sampled_from(Form)),
        sort=draw(st.sampled_from(sorts)),
        descending=draw(st.booleans()),
    )


official_queries = st.builds(
    OfficialQuery,
    search=st.sampled_from(["", "osv", "com.example/", "50%", "straße", "ünï"]),
    updated_since=st.sampled_from(
        [None, micros("2026-11-03T08:00:00.5Z"), micros("2026-11-08T00:00:00Z")]
    ),
    include_deleted=st.booleans(),
    version=st.sampled_from(["all", "all", "latest", "1.1.0"]),
)


class Step(msgspec.Struct):
    """One change of the registry and how it is written."""

    put: list[Entry]
    remove: list[int]
    forget: list[int]
    delta: bool
    again: bool


steps = st.builds(
    Step,
    put=st.lists(entries(), max_size=4),
    remove=st.lists(st.integers(0, 50), max_size=2),
    forget=st.lists(st.integers(0, 50), max_size=1),
    delta=st.booleans(),
    again=st.booleans(),
)


def walk(view: View, fetch: Any, query: Any, limit: int) -> list[Key]:
    """Follows the cursors to the end and reads who was there."""
    found: list[Key] = []
    after = START
    while True:
        page: Page = fetch(view, query, after, limit)
        found.extend(keys_of(view, page))
        if page.following is None:
            return found
        assert page.plan.count > 0
        after = page.following


def keys_of(view: View, page: Page) -> list[Key]:
    if not page.plan.count:
        return []
    items = msgspec.json.decode(b"[" + view.model.read(page.plan).replace(b"\0", b"") + b"]")
    assert len(items) == page.plan.count
    if "server" in items[0]:
        return [(item["server"]["name"], item["server"]["version"]) for item in items]
    return [(item["name"], item["registry_info"]["version"]) for item in items]


def as_shown(keys: list[Key], page_form: Form) -> list[Key]:
    if page_form is Form.OFFICIAL:
        return keys
    return [(name.removeprefix("io.github.stacklok/"), version) for name, version in keys]


def check_list(view: View, world: World, query: ListQuery, limit: int) -> None:
    expected = listed(world, query)
    form = query.form if query.version == "latest" else Form.OFFICIAL
    found = walk(view, servers.page, query, limit)
    page = servers.page(view, query, START, limit)
    assert page.filtered == len(expected)
    if query.sort is Sort.RELEVANCE:
        assert sorted(found) == sorted(as_shown(expected, form))
        check_relevance(world, query, found, form)
    else:
        assert found == as_shown(expected, form)


def check_relevance(world: World, query: ListQuery, found: list[Key], form: Form) -> None:
    search = query.where.search
    assert search is not None
    ranks = []
    for name, version in found:
        full = name if form is Form.OFFICIAL or "/" in name else f"io.github.stacklok/{name}"
        key = full.removeprefix("io.github.stacklok/")
        short = key.rpartition("/")[2].casefold()
        whole = [key, full] if "/" in search.text or "." in search.text else []
        exact = search.text in (short, *whole)
        prefix = any(text.startswith(search.text) for text in (short, *whole))
        ranks.append((0 if exact else 1 if prefix else 2, -standing(world, (full, version))))
    assert ranks == sorted(ranks, reverse=query.descending)


@pytest.mark.flows
@pytest.mark.requirement("API-02", "API-03", "SRV-03")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_every_history_gives_the_answers_of_the_entries(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_live(data, Path(folder) / "corp"))


async def _live(data: st.DataObject, path: Path) -> None:
    world = World(*data.draw(st.lists(entries(), max_size=8)))
    old: SnapshotRef = world.snapshot()
    await world.apply(path, old)
    for step in data.draw(st.lists(steps, min_size=1, max_size=4)):
        _take(world, step)
        new = world.snapshot(delta=step.delta)
        await world.apply(path, new)
        view = look(path)
        for where in EACH:
            sort = Sort.RELEVANCE if where.search else Sort.NAME
            check_list(view, world, ListQuery(own=OWN, where=where, sort=sort), 100)
        for _ in range(4):
            query = data.draw(list_queries())
            check_list(view, world, query, data.draw(st.sampled_from([1, 2, 3, 100])))
            officially = data.draw(official_queries)
            found = walk(view, official.page, officially, data.draw(st.sampled_from([1, 2, 100])))
            assert found == officially_listed(world, officially)
        view.model.close()
        if step.again:
            await world.apply(path, old)
            await world.apply(path, new)
        old = new


def _take(world: World, step: Step) -> None:
    world.put(*step.put)
    # The registry may learn of something long after its source has changed it.
    world.changed |= {(e.name, e.version): "2026-11-09T08:00:00Z" for e in step.put[::2]}
    for place in step.remove:
        keys = sorted(world.entries)
        if keys:
            world.remove(keys[place % len(keys)])
    for place in step.forget:
        keys = sorted([*world.entries, *world.removed])
        if keys:
            world.forget(keys[place % len(keys)])
