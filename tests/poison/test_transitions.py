"""Specs one after the other: where a registry ends depends on its last spec alone, and a wrong one costs nothing.

After Acto: S0, S1, S0 ends as S0; S0, S1 ends as S1 alone; a spec that cannot be followed leaves what is served, and is
refused or said to be wrong. THV_CASES gives the number of changes of a spec, or `all`; THV_SEED other ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.builders import server, toolhive_entry
from tests.control_plane.plane import ControlPlane
from tests.faults.kubernetes.cluster import ACCOUNT, SYSTEM, operator_kubeconfig
from tests.faults.kubernetes.operating import OperatorProcess
from tests.faults.kubernetes.picture import strays
from tests.git_server import PASSWORD, USER, git_host
from tests.poison.hand import Hand
from tests.poison.kstatus import Reading, reading
from tests.poison.specs import Places, drawn, paths_of, paths_of_schema, wrong
from tests.poison.verdicts import is_observed
from tests.poison.view import differences, served, view
from tests.upstream import Upstream
from thv.clients.kube.config import from_environment
from thv.domain.canonical import JsonObject
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY, SECRET
from thv.domain.roles import SOURCE_READER
from thv.stores.chunks.configmaps import ConfigMapChunks
from thv.stores.resources.kubernetes import KubernetesStore

ALL = 2_000
ASKED = os.environ.get("THV_CASES", "120")
CHANGES = 4
"""Of one story: S1, a wrong one, S1 again, S0."""
STORIES = -(-(ALL if ASKED == "all" else int(ASKED)) // CHANGES)
SEED = int(os.environ.get("THV_SEED", "1"))
TOGETHER = 8
PATIENCE = 60.0

pytestmark = pytest.mark.e2e


@dataclass
class Tally:
    changes: int = 0
    refused: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    paths: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)


@pytest.mark.requirement("SYN-02")
def test_a_registry_is_what_its_last_spec_says_however_it_came_there(
    poisoned: ControlPlane, tmp_path: Path
) -> None:
    namespace = f"specs-{os.getpid()}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    poisoned.request("POST", "/api/v1/namespaces", body)
    with world(tmp_path) as (places, allowed), Hand(poisoned.kubeconfig, namespace) as hand:
        for obj in contents():
            done = poisoned.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(obj))
            assert done.returncode == 0, done.stderr
        operator = OperatorProcess(
            operator_kubeconfig(poisoned),
            tmp_path / "pod",
            namespace=SYSTEM,
            THV_IMAGE="example.com/thv:1",
            THV_ALLOW=allowed,
            THV_CHUNK_GRACE="1s",
        )
        tally = Tally()
        with operator:
            asyncio.run(told(poisoned, hand, places, tally))
            left = strays(poisoned, namespace)
            alive = operator.alive
        said = operator.said()
    poisoned.request("DELETE", f"/api/v1/namespaces/{namespace}")
    print(
        f"\n{STORIES} stories, {tally.changes} changes, {tally.refused} of them refused; "
        f"wrong ones: {dict(tally.wrong)}; {len(tally.paths & paths_of_schema())} of {len(paths_of_schema())} fields"
    )
    assert not tally.complaints, "\n\n".join(tally.complaints[:20])
    assert alive
    assert "unexpected failure" not in said, said[-3000:]
    assert not left
    if STORIES > 100:
        assert not paths_of_schema() - tally.paths


# ---------------------------------------------------------------- one story


async def told(plane: ControlPlane, hand: Hand, places: Places, tally: Tally) -> None:
    store = KubernetesStore(from_environment({}, kubeconfig=str(plane.kubeconfig)))
    turns = asyncio.Semaphore(TOGETHER)

    async def in_turn(number: int) -> None:
        async with turns:
            await Story(number, hand, ConfigMapChunks(store), places, tally).run()

    try:
        await _settled(hand, "base")
        await asyncio.gather(*(in_turn(number) for number in range(STORIES)))
    finally:
        await store.close()


class Story:
    """A registry whose owner changes their mind."""

    def __init__(  # what a story needs
        self, number: int, hand: Hand, chunks: ConfigMapChunks, places: Places, tally: Tally
    ) -> None:
        self._name = f"s{number}"
        self._twins = f"a{number}", f"b{number}"
        """Registries that have had one spec alone: S0, S1."""
        self._hand = hand
        self._chunks = chunks
        self._tally = tally
        chance = random.Random(f"{SEED}:{number}")
        self._first, self._second = drawn(places, chance), drawn(places, chance)
        self._wrong = wrong(self._name, chance)
        for spec in (self._first, self._second):
            tally.paths |= set(paths_of(spec))

    async def run(self) -> None:
        name, first, second = self._name, *self._twins
        await self._say(first, self._first)
        await self._say(second, self._second)
        await self._say(name, self._first)
        await self._same(name, first, "two registries of one spec differ")
        await self._say(name, self._second)
        await self._same(name, second, "S0, S1 is not as S1 alone")
        await self._go_wrong(name)
        await self._say(name, self._second)
        await self._same(name, second, "S1, wrong, S1 is not as S1")
        await self._say(name, self._first)
        await self._same(name, first, "S0, S1, S0 is not as S0")
        for each in (name, first, second):
            self._hand.remove(MCP_REGISTRY, each)

    async def _go_wrong(self, name: str) -> None:
        before = await served(self._chunks, self._hand.get(MCP_REGISTRY, name) or {})
        if await self._say(name, self._wrong, may_be_refused=True):
            obj = await _settled(self._hand, name)
            self._tally.wrong[reading(obj).value] += 1
            if reading(obj) is Reading.CURRENT:
                self._complain("a wrong spec reads as current", [str(obj["status"])])
        after = await served(self._chunks, self._hand.get(MCP_REGISTRY, name) or {})
        if after != before:
            self._complain("a wrong spec costs what is served", differences(before, after))

    async def _say(self, name: str, spec: JsonObject, *, may_be_refused: bool = False) -> bool:
        """Makes the spec the registry's; whether the API server takes it."""
        head = {"apiVersion": MCP_REGISTRY.api_version, "kind": MCP_REGISTRY.kind}
        self._tally.changes += 1
        while True:
            live = self._hand.get(MCP_REGISTRY, name)
            metadata = live["metadata"] if live else {"name": name}
            obj = {**head, "metadata": metadata, "spec": spec}
            said = (
                self._hand.replace(MCP_REGISTRY, name, obj)
                if live
                else self._hand.create(MCP_REGISTRY, msgspec.json.encode(obj))
            )
            if said.status == 409:
                continue
            if not said.accepted and not may_be_refused:
                self._complain("it is refused", [said.body.decode()])
            self._tally.refused += not said.accepted
            return said.accepted

    async def _same(self, name: str, twin: str, what: str) -> None:
        """Until both come to the same, once the operator has come to an end with each."""
        until, wait = time.monotonic() + PATIENCE / 2, 0.1
        for each in (name, twin):
            await _settled(self._hand, each)
        while (now := await self._view(name)) != (wanted := await self._view(twin)):
            if time.monotonic() > until:
                self._complain(what, differences(wanted, now))
                return
            await asyncio.sleep(wait)
            wait = min(wait * 2, 1.0)

    async def _view(self, name: str) -> JsonObject:
        return await view(self._hand, self._chunks, name)

    def _complain(self, what: str, lines: list[str]) -> None:
        specs = f"S0 {json.dumps(self._first)}\nS1 {json.dumps(self._second)}\nwrong {json.dumps(self._wrong)}"
        self._tally.complaints.append("\n".join((f"{self._name}: {what}", *lines[:10], specs)))


async def _settled(hand: Hand, name: str) -> JsonObject:
    """Once the operator has come to an end with the registry."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        obj = hand.get(MCP_REGISTRY, name)
        if obj is not None and is_observed(obj):
            return obj
        await asyncio.sleep(0.1)
    raise TimeoutError(f"{name}: nothing after {PATIENCE:.0f} s: {hand.get(MCP_REGISTRY, name)}")


# ---------------------------------------------------------------- what the sources hold


@contextlib.contextmanager
def world(folder: Path) -> Iterator[tuple[Places, str]]:
    """Real sources on this machine, and what opens them."""
    with Upstream() as upstream, git_host(folder / "git") as host:
        for name in ("a", "b", "c"):
            for version in ("1.0.0", "1.1.0"):
                upstream.corpus.publish(f"io.example/{name}", version)
        upstream.file("/servers.json", official("a", "b", "u"))
        bare = host.repository("servers")
        files = {"registry.json": official("a", "g"), "folder/x.yaml": b"image: x/y:1.0.0\n"}
        commit = bare.commit(files)
        bare.git("tag", "v1", commit)
        repository, private = host.url("servers"), host.url("servers", how="basic")
        api = f"{upstream.url}/v0.1"
        places = Places(f"{upstream.url}/servers.json", api, repository, commit, private)
        yield places, f"{upstream.place},{repository.split('/')[2]}"


def official(*names: str) -> bytes:
    return json.dumps([server(f"io.example/{name}") for name in names]).encode()


def toolhive(**tiers: str) -> str:
    """One entry a tier, with all that filters look at."""
    more: dict[str, Any] = {"tags": ["database"], "transport": "sse"}
    entries = {name: toolhive_entry(tier=tier, **more) for name, tier in tiers.items()}
    return json.dumps(
        {"version": "1.0.0", "last_updated": "2026-01-01T00:00:00Z", "servers": entries}
    )


def contents() -> Iterator[JsonObject]:
    packed = gzip.compress(official("a", "b", "z"))
    yield _map("one", {"registry.json": official("a", "b").decode()}, {"packed.json.gz": packed})
    two = {
        "registry.json": toolhive(a="Official", b="Community"),
        "entry.yaml": "image: x/y:1.0.0\n",
    }
    yield _map("two", two)
    yield _map("broken", {"registry.json": "<html>"})
    yield _map("roots", {"ca.crt": ""})
    yield _secret("login", user=USER, **{"pass": PASSWORD})
    yield _secret("headers", **{"X-Key": "value"})
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "source-reader"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": SOURCE_READER,
        },
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": SYSTEM}],
    }
    yield {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": {"name": "base"},
        "spec": {
            "source": {"type": "configmap", "configMap": {"name": "one"}},
            "api": {"enabled": False},
        },
    }


def _map(name: str, data: dict[str, str], binary: dict[str, bytes] | None = None) -> JsonObject:
    head = {"apiVersion": CONFIG_MAP.api_version, "kind": CONFIG_MAP.kind}
    return {
        **head,
        "metadata": {"name": name},
        "data": data,
        "binaryData": msgspec.to_builtins(binary or {}),
    }


def _secret(name: str, **values: str) -> JsonObject:
    head = {"apiVersion": SECRET.api_version, "kind": SECRET.kind}
    return {**head, "metadata": {"name": name}, "stringData": values}
