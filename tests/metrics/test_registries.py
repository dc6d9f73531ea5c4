"""What is told of registries, and of which."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from tests.builders import manifest, server
from tests.metrics.reading import samples, told, value
from tests.sync.world import World
from thv.apps.kit.metrics import Metrics
from thv.apps.kit.metrics_registries import RegistryFigures
from thv.apps.kit.metrics_updates import UpdateFigures
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.registry_status import Trigger
from thv.domain.resources import MCP_REGISTRY
from thv.sync.status import Attempted

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
FORBIDDEN = {"server", "user", "path", "version", "name", "uid", "url"}
DIGEST = "sha256:" + "a" * 64


class Watched:
    """The world of the reconciler, with figures."""

    def __init__(self) -> None:
        self.world = World()
        self.leads = True
        self.figures = RegistryFigures(lambda: self.world.now, lambda: self.leads)
        self.world.ended = self.figures.ended

    async def begin(self, *names: str) -> None:
        """These registries are there."""
        for name in names:
            await self.world.apply(name, displayName=name)
            await self.saw(name)

    async def saw(self, name: str = "corp") -> None:
        obj = await self.world.store.get(MCP_REGISTRY, "default", name)
        self.figures.saw(obj, False)

    async def sync(self, name: str = "corp") -> None:
        await self.world.reconcile(name)
        await self.saw(name)

    def value(self, metric: str, **labels: str) -> float | None:
        return value(told(Metrics(self.figures.metrics)), metric, **labels)

    def syncs(self, outcome: str) -> float | None:
        return self.value("thv_sync_total", registry="corp", outcome=outcome)


@pytest.fixture
async def watched() -> Watched:
    watched = Watched()
    watched.world.publish(server("com.example/one"), server("com.example/two"))
    await watched.begin("corp")
    return watched


async def test_counts_begin_at_nought_so_that_the_first_failure_is_an_increase(
    watched: Watched,
) -> None:
    assert [watched.syncs(word) for word in ("changed", "unchanged", "failed")] == [0, 0, 0]


async def test_syncs_are_counted_by_how_they_ended(watched: Watched) -> None:
    await watched.sync()
    await watched.sync()
    watched.world.source.fail(ThvError(Code.SOURCE_TIMEOUT, "it brought nothing"))
    await watched.sync()
    assert [watched.syncs(word) for word in ("changed", "unchanged", "failed")] == [1, 1, 1]
    assert watched.value("thv_sync_entries_total", change="added") == 2
    assert watched.value("thv_sync_duration_seconds_count", outcome="failed") == 1
    assert watched.value("thv_registry_sync_ok", registry="corp") == 0
    assert watched.value("thv_registry_ready", registry="corp") == 1


async def test_figures_are_those_of_the_status(watched: Watched) -> None:
    await watched.sync()
    synced = watched.world.now.timestamp()
    assert watched.value("thv_registry_servers", namespace="default", registry="corp") == 2
    assert watched.value("thv_registry_conversion_ratio") == 1
    assert watched.value("thv_registry_last_sync_timestamp_seconds") == synced
    assert watched.value("thv_mcpregistries", trust_level="raw", source_type="url") == 1
    assert watched.value("thv_upstream_sources") == 1
    size = watched.value("thv_registry_snapshot_bytes")
    assert size is not None
    assert 0 < size < 10_000


async def test_a_sync_that_is_not_written_down_counts_as_the_last_one(watched: Watched) -> None:
    await watched.sync()
    await watched.world.annotate(sync_requested_at="now")
    first = watched.world.now.timestamp()
    await watched.world.reconcile()
    assert watched.value("thv_registry_last_sync_timestamp_seconds") == first + 7200


async def test_a_suspended_registry_has_no_interval_and_one_without_api_no_pods(
    watched: Watched,
) -> None:
    assert watched.value("thv_registry_sync_interval_seconds") == 3600
    assert watched.value("thv_registry_api_ready_replicas") == 0
    await watched.world.apply(syncPolicy={"enabled": False}, api={"enabled": False})
    await watched.saw()
    assert watched.value("thv_registry_sync_interval_seconds") is None
    assert watched.value("thv_registry_api_ready_replicas") is None


async def test_a_registry_that_is_gone_loses_its_series(watched: Watched) -> None:
    await watched.sync()
    registry = await watched.world.registry()
    watched.figures.saw(manifest("corp"), True)
    watched.figures.ended(registry, _attempt(), ThvError(Code.SOURCE_TIMEOUT, "late"))
    assert 'registry="corp"' not in told(Metrics(watched.figures.metrics))


async def test_who_does_not_lead_tells_of_no_registry(watched: Watched) -> None:
    await watched.sync()
    watched.leads = False
    labels = [each.labels for each in samples(told(Metrics(watched.figures.metrics)))]
    assert not [each for each in labels if "registry" in each or "trust_level" in each]


async def test_what_cannot_be_read_leaves_the_figures_as_they_were(watched: Watched) -> None:
    await watched.sync()
    watched.figures.saw({**manifest("corp"), "spec": {"source": 7}}, False)
    assert watched.value("thv_registry_servers", registry="corp") == 2


@pytest.mark.requirement("OPS-03")
def test_a_thousand_registries_have_twenty_series_each_at_most() -> None:
    figures = RegistryFigures(lambda: NOW)
    for number in range(1000):
        figures.saw(a_full_one(number), False)
    metrics = Metrics(figures.metrics)
    text = told(metrics)
    found = [each.labels for each in samples(text)]
    each = Counter(labels["registry"] for labels in found if "registry" in labels)
    assert len(each) == 1000
    assert max(each.values()) <= 20
    assert not FORBIDDEN & {label for labels in found for label in labels}


def a_full_one(number: int) -> JsonObject:
    """A registry of which there is everything to tell."""
    obj = manifest(f"registry-{number}", f"team-{number % 20}")
    obj["metadata"] |= {"uid": str(number), "generation": 1}
    snapshot = {
        "digest": DIGEST,
        "entries": 9,
        "bytes": 1000 + number,
        "createdAt": "2026-05-01T11:00:00Z",
        "specDigest": DIGEST,
        "store": "configmap",
        "chunks": [],
    }
    conversion = {"read": 9, "converted": 9, "successPercent": 100}
    sync = {"lastSyncTime": "2026-05-01T11:30:00Z", "conversion": conversion}
    ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": ""}
    obj["status"] = {
        "serverCount": 9,
        "snapshot": snapshot,
        "syncStatus": sync,
        "apiStatus": {"readyReplicas": 1},
        "conditions": [{**ready, "lastTransitionTime": "2026-05-01T11:00:00Z"}],
    }
    return obj


def _attempt() -> Attempted:
    return Attempted(trigger=Trigger.INTERVAL, began=NOW, ended=NOW, handled_request="", api=None)


async def test_an_update_is_timed_from_the_beginning_of_its_sync(watched: Watched) -> None:
    await watched.sync()
    registry = await watched.world.registry()
    assert registry.status.snapshot is not None
    updates = UpdateFigures(lambda: watched.world.now)
    updates.applied(registry, registry.status.snapshot)
    text = told(Metrics(updates.metrics))
    assert value(text, "thv_update_visible_seconds_count") == 1
    assert value(text, "thv_update_visible_seconds_sum") == 0
