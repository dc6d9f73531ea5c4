"""SIGKILL at the durable writes of a sync: nothing is lost, nothing is half, and a restart ends as if undisturbed.

Bounded to some points of each case, spread evenly; THV_CASES gives their number, or `all`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.crash.points import Point, killed_at, points_of
from tests.crash.state import NAME, NAMESPACE, Seen, dump, seen
from tests.upstream import Corpus, Upstream
from thv.apps.cli.wiring import Local
from thv.apps.kit.home import Home
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import MCP_REGISTRY

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

CASES = os.environ.get("THV_CASES", "10")
THV = (sys.executable, "-m", "tests.crash.orderly", "registry", "sync", NAME)
SWAPPED = (sys.executable, "-m", "tests.crash.swapped", "registry", "sync", NAME)
VOLATILE = ("-shm", "lock")
"""Files that mean nothing once the process is gone."""


class Case(msgspec.Struct, frozen=True):
    """A data folder in which a sync is due, and where to try it."""

    template: Path
    upstream: Upstream

    @property
    def folder(self) -> Path:
        return self.template.with_name("data")

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "THV_DATA": str(self.folder), "THV_CONFIG": "/nonexistent"}

    def begin(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.template, self.folder)

    def sync(self) -> None:
        done = subprocess.run(THV, check=False, env=self.environ, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()

    def seen(self, folder: Path | None = None) -> Seen:
        return asyncio.run(seen(folder or self.folder))

    def state(self) -> dict[str, Any]:
        return asyncio.run(dump(self.folder))


def clock() -> datetime:
    return datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(Corpus.synthetic(400, clock)) as running:
        yield running


def prepared(tmp_path: Path, upstream: Upstream, source: JsonObject) -> Case:
    case = Case(tmp_path / "template", upstream)
    asyncio.run(_register(case.template, upstream, source))
    return case


async def _register(folder: Path, upstream: Upstream, source: JsonObject) -> None:
    Home(folder).make().allow_hosts([upstream.place])
    local = Local(home=Home(folder))
    manifest = {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"source": source},
    }
    await local.resources.apply(manifest, manager="test", force=True)
    await local.close()


def api_of(upstream: Upstream) -> JsonObject:
    return {"type": "registry", "registry": {"url": upstream.url, "versions": "all"}}


@pytest.mark.requirement("SYN-02")
def test_a_killed_first_sync_of_a_document_ends_as_an_undisturbed_one(
    tmp_path: Path, upstream: Upstream
) -> None:
    rows = upstream.corpus.page(limit=1000)
    upstream.file("/registry.json", b"[" + b",".join(row.render() for row in rows) + b"]")
    source = {"type": "url", "url": {"url": f"{upstream.url}/registry.json"}}
    survives(prepared(tmp_path, upstream, source), "document")


@pytest.mark.requirement("SYN-02")
def test_a_killed_first_sync_of_pages_goes_on_and_ends_as_an_undisturbed_one(
    tmp_path: Path, upstream: Upstream
) -> None:
    survives(prepared(tmp_path, upstream, api_of(upstream)), "pages")


@pytest.mark.requirement("SYN-02")
def test_a_killed_sync_of_changes_leaves_the_old_snapshot_or_the_new_one(
    tmp_path: Path, upstream: Upstream
) -> None:
    survives(changed(tmp_path, upstream), "changes")


def changed(tmp_path: Path, upstream: Upstream) -> Case:
    """A registry that was synchronized, and whose source has 50 other entries now."""
    case = prepared(tmp_path, upstream, api_of(upstream))
    case.begin()
    case.sync()
    shutil.rmtree(case.template)
    case.folder.rename(case.template)
    upstream.corpus.change(48)
    for number in range(2):
        upstream.corpus.delete(*upstream.corpus.page(limit=400)[number * 150].key)
    return case


def test_pages_that_a_killed_sync_had_read_are_not_asked_for_again(
    tmp_path: Path, upstream: Upstream
) -> None:
    case = prepared(tmp_path, upstream, api_of(upstream))
    case.begin()
    pages = points(case, THV)
    journal = [
        place for place in pages if place.path.startswith("mirrors") and "-wal" in place.path
    ]
    last = [place for place in journal if place.call == "pwrite64"][-1]
    case.begin()
    assert killed_at(last, THV, case.folder, case.environ)
    before = len(upstream.seen("/v0.1/servers"))
    case.sync()
    assert len(upstream.seen("/v0.1/servers")) - before <= 2


def test_a_build_that_flips_the_pointer_before_the_chunks_are_there_is_found_out(
    tmp_path: Path, upstream: Upstream
) -> None:
    case = changed(tmp_path, upstream)
    case.begin()
    places = [place for place in points(case, SWAPPED) if place.path.startswith("snapshots/")]
    assert places
    broken = 0
    for place in places:
        case.begin()
        if not killed_at(place, SWAPPED, case.folder, case.environ):
            continue
        try:
            case.seen()
        except ThvError as error:
            broken += error.code is Code.SNAPSHOT_DAMAGED
    assert broken


def survives(case: Case, title: str) -> None:
    """Kills the sync at its points, and compares what is left with the undisturbed run."""
    before = case.seen(case.template)
    case.begin()
    every = points(case, THV)
    after, once = case.seen(), case.state()
    case.sync()
    twice = case.state()
    assert after.digest != before.digest
    chosen = every if CASES == "all" else spread(every, int(CASES))
    reached = 0
    for place in chosen:
        case.begin()
        killed = killed_at(place, THV, case.folder, case.environ)
        reached += killed
        left = case.seen()
        assert left in (before, after), f"{place}: a reader sees neither old nor new"
        case.sync()
        # Behind the flip of the pointer the restart is a sync of its own, and finds nothing new.
        assert_same(case.state(), twice if left == after else once, place)
        assert case.seen() == after
    print(f"\n{title}: {len(every)} durable writes, killed at {reached} of {len(chosen)} tried")
    assert reached >= len(chosen) * 0.8


def assert_same(state: JsonObject, wanted: JsonObject, place: Point) -> None:
    """Names the first difference in a few words."""
    for part, value in wanted.items():
        keys = value if isinstance(value, dict) else range(max(len(value), len(state[part])))
        for key in keys:
            assert state[part][key] == value[key], f"{place}: {part} {key} differs at the end"
    assert state == wanted, f"{place}: the end differs"


def points(case: Case, command: tuple[str, ...]) -> list[Point]:
    every = points_of(command, case.folder, case.environ)
    return [place for place in every if not place.path.endswith(VOLATILE)]


def spread(every: list[Point], count: int) -> list[Point]:
    """So many of them, of every file and call at least one where that fits, the rest evenly."""
    kinds = list({(place.path, place.call): place for place in every}.values())
    step = max(1, len(kinds) // (count // 2)) if count < len(kinds) else 1
    firsts = kinds[::step][: count // 2] if count < len(kinds) else kinds
    rest = [place for place in every if place not in firsts]
    more = count - len(firsts)
    even = rest[:: max(1, len(rest) // more)][:more] if more > 0 else []
    return sorted({*firsts, *even}, key=every.index)
